"""Archives unpacked beside themselves: whole or not at all, and never outside their folder.

`x/NAME.tar.gz` and `x/NAME.zip` are unpacked into the folder `x/NAME`. An archive that holds nothing but one folder loses that level, and where NAME ends with
that folder's name the folder is called so: `section_1/V1_section_1_spatial.tar.gz` holding `spatial/…` becomes `section_1/spatial/…`.
"""

import errno
import gzip
import math
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from compendium.errors import BadInput
from compendium.storage import atomic_folder

SUFFIXES = (".tar.gz", ".zip")
MOST_BYTES = 50_000_000_000
HEADER_BYTES = (
    1 << 24
)  # of all entries of a tar together, which are kept in memory: about 30,000 entries
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    UnicodeError,
)  # RuntimeError: encrypted
NO_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


@dataclass(frozen=True)
class _Entry:
    path: PurePosixPath
    kind: str  # file, folder, or what it is else
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(path: str) -> bool:
    """Whether a file is unpacked once it has come."""
    return path.endswith(SUFFIXES)


def unpack(archive: Path, most_bytes: int = MOST_BYTES) -> Path:
    """Unpack an archive beside itself and return the folder; one that holds every file of the archive in its size already is left alone.

    An absolute path, `..`, a link, a device, two entries of one name, or more than `most_bytes` in all refuse the whole archive. macOS's own entries are left out.
    """
    try:
        with _entries(archive) as listed:
            files = _checked(archive, listed, most_bytes)
            top = _only_folder(files)
            folder = _folder(archive, top)
            inner = {(entry.path.relative_to(top) if top else entry.path): entry for entry in files}
            if not all(
                (folder / path).is_file() and (folder / path).stat().st_size == entry.size
                for path, entry in inner.items()
            ):
                _write(inner, folder)
    except DAMAGED as error:
        raise BadInput(
            f"{archive} cannot be unpacked ({' '.join(str(error).split())}): take it from its publisher again"
        ) from error
    except OSError as error:
        if error.errno not in NO_NAME:
            raise
        raise BadInput(
            f"{archive} holds a name that no file can have here ({error.strerror}): not unpacked; take it from its publisher again"
        ) from error
    return folder


def _write(files: dict[PurePosixPath, _Entry], folder: Path) -> None:
    with atomic_folder(folder) as aside:
        for path, entry in files.items():
            (aside / path).parent.mkdir(parents=True, exist_ok=True)
            with entry.open() as source, (aside / path).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _checked(archive: Path, listed: Iterator[_Entry], most_bytes: int) -> list[_Entry]:
    """The files of an archive, if all of its entries are harmless."""
    files: dict[PurePosixPath, _Entry] = {}
    total = 0
    for entry in listed:
        total += entry.size
        if total > most_bytes:
            raise BadInput(
                f"{archive} unpacks to more than {most_bytes:,} bytes: not unpacked; take it from its publisher again"
            )
        if harm := _harm(entry, files):
            raise BadInput(
                f"{archive} holds {harm}: not unpacked; take it from its publisher again"
            )
        if entry.kind == "file" and not any(
            part.startswith("._") or part == "__MACOSX" for part in entry.path.parts
        ):
            files[entry.path] = entry
    if not files:
        raise BadInput(f"{archive} holds no files: take it from its publisher again")
    if within := next((path for path in files if not files.keys().isdisjoint(path.parents)), None):
        raise BadInput(
            f"{archive} holds {within}, within a file: not unpacked; take it from its publisher again"
        )
    return list(files.values())


def _harm(entry: _Entry, files: dict[PurePosixPath, _Entry]) -> str:
    """Why an entry cannot stand beside the files before it, or ""."""
    path = entry.path
    if path.is_absolute() or ".." in path.parts or (entry.kind == "file" and not path.parts):
        return f"the path {path}, outside its folder"
    if "\0" in str(path) or entry.size < 0:
        return f"{str(path)!r}, which no file can be"
    if path in files:
        return f"{path}, two files of that name"
    return "" if entry.kind in ("file", "folder") else f"{path}, {entry.kind}"


def _only_folder(files: list[_Entry]) -> str:
    """The folder that holds all files of an archive, or "" where there is no such one."""
    tops = {entry.path.parts[0] for entry in files}
    return (
        tops.pop() if len(tops) == 1 and all(len(entry.path.parts) > 1 for entry in files) else ""
    )


def _folder(archive: Path, top: str) -> Path:
    """Where an archive is unpacked: its own name decides, so that no entry can name another place."""
    name = next(
        archive.name.removesuffix(suffix) for suffix in SUFFIXES if archive.name.endswith(suffix)
    )
    return archive.parent / (top if top and f"_{name}".endswith(f"_{top}") else name)


@contextmanager
def _entries(archive: Path) -> Iterator[Iterator[_Entry]]:
    """Every entry of an archive, read as it is asked for."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as opened:
            yield (
                _Entry(
                    PurePosixPath(info.filename),
                    _zip_kind(info),
                    info.file_size,
                    lambda info=info: opened.open(info),
                )
                for info in opened.infolist()
            )
    else:
        with _Unzipped(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
            yield _members(opened, stream)


class _Unzipped(gzip.GzipFile):
    """The tar within a .tar.gz. tarfile reads headers with `read`, whatever length they state, and passes over contents with `seek`."""

    left: float = HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        """The next bytes, while the headers are not too many of them."""
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"more than {HEADER_BYTES:,} bytes of headers")
        return super().read(size)


def _members(opened: tarfile.TarFile, stream: _Unzipped) -> Iterator[_Entry]:
    for member in opened:
        yield _Entry(
            PurePosixPath(member.name),
            _tar_kind(member),
            member.size,
            lambda member=member: opened.extractfile(member),
        )
    stream.left = math.inf  # what is read from here on is contents, whose sizes are known


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    return "file" if member.isreg() else "folder" if member.isdir() else "a device"


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if mode == stat.S_IFLNK else "a device"
    return "folder" if info.is_dir() else "file"
