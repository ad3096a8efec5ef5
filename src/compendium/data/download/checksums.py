"""Checksums of raw files, written as the catalogue writes them: a bare git blob id, `md5:…` or `sha256:…`."""

import hashlib
from pathlib import Path

BEGINS = {
    ".gz": (b"\x1f\x8b",),
    ".h5": (b"\x89HDF\r\n\x1a\n",),
    ".tif": (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+"),
    ".zip": (b"PK\x03\x04",),
}  # of its files


def blob_id(path: Path) -> str:
    """Git blob id of a file: sha1 of "blob <size>", a zero byte and the content; what `git hash-object` prints."""
    with path.open("rb") as file:
        header = b"blob %d\0" % path.stat().st_size
        return hashlib.file_digest(
            file, lambda: hashlib.sha1(header, usedforsecurity=False)
        ).hexdigest()


def checksum(path: Path, like: str) -> str:
    """The checksum of a file, of the kind of `like` and written like it."""
    algorithm, colon, _ = like.partition(":")
    if not colon:
        return blob_id(path)
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()}"


def is_whole(path: Path, check: str | None) -> bool:
    """Whether a file is there and is what it must be."""
    return path.is_file() and not mismatch(path, check)


def mismatch(path: Path, check: str | None, name: str = "") -> str:
    """What is wrong with a file, or "". Without a check it must hold something and begin as a file called `name` (default: its own) does."""
    if check:
        found = checksum(path, check)
        return (
            ""
            if found == check
            else f"expected {'' if ':' in check else 'git blob '}{check}, found {found}"
        )
    with path.open("rb") as file:
        begin = file.read(8)
    suffix = Path(name or path.name).suffix.lower()
    if not begin:
        return "it is empty"
    return (
        ""
        if begin.startswith(BEGINS.get(suffix, (b"",)))
        else f"it does not begin as a {suffix} file does"
    )
