"""Folders of the project, locks, and files that are written completely or not at all."""

import ctypes
import errno
import fcntl
import hashlib
import io
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from glob import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from compendium.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
REPLACED = "was"  # name of the old folder while the new one takes its place
DIGEST_BYTES = hashlib.sha256().digest_size
LOCK_ATTEMPTS = 100
log = logging.getLogger(__name__)


def project_root() -> Path:
    """Return the folder of the project, which contains `notebooks/` and `data/`.

    Returns
    -------
    The nearest folder at or above the working folder with `notebooks/profiles`; else the clone that
    the package is imported from; else the working folder.
    """
    here = Path.cwd()
    folders = (here, *here.parents, CHECKOUT)
    return next((each for each in folders if (each / "notebooks" / "profiles").is_dir()), here)


def home() -> Path:
    """Return the folder of everything that is downloaded or computed.

    Returns
    -------
    The environment variable COMPENDIUM_HOME, else `data/` of the project.
    """
    if chosen := os.environ.get("COMPENDIUM_HOME"):
        return Path(chosen).absolute()
    return project_root() / "data"


def resource(name: str) -> Path:
    """Return the path of a file that is part of the package.

    Parameters
    ----------
    name
        Path below `data/` of the repository, such as `sources.yaml` or `genes/markers_12.txt`.

    Raises
    ------
    BadInput
        If the package has no such file.
    """
    packaged = Path(str(files("compendium"))) / "resources" / name
    path = packaged if packaged.exists() else CHECKOUT / "data" / name
    if not path.exists():
        raise BadInput(
            f"{name} is not among the files of the package: "
            "reinstall compendium, or name a file that is"
        )
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for the process or thread that holds it.

    The lock ends with the block or with the process. The modification time of the file is the time
    at which the lock was taken.

    Parameters
    ----------
    path
        Lock file; it is created, with its folder, where there is none. The holder may remove it.
    """
    with _acquired(path):
        os.utime(path)
        yield


def is_locked(path: Path) -> bool:
    """Test whether a lock file is held, without taking the lock.

    A shared lock is tried, so that two processes that ask at once do not see each other.
    """
    with suppress(FileNotFoundError), path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def lock_of(target: Path) -> Path:
    """Return the hidden lock file beside `target` that `alone` holds."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Be the only process that writes `target`.

    What killed processes left beside `target` is removed first, the lock file at the end.
    """
    with locked(lock_of(target)):
        try:
            sweep(target)
            yield
        finally:
            lock_of(target).unlink(missing_ok=True)


def _acquired(path: Path) -> AbstractContextManager:
    """Acquire a lock whose folder its last holder may be removing at this moment."""
    from filelock import FileLock

    lock = FileLock(path, poll_interval=0.02, fallback_to_soft=False)
    for _ in range(LOCK_ATTEMPTS):
        with suppress(FileNotFoundError, FileExistsError):
            return lock.acquire()
    return lock.acquire()  # the error then says what is in the way


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a new folder that replaces `target` if the block ends without an error.

    Of two processes that write the same folder at once, the last one stays.
    """
    with beside(target) as aside:
        new, old = aside / "new", aside / REPLACED
        new.mkdir()
        yield new
        try:
            while not (_exchanged(new, target) or _renamed(new, target)):
                shutil.rmtree(old, ignore_errors=True)  # another process replaced it meanwhile
                with suppress(FileNotFoundError):  # another process took it away
                    target.rename(old)
        except BaseException:
            with suppress(OSError):  # another process wrote it, or there was none
                old.rename(target)
            raise


def _exchanged(new: Path, target: Path) -> bool:
    """Exchange two folders in one step; possible on most local disks of Linux."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fs.h
    if renameat2 is None:
        return False
    return renameat2(here, os.fsencode(new), here, os.fsencode(target), exchange) == 0


def _renamed(new: Path, target: Path) -> bool:
    """Rename a folder, unless a folder with content has the name."""
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Give a path to write to, renamed to `target` if the block ends without an error."""
    with beside(target) as aside:
        yield aside / target.name
        (aside / target.name).rename(target)


def write_checksummed(target: Path, content: bytes | memoryview) -> None:
    """Write a file atomically, with the SHA-256 of its content as the last 32 bytes."""
    with atomic_file(target) as aside, aside.open("wb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())


def read_checksummed(path: Path) -> bytes:
    """Read the content of a file that `write_checksummed` wrote.

    Raises
    ------
    ValueError
        If the content does not match its checksum.
    """
    stored = path.read_bytes()
    if hashlib.sha256(memoryview(stored)[:-DIGEST_BYTES]).digest() != stored[-DIGEST_BYTES:]:
        raise ValueError("its bytes are not those that were written")
    return stored[:-DIGEST_BYTES]


def computed_once(path: Path, compute: Callable[[], "np.ndarray"]) -> "np.ndarray":
    """Compute an array in the first process that asks, then read it; renew damaged files."""
    with suppress(OSError, ValueError):
        values = _read_array(path)
        if lock_of(path).exists():
            with suppress(OSError), alone(path):  # removes what a killed process left
                pass
        return values
    with alone(path):
        try:
            return _read_array(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("the values in %s are damaged (%s); they are computed again", path, error)
        return _written_array(path, compute())


def _read_array(path: Path) -> "np.ndarray":
    import numpy as np

    return np.load(io.BytesIO(read_checksummed(path)))


def _written_array(path: Path, values: "np.ndarray") -> "np.ndarray":
    import numpy as np

    packed = io.BytesIO()
    np.save(packed, values)
    write_checksummed(path, packed.getbuffer())
    return values


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target`, on the same disk.

    A process that is killed leaves it behind as `.NAME.xxxxxxxx`; the next process that writes
    `target` removes it (see `sweep`).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    folder, handle = _held_folder(target)
    try:
        yield folder
    except OSError as error:
        if type(error) is OSError and error.filename is None:  # a full disk names no file
            error.strerror, error.filename = error.strerror or str(error), str(target)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep(target: Path) -> None:
    """Remove the temporary folders that killed processes left beside `target`.

    A folder that was moved away from `target` is put back. Folders in use are left alone.
    """
    for left in target.parent.glob(f".{escape(target.name)}.{'?' * 8}"):
        with suppress(OSError), ExitStack() as opened:  # in use, gone, or not removable by us
            handle = os.open(left, os.O_RDONLY)
            opened.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (left / REPLACED).exists() and not target.exists():
                (left / REPLACED).rename(target)
            shutil.rmtree(left)


def _held_folder(target: Path) -> tuple[Path, int]:
    """Create a folder beside `target`, with the handle whose lock keeps it from being swept."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        with suppress(FileNotFoundError):  # swept before we held it
            handle = os.open(folder, os.O_RDONLY)
            with suppress(OSError):  # a network disk may not lock folders; none is swept there
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.exists():
                return folder, handle
            os.close(handle)
