"""The store: a folder that is complete is a finished run; there is no database.

runs/COHORT/METHOD/SPLIT/ID/run.json          what the run was, with a checksum of itself
runs/COHORT/METHOD/SPLIT/ID/predictions.npz   predictions of each test section, fitted target
runs/COHORT/METHOD/SPLIT/ID.partial/          lock and checkpoint of a run that is under way
runs/COHORT/METHOD/SPLIT/ID.failed            why the latest attempt failed, one line
"""

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Int64, Shaped

from compendium import storage as disk
from compendium.data.section import Section
from compendium.data.targets.transforms import Target
from compendium.errors import BadInput, cause
from compendium.runs.run import Run

if TYPE_CHECKING:
    from pandas import DataFrame

CHECKPOINT, LOCK = "checkpoint.pt", "lock"
CHECKSUM = "facts_sha256"
FITTED = ("low", "high", "share")  # arrays of a fitted target
GROUPS = {
    "section": "predictions",
    "spread": "spread",
    "class": "probabilities",
    "dispersion": "dispersion",
    "rows": "rows",
    "target": "fitted_target",
}
"""First word of the arrays in predictions.npz, and the field of Record that they make up."""

Arrays = Mapping[str, Shaped[np.ndarray, "..."]]


@dataclass(frozen=True)
class Record:
    """A finished run.

    Parameters
    ----------
    folder
        Where it is stored.
    facts
        Content of run.json.
    genes
        Genes that are predicted, in order.
    predictions
        Predicted expression of each test section.
    spread
        Standard deviation over the fits of a run of several.
    probabilities
        Probability of each of facts["classes"], if the method classifies.
    dispersion
        Dispersion of the count likelihood, if the method has one.
    rows
        Spot of each row, of sections of which not every spot was predicted once.
    fitted_target
        Arrays of the fitted target.
    scores
        Scores of a published run (see compendium.runs.published); None where they are computed.
    """

    folder: Path
    facts: dict
    genes: list[str]
    predictions: dict[str, Float32[np.ndarray, "spot gene"]]
    spread: dict[str, Float32[np.ndarray, "spot gene"]] = field(default_factory=dict)
    probabilities: dict[str, Float32[np.ndarray, "spot class"]] = field(default_factory=dict)
    dispersion: dict[str, Float[np.ndarray, "spot gene"]] = field(default_factory=dict)
    rows: dict[str, Int64[np.ndarray, "row"]] = field(default_factory=dict)
    fitted_target: dict[str, np.ndarray] = field(default_factory=dict)
    scores: "DataFrame | None" = None

    @property
    def id(self) -> str:
        """Identity of the run."""
        published = self.facts.get("published")
        return published["id"] if published else self.folder.name

    def target(self) -> Target | None:
        """Return the target as it was fitted; None for a record that was stored without it."""
        if not self.fitted_target:
            return None
        shared = zlib.decompress(self.fitted_target["shared"].tobytes()).decode().split("\n")
        low, high, share = (self.fitted_target[name] for name in FITTED)
        facts = self.facts["target"]
        return Target(facts["transform"], self.genes, shared, low, high, share, facts["spots"])

    def predicted_rows(self, section: Section) -> Int64[np.ndarray, "row"]:
        """Return the spot of each stored row of a test section."""
        return self.rows.get(section.name, np.arange(len(section)))

    def by_spot(self, section: Section) -> Float32[np.ndarray, "spot gene"]:
        """Return the prediction of each spot of a test section.

        Returns
        -------
        The mean where a spot was predicted twice, NaN where it was not predicted.
        """
        if section.name not in self.rows:
            return self.predictions[section.name]
        rows = self.rows[section.name]
        times = np.bincount(rows, minlength=len(section))[:, None]
        total = np.zeros((len(section), len(self.genes)), dtype=np.float32)
        np.add.at(total, rows, self.predictions[section.name])
        return np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0)


AVERAGED = ("predictions", "probabilities", "dispersion")
"""Fields of a record of which `mean_over` gives a mean."""


def mean_over(records: Sequence[Record], name: str) -> dict[str, Float32[np.ndarray, "spot value"]]:
    """Return the mean of a field over records that differ in their seed, for each test section.

    That of a dispersion is geometric; nothing where a record lacks a field that not all have.
    Predictions that are not published are refused (see compendium.runs.published).
    """
    found = [getattr(record, name) for record in records]
    if name != "predictions" and not all(found):
        return {}
    values = {section: np.stack([each[section] for each in found]) for section in found[0]}
    if name != "dispersion":
        return {section: each.mean(axis=0) for section, each in values.items()}
    logs = {section: np.log2(each, dtype=np.float32) for section, each in values.items()}
    return {section: np.exp2(each.mean(axis=0)) for section, each in logs.items()}


class Damaged(BadInput):
    """A stored record that cannot be trusted; it is reported and the run done again."""


def folder(run: Run, identity: str) -> Path:
    """Return the folder of a run's record."""
    return disk.home() / "runs" / run.cohort / run.method / run.split.name / identity


def write(target: Path, facts: dict, genes: list[str], **groups: Arrays) -> Record:
    """Store a finished run, whole or not at all.

    Parameters
    ----------
    target
        Folder of the record.
    facts
        Content of run.json, without checksums.
    genes
        Genes that are predicted.
    **groups
        Arrays of the other fields of Record by name; predictions are needed.
    """
    arrays = {
        f"{word} {name}": values
        for word, group in GROUPS.items()
        for name, values in groups.get(group, {}).items()
    }
    with disk.atomic_folder(target) as aside:
        np.savez(aside / "predictions.npz", genes=np.array(genes), **arrays)
        facts = checksummed(facts | {"predictions_sha256": disk.sha256(aside / "predictions.npz")})
        (aside / "run.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
    return Record(target, facts, genes, **groups)


def fitted_arrays(target: Target) -> dict[str, np.ndarray]:
    """Pack what `Record.target` needs; the names of the shared genes are compressed."""
    shared = zlib.compress("\n".join(target.shared).encode())
    arrays = {name: getattr(target, name) for name in FITTED}
    return arrays | {"shared": np.frombuffer(shared, dtype=np.uint8)}


def checksummed(facts: dict) -> dict:
    """Add a checksum over all of the facts."""
    others = {key: value for key, value in facts.items() if key != CHECKSUM}
    text = json.dumps(others, sort_keys=True)
    return facts | {CHECKSUM: hashlib.sha256(text.encode()).hexdigest()}


def read(target: Path) -> Record | None:
    """Read the record in a folder; None where there is no folder.

    Raises
    ------
    Damaged
        If its bytes are not those that were written.
    """
    if not target.exists():
        return None
    try:
        facts = stated(target)
        if facts["predictions_sha256"] != disk.sha256(target / "predictions.npz"):
            raise ValueError("predictions.npz has changed since it was written")
        with np.load(target / "predictions.npz", allow_pickle=False) as stored:
            genes = stored["genes"].tolist()
            groups = {group: _group(stored, f"{word} ") for word, group in GROUPS.items()}
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        line = f"the record in {target} is damaged ({error}); it will be made again"
        raise Damaged(line) from error
    return Record(target, facts, genes, **groups)


def _group(stored: np.lib.npyio.NpzFile, start: str) -> dict[str, np.ndarray]:
    names = [name for name in stored.files if name.startswith(start)]
    return {name.removeprefix(start): stored[name] for name in names}


def stated(target: Path) -> dict:
    """Read run.json.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        If it is not as it was written.
    """
    return checked((target / "run.json").read_text(), "run.json")


def checked(text: str, name: str) -> dict:
    """Return the facts in a text, if their checksum holds; see `stated`."""
    facts = json.loads(text)
    if facts[CHECKSUM] != checksummed(facts)[CHECKSUM]:
        raise ValueError(f"{name} has changed since it was written")
    return facts


def workplace(target: Path) -> Path:
    """Return the folder beside a record with the lock and checkpoint of a run under way."""
    return target.with_name(f"{target.name}.partial")


def failure(target: Path) -> Path:
    """Return the file with the reason why a run failed; it is removed when the run starts again."""
    return target.with_name(f"{target.name}.failed")


@contextmanager
def failure_noted(target: Path) -> Iterator[None]:
    """Write down why the block failed."""
    failure(target).unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        with suppress(OSError), disk.atomic_file(failure(target)) as aside:  # a full disk
            aside.write_text(reason(error))
        raise


def reason(error: Exception) -> str:
    """Describe in one line why a run failed."""
    return (cause(error) or f"{type(error).__name__}: {' '.join(str(error).split())}")[:400]


@contextmanager
def locked(target: Path) -> Iterator[Path]:
    """Hold the lock of a run; it ends with the block or with the process.

    Yields
    ------
    Folder of the checkpoint, which is removed at the end unless it has one.
    """
    work = workplace(target)
    with disk.locked(work / LOCK):
        try:
            yield work
        finally:
            if not (work / CHECKPOINT).exists():
                shutil.rmtree(work, ignore_errors=True)


def tidy(record: Record) -> None:
    """Remove what earlier attempts left beside a record, unless another process is at work."""
    target = record.folder
    with suppress(OSError):
        failure(target).unlink(missing_ok=True)
    if workplace(target).exists() and not disk.is_locked(workplace(target) / LOCK):
        with suppress(OSError), locked(target) as work:
            (work / CHECKPOINT).unlink(missing_ok=True)
            disk.sweep(target)
