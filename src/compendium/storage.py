"""Where things lie, and how a folder or a file is written whole or not at all."""

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from importlib.resources import files
from pathlib import Path
from typing import IO

from compendium.errors import BadInput

CHECKOUT = Path(__file__).resolve().parents[2]
WAS = "was"  # the old folder while the new one takes its name
DIGEST = hashlib.sha256().digest_size
TRIES = 100


def home() -> Path:
    """Folder of everything that is fetched or computed: COMPENDIUM_HOME, else data/ of the checkout or of the working folder."""
    if chosen := os.environ.get("COMPENDIUM_HOME"):
        return Path(chosen).absolute()
    return (CHECKOUT if (CHECKOUT / "data" / "sources.yaml").exists() else Path.cwd()) / "data"


def resource(name: str) -> Path:
    """Path of a file that travels with the package (sources.yaml, genes/..., published/...)."""
    packaged = Path(str(files("compendium"))) / "resources" / name
    path = packaged if packaged.exists() else CHECKOUT / "data" / name
    if not path.exists():
        raise BadInput(
            f"{name} is not among the files of the package: reinstall compendium, or name a file that is"
        )
    return path


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, after waiting for whoever holds it; the lock ends with the block or with the process that holds it.

    The file's time is that at which the lock was taken.
    """
    while True:
        lock = _opened(path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _lies_at(path, lock):
            break
        lock.close()  # a lock file that was removed while we waited protects nothing
    with lock:
        os.utime(lock.fileno())
        yield


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file at `path`; a file that its holder left behind is not held."""
    try:
        with path.open() as lock:
            fcntl.flock(
                lock, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # shared: two that ask at once do not see each other
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def lock_of(target: Path) -> Path:
    """The hidden lock file beside `target` that `alone` holds; where one lies, somebody is at work or was killed."""
    return target.with_name(f".{target.name}.lock")


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Be the only one that makes `target`; the lock file goes with the block, and so does what killed processes left beside `target`."""
    with locked(lock_of(target)):
        try:
            sweep(target)
            yield
        finally:
            lock_of(target).unlink(missing_ok=True)


def _opened(path: Path) -> IO[str]:
    """A lock file, made with its folder where there is none."""
    for _ in range(TRIES):
        with suppress(
            FileNotFoundError, FileExistsError
        ):  # whoever held it is just removing the folder
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("a")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open(
        "a"
    )  # what stands in the way then is no other process, and the error says what


def _lies_at(path: Path, lock: IO[str]) -> bool:
    try:
        return os.fstat(lock.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A new folder that takes the name `target` (and its place) only if the block ends without an error; of two at once the last one stays."""
    with beside(target) as aside:
        new, was = aside / "new", aside / WAS
        new.mkdir()
        yield new
        try:
            while not (_exchanged(new, target) or _renamed(new, target)):
                shutil.rmtree(
                    was, ignore_errors=True
                )  # another has put its own in the place of what we took away
                with suppress(FileNotFoundError):  # another took it away
                    target.rename(was)
        except BaseException:
            with suppress(OSError):  # another has put its own there, or there was none
                was.rename(target)
            raise


def _exchanged(new: Path, target: Path) -> bool:
    """Whether two folders changed names in one step, which Linux does on most local disks, so that there is no moment without `target`."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fs.h
    return (
        renameat2 is not None
        and renameat2(here, os.fsencode(new), here, os.fsencode(target), exchange) == 0
    )


def _renamed(new: Path, target: Path) -> bool:
    """Whether `new` took the name `target`, which another folder with content must not bear."""
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        return False
    return True


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A path to write to, renamed to `target` only if the block ends without an error."""
    with beside(target) as aside:
        yield aside / target.name
        (aside / target.name).rename(target)


def write_checksummed(target: Path, content: bytes | memoryview) -> None:
    """Write a file whole, with the SHA-256 of its content as the last 32 bytes."""
    with atomic_file(target) as aside, aside.open("wb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())


def read_checksummed(path: Path) -> bytes:
    """Content of a file that write_sealed wrote; ValueError where its bytes are others."""
    stored = path.read_bytes()
    if hashlib.sha256(memoryview(stored)[:-DIGEST]).digest() != stored[-DIGEST:]:
        raise ValueError("its bytes are not those that were written")
    return stored[:-DIGEST]


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A folder of our own beside `target`, on the same disk, that goes with the block.

    A process that is killed leaves it behind as .NAME.xxxxxxxx; whoever writes `target` next removes it (see sweep).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    folder, handle = _held_folder(target)
    try:
        yield folder
    except OSError as error:
        if type(error) is OSError and error.filename is None:  # what a full disk says names no file
            error.strerror, error.filename = error.strerror or str(error), str(target)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep(target: Path) -> None:
    """Remove what killed processes left beside `target`, and put `target` back if one had moved it away; what is in use stays."""
    for left in target.parent.glob(f".{escape(target.name)}.{'?' * 8}"):
        with suppress(OSError), _handle(left) as handle:  # in use, just gone, or not ours to remove
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (left / WAS).exists() and not target.exists():
                (left / WAS).rename(target)
            shutil.rmtree(left)


def _held_folder(target: Path) -> tuple[Path, int]:
    """A new folder beside `target` and the handle whose lock keeps it from being swept."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        with suppress(FileNotFoundError):  # swept before we held it
            handle = os.open(folder, os.O_RDONLY)
            with suppress(
                OSError
            ):  # a network disk may lock no folders, and then none is ever swept there
                fcntl.flock(handle, fcntl.LOCK_EX)
            if folder.exists():
                return folder, handle
            os.close(handle)


@contextmanager
def _handle(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)
