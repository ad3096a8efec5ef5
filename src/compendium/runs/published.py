"""Published runs: what chapters need of finished fits, in data/reference/runs of the repository.

COHORT/METHOD/SPLIT/ID/runs.json        facts of the run with each of its seeds, with a checksum
COHORT/METHOD/SPLIT/ID/scores.parquet   scores of each seed, section and gene
COHORT/METHOD/SPLIT/ID/predictions.npz  mean over the seeds, in 8 bits a value
COHORT/genes/CHECKSUM.parquet           the genes of some runs, each list once

ID is the identity of the run with seed 0. The folder is written when all seeds are finished.
"""

import logging
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compendium import storage as disk
from compendium import versions
from compendium.data.section import Section
from compendium.errors import BadInput, one_line
from compendium.runs import store
from compendium.runs.inputs.prepare import used
from compendium.runs.quantised import Quantised
from compendium.runs.run import Run
from compendium.runs.store import Damaged, Record

if TYPE_CHECKING:
    from pandas import DataFrame

RUNS, FACTS, SCORES, PREDICTIONS = "runs", "runs.json", "scores.parquet", "predictions.npz"
IGNORED = ("COMPENDIUM_PUBLISHED", "no")
"""Environment variable, and its value with which published runs are fitted again."""
log = logging.getLogger(__name__)


class Unpublished(dict):
    """Predictions that are not published; asking for one says how to have it."""

    def _refuse(self, *_: object) -> None:
        raise BadInput(
            "of this run scores are published and no predictions; fit it here with"
            f" {'='.join(IGNORED)} in the environment"
        )

    __getitem__ = __iter__ = __contains__ = get = items = keys = values = _refuse


def root() -> Path | None:
    """Return the folder of published runs; None where the package has none."""
    try:
        return disk.resource("reference") / RUNS
    except BadInput:
        return None


def identity(run: Run, sections: Sequence[Section]) -> str:
    """Return what runs that differ in their seed alone share: the identity with seed 0."""
    return replace(run, seed=0).identity(used(run, sections))


def folder(root: Path, run: Run, sections: Sequence[Section]) -> Path:
    """Return the folder of the published run with all of its seeds."""
    return root / run.cohort / run.method / run.split.name / identity(run, sections)


def find(run: Run, sections: Sequence[Section]) -> Record | None:
    """Return the published record of a run.

    Parameters
    ----------
    run, sections
        The run, and the sections of its cohort.

    Returns
    -------
    Its own facts, loss and scores, and predictions that are the mean over all published seeds. None
    where there is none, it is damaged (which is reported) or scored by another version, or where
    published runs are to be ignored.
    """
    name, no = IGNORED
    if os.environ.get(name) == no or not (there := root()) or not (there / run.cohort).is_dir():
        return None
    try:
        record = read(folder(there, run, sections), run.seed)
    except Damaged as error:
        log.warning("%s", error)
        return None
    own = run.identity(used(run, sections))
    return record if record and record.id == own else None


def read(target: Path, seed: int) -> Record | None:
    """Read the record of one seed from a folder of published runs.

    Raises
    ------
    Damaged
        If its bytes are not those that were written.
    """
    import pandas as pd

    if not target.exists():
        return None
    try:
        facts = stated(target)
        if str(seed) not in facts["seeds"] or facts["scored"] != versions.SCORES:
            return None
        own = facts["seeds"][str(seed)]
        listed = pd.read_parquet(genes_file(target, own["genes"]))
        scores = pd.read_parquet(target / SCORES, filters=[("seed", "==", seed)])
        groups = _arrays(target / PREDICTIONS) if PREDICTIONS in facts["files"] else {}
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        line = f"the published runs in {target} are damaged ({one_line(error)}); they are not used"
        raise Damaged(line) from error
    return Record(
        target,
        _facts(facts, own, seed),
        listed["gene"].tolist(),
        **{"predictions": Unpublished()} | groups,
        scores=_completed(scores, listed, facts["columns"]),
    )


def stated(target: Path) -> dict:
    """Read runs.json, and compare the checksums of all files.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        If one is not as it was written.
    """
    facts = store.stated(target, FACTS)
    genes = {own["genes"] for own in facts["seeds"].values()}
    checksums = {target / name: checksum for name, checksum in facts["files"].items()}
    checksums |= {genes_file(target, name): name for name in genes}
    for path, checksum in checksums.items():
        if not disk.sha256(path).startswith(checksum):
            raise ValueError(f"{path.name} has changed since it was written")
    return facts


def genes_file(target: Path, checksum: str) -> Path:
    """Return the file of a list of genes, by its checksum."""
    return target.parents[2] / "genes" / f"{checksum}.parquet"


def _facts(facts: dict, own: dict, seed: int) -> dict:
    """What run.json of one seed states."""
    terms = own["curve"]
    epochs = zip(*terms.values(), strict=True)
    curve = [dict(zip(terms, values, strict=True)) for values in epochs]
    published = {"id": own["id"], "seeds": [int(each) for each in facts["seeds"]]}
    run = facts["shared"]["run"] | {"seed": seed}
    return facts["shared"] | own["facts"] | {"run": run, "curve": curve, "published": published}


def _completed(scores: "DataFrame", listed: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    """Scores of one seed with the columns that are stored once a gene."""
    times = len(scores) // len(listed)
    texts = {name: np.tile(listed[name].to_numpy(), times) for name in listed}
    return scores.reset_index(drop=True).assign(**texts)[list(columns)]


def _arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Groups of arrays of a record, by the names of its fields."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        word, of = name.split(" ", 1)
        if word in store.GROUPS:
            if f"low {name}" in arrays:
                values = Quantised(values, arrays[f"low {name}"], arrays[f"step {name}"]).values
            groups.setdefault(store.GROUPS[word], {})[of] = values
    return groups
