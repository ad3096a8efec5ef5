"""The store: a folder that is complete is a finished run; there is no database."""

import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from compendium import disk
from compendium.disk import home, sha256, source_hash, whole_folder
from compendium.errors import BadInput
from compendium.methods import recipe
from compendium.runs.plan import Run

CHECKPOINT = "checkpoint.pt"
FINGERPRINTED = ("data/*.py", "images/*.py", "runs/*.py", "methods/layers.py", "methods/registry.py")


@dataclass(frozen=True)
class Record:
    """A finished run: its folder, what run.json says, and the predictions of each test section."""

    folder: Path
    facts: dict
    genes: list[str]
    predictions: dict[str, Float32[np.ndarray, "spot gene"]]

    @property
    def id(self) -> str:
        """Identity of the run."""
        return self.folder.name

    @property
    def stale(self) -> bool:
        """Whether other code than today's made the record; it is drawn with a mark, never retrained unasked."""
        return self.facts["fingerprint"] != fingerprint(self.facts["run"]["method"])


class Damaged(BadInput):
    """A stored record that cannot be trusted; it is reported and the run done again."""


def folder(run: Run, identity: str) -> Path:
    """Where a run lies."""
    return home() / "runs" / run.cohort / run.method / run.split.name / identity


@cache
def fingerprint(method: str) -> str:
    """Checksum of the code that can change a prediction: data, images, runs, the shared layers and the method's own file."""
    own = Path(sys.modules[recipe(method).build.__module__].__file__)
    return hashlib.sha256(source_hash(*FINGERPRINTED).encode() + own.read_bytes()).hexdigest()[:16]


def write(target: Path, facts: dict, genes: list[str], predictions: dict[str, np.ndarray]) -> Record:
    """Store a finished run, whole or not at all."""
    with whole_folder(target) as aside:
        np.savez(aside / "predictions.npz", genes=np.array(genes), **{f"section {name}": values for name, values in predictions.items()})
        facts = facts | {"predictions_sha256": sha256(aside / "predictions.npz")}
        (aside / "run.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
    return Record(target, facts, genes, predictions)


def read(target: Path) -> Record | None:
    """The record in a folder, None where there is none; Damaged where its bytes are not those that were written."""
    if not target.exists():
        return None
    try:
        facts = json.loads((target / "run.json").read_text())
        if facts["predictions_sha256"] != sha256(target / "predictions.npz"):
            raise ValueError("predictions.npz has changed since it was written")
        with np.load(target / "predictions.npz", allow_pickle=False) as stored:
            predictions = {name.removeprefix("section "): stored[name] for name in stored.files if name != "genes"}
            genes = stored["genes"].tolist()
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise Damaged(f"the record in {target} is damaged ({error}); it will be made again") from error
    return Record(target, facts, genes, predictions)


@contextmanager
def locked(target: Path) -> Iterator[Path]:
    """Hold the run's lock and give its work folder, where the checkpoint lies; the lock ends with the process that holds it.

    The folder is removed at the end unless it holds a checkpoint to go on from.
    """
    work = target.with_name(f"{target.name}.partial")
    with disk.locked(work / "lock"):
        try:
            yield work
        finally:
            if not (work / CHECKPOINT).exists():
                shutil.rmtree(work, ignore_errors=True)
