"""Record of the first checksum of files whose publisher gives none."""

import json
from pathlib import Path

import yaml

from compendium.data.download.checksums import checksum
from compendium.errors import BadInput
from compendium.storage import atomic_file

RECORD = "fetched.json"


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
    try:
        # JSON; YAML forgives the comma that remains when the last line is deleted
        record = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
        if not all(str(check).startswith("sha256:") for check in record.values()):
            raise ValueError("a line without a sha256")
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise BadInput(
            f"{path} is damaged ({' '.join(str(error).split())}): delete it; "
            "files without a published checksum are then recorded as they are now"
        ) from error
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
