"""Archives unpacked beside themselves: completely or not at all, and never outside their folder.

`x/NAME.tar.gz` and `x/NAME.zip` are unpacked into the folder `x/NAME`. An archive that contains
nothing but one folder loses that level, and where NAME ends with the name of that folder, the
folder is called so: `section_1/V1_section_1_spatial.tar.gz` containing `spatial/…` becomes
`section_1/spatial/…`.
"""

import errno
import gzip
import math
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from compendium.errors import BadInput
from compendium.storage import atomic_folder

SUFFIXES = (".tar.gz", ".zip")
MAX_BYTES = 50_000_000_000
MAX_HEADER_BYTES = 1 << 24  # of a tar, kept in memory: about 30,000 entries
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # an encrypted zip
    ValueError,
)
NO_SUCH_NAME = (
    errno.ENAMETOOLONG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
)
AGAIN = "take it from its publisher again"


@dataclass(frozen=True)
class _Entry:
    path: PurePosixPath
    kind: str  # file, folder, or what else it is
    size: int
    member: tarfile.TarInfo | zipfile.ZipInfo


def is_archive(path: str) -> bool:
    """Test whether a downloaded file is to be unpacked."""
    return path.endswith(SUFFIXES)


def unpack(archive: Path, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack an archive beside itself.

    Nothing is written if every file of the archive is in the folder already, with its size. The
    entries that macOS adds are left out.

    Parameters
    ----------
    archive
        A `.tar.gz` or `.zip` file.
    max_bytes
        Largest total size of the files in bytes.

    Returns
    -------
    The folder with the files.

    Raises
    ------
    BadInput
        If the archive is damaged, larger than `max_bytes`, or contains an absolute path, `..`, a
        link, a device, or two files of one name. Then nothing is unpacked.
    """
    try:
        with _opened(archive) as (opened, entries):
            files = _checked(archive, entries, max_bytes)
            top = _only_folder(files)
            folder = _folder(archive, top)
            inner = {path.relative_to(top): entry for path, entry in files.items()}
            if not _is_there(folder, inner):
                with atomic_folder(folder) as aside:
                    _extract(opened, inner, aside)
    except BadInput:
        raise
    except DAMAGED as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{archive} cannot be unpacked ({reason}): {AGAIN}") from error
    except OSError as error:
        if error.errno not in NO_SUCH_NAME:
            raise
        raise _refusal(archive, f"a name that no file can have here ({error.strerror})") from error
    return folder


def _refusal(archive: Path, content: str) -> BadInput:
    return BadInput(f"{archive} contains {content}: not unpacked; {AGAIN}")


def _is_there(folder: Path, files: dict[PurePosixPath, _Entry]) -> bool:
    """Test whether a folder contains all files, with their sizes."""
    return all(
        (folder / path).is_file() and (folder / path).stat().st_size == entry.size
        for path, entry in files.items()
    )


def _extract(
    opened: tarfile.TarFile | zipfile.ZipFile, files: dict[PurePosixPath, _Entry], folder: Path
) -> None:
    """Extract entries under their new paths."""
    for path, entry in files.items():
        if isinstance(opened, tarfile.TarFile):
            member = entry.member.replace(name=str(path), deep=False)
            opened.extract(member, folder, filter="data")
        else:
            entry.member.filename = str(path)
            opened.extract(entry.member, folder)


def _checked(
    archive: Path, entries: Iterator[_Entry], max_bytes: int
) -> dict[PurePosixPath, _Entry]:
    """Return the files of an archive, if all of its entries are harmless."""
    files: dict[PurePosixPath, _Entry] = {}
    total = 0
    for entry in entries:
        total += entry.size
        if entry.size < 0 or total > max_bytes:
            raise BadInput(
                f"{archive} unpacks to more than {max_bytes:,} bytes: not unpacked; {AGAIN}"
            )
        if harm := _harm(entry, files):
            raise _refusal(archive, harm)
        parts = entry.path.parts
        if entry.kind == "file" and "__MACOSX" not in parts and not entry.path.match("._*"):
            files[entry.path] = entry
    if not files:
        raise BadInput(f"{archive} contains no files: {AGAIN}")
    return files


def _harm(entry: _Entry, files: dict[PurePosixPath, _Entry]) -> str:
    """Describe why an entry cannot be unpacked beside the files before it, or return ""."""
    path = entry.path
    if path.is_absolute() or ".." in path.parts or (entry.kind == "file" and not path.parts):
        return f"the path {path}, outside its folder"
    if path in files:
        return f"{path}, two files of that name"
    return "" if entry.kind in ("file", "folder") else f"{path}, {entry.kind}"


def _only_folder(files: dict[PurePosixPath, _Entry]) -> str:
    """Return the folder that contains all files of an archive, or ""."""
    tops = {path.parts[0] for path in files}
    return tops.pop() if len(tops) == 1 and all(len(path.parts) > 1 for path in files) else ""


def _folder(archive: Path, top: str) -> Path:
    """Return where an archive is unpacked; its own name decides, so that no entry can."""
    name = archive.name.removesuffix(".zip").removesuffix(".tar.gz")
    return archive.parent / (top if top and f"_{name}".endswith(f"_{top}") else name)


@contextmanager
def _opened(
    archive: Path,
) -> Iterator[tuple[tarfile.TarFile | zipfile.ZipFile, Iterator[_Entry]]]:
    """Open an archive; its entries are read one by one."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as opened:
            yield opened, map(_zip_entry, opened.infolist())
    else:
        with _Unzipped(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
            yield opened, _tar_entries(opened, stream)


class _Unzipped(gzip.GzipFile):
    """The tar within a .tar.gz, with a bound on the bytes of its headers.

    tarfile reads headers with `read`, whatever length they state, and skips contents with `seek`.
    """

    left: float = MAX_HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, while the bound is not reached."""
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"more than {MAX_HEADER_BYTES:,} bytes of headers")
        return super().read(size)


def _tar_entries(opened: tarfile.TarFile, stream: _Unzipped) -> Iterator[_Entry]:
    for info in opened:
        kind = "file" if info.isreg() else "folder" if info.isdir() else "a device"
        if info.issym() or info.islnk():
            kind = "a link"
        yield _Entry(PurePosixPath(info.name), kind, info.size, info)
    stream.left = math.inf  # from here on contents are read, whose sizes are known


def _zip_entry(info: zipfile.ZipInfo) -> _Entry:
    mode = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
    kind = "folder" if info.is_dir() else "file"
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "a link" if mode == stat.S_IFLNK else "a device"
    return _Entry(PurePosixPath(info.filename), kind, info.file_size, info)
