"""Checksums of raw files as the catalogue writes them: a git blob id, `md5:…` or `sha256:…`."""

import hashlib
from pathlib import Path

FIRST_BYTES = {
    ".gz": (b"\x1f\x8b",),
    ".h5": (b"\x89HDF\r\n\x1a\n",),
    ".tif": (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+"),
    ".zip": (b"PK\x03\x04",),
}


def blob_id(path: Path) -> str:
    """Return the git blob id of a file, as `git hash-object` prints it.

    It is the SHA-1 of "blob <size>", a zero byte and the content.
    """
    with path.open("rb") as file:
        header = b"blob %d\0" % path.stat().st_size
        return hashlib.file_digest(
            file, lambda: hashlib.sha1(header, usedforsecurity=False)
        ).hexdigest()


def checksum(path: Path, like: str) -> str:
    """Return the checksum of a file in the notation of another checksum.

    Parameters
    ----------
    path
        The file.
    like
        A checksum, or its prefix: `md5:`, `sha256:`, or "" for a git blob id.
    """
    algorithm, colon, _ = like.partition(":")
    if not colon:
        return blob_id(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"


def is_whole(path: Path, check: str | None) -> bool:
    """Test whether a file is there and passes `mismatch`."""
    return path.is_file() and not mismatch(path, check)


def mismatch(path: Path, check: str | None, name: str = "") -> str:
    """Describe what is wrong with a file, or return "".

    Parameters
    ----------
    path
        The file.
    check
        Its checksum. Without one, the file must not be empty and must begin as its suffix says.
    name
        Name that decides the suffix; by default that of the file.
    """
    if check:
        found = checksum(path, check)
        expected = check if ":" in check else f"git blob {check}"
        return "" if found == check else f"expected {expected}, found {found}"
    with path.open("rb") as file:
        begin = file.read(8)
    if not begin:
        return "it is empty"
    suffix = Path(name or path.name).suffix.lower()
    known = begin.startswith(FIRST_BYTES.get(suffix, (b"",)))
    return "" if known else f"it does not begin as a {suffix} file does"
