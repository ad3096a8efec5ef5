"""Archives unpacked beside themselves: completely or not at all, and never outside their folder.

`x/NAME.tar.gz` and `x/NAME.zip` are unpacked into the folder `x/NAME`. An archive that contains
nothing but one folder loses that level, and where NAME ends with the name of that folder, the
folder is called so: `section_1/V1_section_1_spatial.tar.gz` containing `spatial/…` becomes
`section_1/spatial/…`.
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
from pathlib import Path, PurePosixPath
from typing import IO

from compendium.errors import BadInput, refusing
from compendium.storage import atomic_folder

SUFFIXES = (".tar.gz", ".zip")
MAX_BYTES = 50_000_000_000
MAX_HEADER_BYTES = 1 << 24  # of a tar, kept in memory: about 30,000 entries
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError)
ENCRYPTED = RuntimeError  # of zipfile
NO_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST)  # of a file, another of its name
AGAIN = "take it from its publisher again"
Files = dict[PurePosixPath, tarfile.TarInfo]


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
        with refusing((*DAMAGED, ENCRYPTED), f"{archive} cannot be unpacked", AGAIN):
            return _unpacked(archive, max_bytes)
    except OSError as error:
        if error.errno not in NO_NAME + IN_THE_WAY:
            raise
        raise _refusal(archive, f"a name that no file can have here ({error.strerror})") from error


def _unpacked(archive: Path, max_bytes: int) -> Path:
    with _opened(archive) as (entries, content):
        files = _checked(archive, entries, max_bytes)
        top = _only_folder(files)
        folder = _folder(archive, top)
        inner = {path.relative_to(top): entry for path, entry in files.items()}
        if not _is_there(folder, inner):
            with atomic_folder(folder) as aside:
                for path, entry in inner.items():
                    (aside / path).parent.mkdir(parents=True, exist_ok=True)
                    with content(entry) as packed, (aside / path).open("wb") as file:
                        shutil.copyfileobj(packed, file)
    return folder


def _refusal(archive: Path, content: str) -> BadInput:
    return BadInput(f"{archive} contains {content}: not unpacked; {AGAIN}")


def _is_there(folder: Path, files: Files) -> bool:
    """Test whether a folder contains all files, with their sizes."""
    return all(
        (folder / path).is_file() and (folder / path).stat().st_size == entry.size
        for path, entry in files.items()
    )


def _checked(archive: Path, entries: Iterator[tarfile.TarInfo], max_bytes: int) -> Files:
    """Return the files of an archive, if all of its entries are harmless."""
    files: Files = {}
    total = 0
    for entry in entries:
        total += entry.size
        if entry.size < 0 or total > max_bytes:
            wrong = f"{archive} unpacks to more than {max_bytes:,} bytes: not unpacked"
            raise BadInput(f"{wrong}; {AGAIN}")
        path = PurePosixPath(entry.name)
        if harm := _harm(path, entry, files):
            raise _refusal(archive, harm)
        if entry.isreg() and "__MACOSX" not in path.parts and not path.match("._*"):
            files[path] = entry
    if not files:
        raise BadInput(f"{archive} contains no files: {AGAIN}")
    return files


def _harm(path: PurePosixPath, entry: tarfile.TarInfo, files: Files) -> str:
    """Describe why an entry cannot be unpacked beside the files before it, or return ""."""
    if path.is_absolute() or ".." in path.parts or (entry.isreg() and not path.parts):
        return f"the path {path}, outside its folder"
    if path in files:
        return f"{path}, two files of that name"
    if entry.issym() or entry.islnk():
        return f"{path}, a link"
    return "" if entry.isreg() or entry.isdir() else f"{path}, a device"


def _only_folder(files: Files) -> str:
    """Return the folder that contains all files of an archive, or ""."""
    tops = {path.parts[0] for path in files}
    return tops.pop() if len(tops) == 1 and all(len(path.parts) > 1 for path in files) else ""


def _folder(archive: Path, top: str) -> Path:
    """Return where an archive is unpacked; its own name decides, so that no entry can."""
    name = archive.name.removesuffix(".zip").removesuffix(".tar.gz")
    return archive.parent / (top if top and f"_{name}".endswith(f"_{top}") else name)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[Iterator[tarfile.TarInfo], Callable[..., IO[bytes]]]]:
    """Open an archive: its entries, read one by one, and what opens the content of one."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as opened:
            yield map(_zip_entry, opened.infolist()), lambda entry: opened.open(entry.name)
    else:
        with _Unzipped(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
            yield _tar_entries(opened, stream), opened.extractfile


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


def _tar_entries(opened: tarfile.TarFile, stream: _Unzipped) -> Iterator[tarfile.TarInfo]:
    yield from opened
    stream.left = math.inf  # from here on contents are read, whose sizes are known


def _zip_entry(info: zipfile.ZipInfo) -> tarfile.TarInfo:
    """Describe an entry of a zip as tar does."""
    entry = tarfile.TarInfo(info.filename)
    entry.size = info.file_size
    mode = info.external_attr >> 16  # 0 where the archive was not made on Unix
    if stat.S_ISLNK(mode):
        entry.type = tarfile.SYMTYPE
    elif info.is_dir() or stat.S_ISDIR(mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        entry.type = tarfile.CHRTYPE
    return entry
