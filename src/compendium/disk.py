"""Where things lie, and how a folder or a file is written whole or not at all."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO

from compendium.errors import BadInput

CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """Folder of everything that is fetched or computed: COMPENDIUM_HOME, else data/ of the checkout or of the working folder."""
    if chosen := os.environ.get("COMPENDIUM_HOME"):
        return Path(chosen)
    return (CHECKOUT if (CHECKOUT / "data" / "sources.yaml").exists() else Path.cwd()) / "data"


def resource(name: str) -> Path:
    """Path of a file that travels with the package (sources.yaml, genes/..., published/...)."""
    packaged = Path(str(files("compendium"))) / "resources" / name
    path = packaged if packaged.exists() else CHECKOUT / "data" / name
    if not path.exists():
        raise BadInput(f"{name} is not among the files of the package: reinstall compendium, or name a file that is")
    return path


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def source_hash(*patterns: str) -> str:
    """Checksum of source files of the package, named by patterns relative to it, e.g. `images/*.py`."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in package.glob(pattern)}):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, after waiting for whoever holds it; the lock ends with the block or with the process that holds it."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # whoever held it removed the folder
            lock = path.open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _lies_at(path, lock):
                break
            lock.close()  # a lock file that was removed while we waited protects nothing
    with lock:
        yield


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file at `path`; a file that its holder left behind is not held."""
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _lies_at(path: Path, lock: IO[str]) -> bool:
    try:
        return os.fstat(lock.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target` that takes its name (and its place) only if the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield aside
        aside.chmod(0o755)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            try:
                target.rename(old / "was")
                aside.rename(target)
            finally:
                if not target.exists():
                    (old / "was").rename(target)
                shutil.rmtree(old)
        else:
            aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path beside `target` that is renamed to it only if the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o644)
        aside.rename(target)
    finally:
        aside.unlink(missing_ok=True)
