"""Checksums of raw files, written as the catalogue writes them: a bare git blob id, `md5:…` or `sha256:…`."""

import hashlib
from pathlib import Path


def blob_id(path: Path) -> str:
    """Git blob id of a file: sha1 of "blob <size>", a zero byte and the content; what `git hash-object` prints."""
    with path.open("rb") as file:
        header = b"blob %d\0" % path.stat().st_size
        return hashlib.file_digest(file, lambda: hashlib.sha1(header, usedforsecurity=False)).hexdigest()


def checksum(path: Path, like: str) -> str:
    """The checksum of a file, of the kind of `like` and written like it."""
    algorithm, colon, _ = like.partition(":")
    if not colon:
        return blob_id(path)
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()}"


def is_whole(path: Path, check: str | None) -> bool:
    """Whether a file is there and is what it must be; without a check it is enough that it is there."""
    return path.is_file() and (check is None or checksum(path, check) == check)


def mismatch(path: Path, check: str) -> str:
    """What is said of a file that is not what it must be: the expected and the found checksum."""
    kind = "" if ":" in check else "git blob "
    return f"expected {kind}{check}, found {checksum(path, check)}"
