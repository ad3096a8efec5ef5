"""The store: a folder that is complete is a finished run; there is no database."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from compendium import storage as disk
from compendium.data.section import Section
from compendium.errors import BadInput, cause
from compendium.runs.run import Run
from compendium.storage import atomic_folder, home, sha256

CHECKPOINT, LOCK = "checkpoint.pt", "lock"
SEAL = "facts_sha256"
ARRAYS = (
    "section",
    "spread",
    "class",
    "rows",
)  # what the arrays of predictions.npz are, each named after it and a test section


@dataclass(frozen=True)
class Record:
    """A finished run: its folder and what run.json says; of each test section the predictions, how far the fits of a run of several differ, and the probability
    of each of facts["classes"] if the method classifies.

    rows: of a test section of which not every spot was predicted once (windows=published), the spot of each row of these arrays.
    """

    folder: Path
    facts: dict
    genes: list[str]
    predictions: dict[str, Float32[np.ndarray, "spot gene"]]
    spread: dict[str, Float32[np.ndarray, "spot gene"]] = field(default_factory=dict)
    probabilities: dict[str, Float32[np.ndarray, "spot class"]] = field(default_factory=dict)
    rows: dict[str, Int64[np.ndarray, "row"]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identity of the run."""
        return self.folder.name

    def predicted_rows(self, section: Section) -> Int64[np.ndarray, "row"]:
        """The spot of each row of what is stored of a test section."""
        return self.rows.get(section.name, np.arange(len(section)))

    def by_spot(self, section: Section) -> Float32[np.ndarray, "spot gene"]:
        """The prediction of each spot of a test section: the mean where it was predicted twice, NaN where not at all."""
        if section.name not in self.rows:
            return self.predictions[section.name]
        rows, times = (
            self.rows[section.name],
            np.bincount(self.rows[section.name], minlength=len(section)),
        )
        total = np.zeros((len(section), len(self.genes)), dtype=np.float32)
        np.add.at(total, rows, self.predictions[section.name])
        return np.divide(
            total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0
        )


class Damaged(BadInput):
    """A stored record that cannot be trusted; it is reported and the run done again."""


def folder(run: Run, identity: str) -> Path:
    """Where a run lies."""
    return home() / "runs" / run.cohort / run.method / run.split.name / identity


def write(
    target: Path,
    facts: dict,
    genes: list[str],
    predictions: dict[str, np.ndarray],
    spread: dict[str, np.ndarray] | None = None,
    probabilities: dict[str, np.ndarray] | None = None,
    rows: dict[str, np.ndarray] | None = None,
) -> Record:
    """Store a finished run, whole or not at all."""
    kept = (predictions, spread or {}, probabilities or {}, rows or {})
    arrays = {
        f"{what} {name}": values
        for what, part in zip(ARRAYS, kept, strict=True)
        for name, values in part.items()
    }
    with atomic_folder(target) as aside:
        np.savez(aside / "predictions.npz", genes=np.array(genes), **arrays)
        facts = checksummed(facts | {"predictions_sha256": sha256(aside / "predictions.npz")})
        (aside / "run.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
    return Record(target, facts, genes, *kept)


def checksummed(facts: dict) -> dict:
    """The facts with a checksum over all of them, which tells a changed digit from a true one."""
    text = json.dumps({key: value for key, value in facts.items() if key != SEAL}, sort_keys=True)
    return facts | {SEAL: hashlib.sha256(text.encode()).hexdigest()}


def read(target: Path) -> Record | None:
    """The record in a folder, None where there is none; Damaged where its bytes are not those that were written."""
    if not target.exists():
        return None
    try:
        facts = stated(target)
        if facts["predictions_sha256"] != sha256(target / "predictions.npz"):
            raise ValueError("predictions.npz has changed since it was written")
        with np.load(target / "predictions.npz", allow_pickle=False) as stored:
            kept = [
                {
                    name.removeprefix(f"{what} "): stored[name]
                    for name in stored.files
                    if name.startswith(f"{what} ")
                }
                for what in ARRAYS
            ]
            genes = stored["genes"].tolist()
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise Damaged(
            f"the record in {target} is damaged ({error}); it will be made again"
        ) from error
    return Record(target, facts, genes, *kept)


def stated(target: Path) -> dict:
    """What run.json says; an error of the kind that it meets (OSError, ValueError, KeyError, TypeError) where it is not as it was written."""
    facts = json.loads((target / "run.json").read_text())
    if facts[SEAL] != checksummed(facts)[SEAL]:
        raise ValueError("run.json has changed since it was written")
    return facts


def workplace(target: Path) -> Path:
    """Folder beside a record to be, with the lock of whoever makes it and the checkpoint."""
    return target.with_name(f"{target.name}.partial")


def failure(target: Path) -> Path:
    """Where the reason lies why a run ended without a record, one line; it goes when the run is tried again."""
    return target.with_name(f"{target.name}.failed")


@contextmanager
def failure_noted(target: Path) -> Iterator[None]:
    """Write down why the block failed, for whoever asks how a study stands."""
    failure(target).unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        with (
            suppress(OSError),
            disk.atomic_file(failure(target)) as aside,
        ):  # a disk that is full must not hide the reason
            aside.write_text(reason(error))
        raise


def reason(error: Exception) -> str:
    """One line that says why a run failed."""
    return (cause(error) or f"{type(error).__name__}: {' '.join(str(error).split())}")[:400]


@contextmanager
def locked(target: Path) -> Iterator[Path]:
    """Hold the run's lock and give its work folder, where the checkpoint lies; the lock ends with the process that holds it.

    The folder is removed at the end unless it holds a checkpoint to go on from.
    """
    work = workplace(target)
    with disk.locked(work / LOCK):
        try:
            yield work
        finally:
            if not (work / CHECKPOINT).exists():
                shutil.rmtree(work, ignore_errors=True)


def tidy(record: Record) -> None:
    """Remove what earlier attempts left beside a finished record; nothing where another is at work, or the store is read-only."""
    target = record.folder
    with suppress(OSError):
        failure(target).unlink(missing_ok=True)
    if workplace(target).exists() and not disk.is_locked(workplace(target) / LOCK):
        with suppress(OSError), locked(target) as work:
            (work / CHECKPOINT).unlink(missing_ok=True)
            disk.sweep(target)
