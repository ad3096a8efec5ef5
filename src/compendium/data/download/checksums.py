"""Checksums of raw files: a git blob id, `md5:…` or `sha256:…`.

The catalogue has those that are published; where none is, the first one is recorded.
"""

import hashlib
import json
from pathlib import Path

import yaml

from compendium.errors import refusing
from compendium.storage import atomic_file

RECORD = "fetched.json"

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
        digest = hashlib.file_digest(file, lambda: hashlib.sha1(header, usedforsecurity=False))
    return digest.hexdigest()


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


def read_record(folder: Path) -> dict[str, str]:
    """Read the recorded SHA-256 of each file of a folder.

    Raises
    ------
    BadInput
        If the record is damaged.
    """
    path = folder / RECORD
    if not path.exists():
        return {}
    mend = "delete it; files without a published checksum are then recorded as they are now"
    with refusing((yaml.YAMLError, ValueError, TypeError), f"{path} is damaged", mend):
        # JSON; YAML forgives the comma that remains when the last line is deleted
        record = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
        if not all(str(check).startswith("sha256:") for check in record.values()):
            raise ValueError("a line without a sha256")
    return record


def add_to_record(folder: Path, record: dict[str, str], paths: set[str]) -> None:
    """Record the SHA-256 of files.

    Parameters
    ----------
    folder
        Folder of the files and of the record.
    record
        What is recorded already.
    paths
        Files without a checksum, relative to the folder.
    """
    if new := {path: checksum(folder / path, "sha256:") for path in sorted(paths)}:
        with atomic_file(folder / RECORD) as aside:
            aside.write_text(json.dumps(record | new, indent=1, sort_keys=True), encoding="utf-8")
