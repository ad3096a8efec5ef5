"""Published runs: what chapters need of finished fits, in data/reference/runs of the repository.

COHORT/METHOD/SPLIT/ID/runs.json.xz     facts of the run with each of its seeds, with a checksum
COHORT/METHOD/SPLIT/ID/scores.npz       scores of each seed, section and gene, as integers
COHORT/METHOD/SPLIT/ID/predictions.npz  mean over the seeds, as integers
COHORT/METHOD/SPLIT/ID/weights.safetensors  of the first seed (see compendium.runs.weights)
COHORT/genes/CHECKSUM.tsv.xz            the genes of some runs, each list once

ID is the identity of the run with seed 0. The folder is written when all seeds are finished.
"""

import hashlib
import logging
import lzma
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
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
from compendium.runs.quantised import PARTS, Quantised, Scores, joined
from compendium.runs.run import Run
from compendium.runs.store import Damaged, Record

if TYPE_CHECKING:
    from pandas import DataFrame

RUNS, FACTS, SCORES, PREDICTIONS = "runs", "runs.json.xz", "scores.npz", "predictions.npz"
WEIGHTS = "weights.safetensors"
IGNORED = ("COMPENDIUM_PUBLISHED", "no")
"""Environment variable, and its value with which published runs are fitted again."""
UNREADABLE = (ValueError, LookupError, TypeError, EOFError, OSError)
UNREADABLE += (zipfile.BadZipFile, lzma.LZMAError)
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
    if not target.exists():
        return None
    try:
        facts = stated(target)
        if str(seed) not in facts["seeds"] or facts["scored"] != versions.SCORES:
            return None
        own = facts["seeds"][str(seed)]
        listed = genes(genes_file(target, own["genes"]))
        scores = _scores(target, facts, str(seed))
        groups = _arrays(target / PREDICTIONS) if PREDICTIONS in facts["files"] else {}
    except UNREADABLE as error:
        line = f"the published runs in {target} are damaged ({one_line(error)}); they are not used"
        raise Damaged(line) from error
    return Record(
        target,
        _facts(facts, own, seed),
        listed["gene"],
        **{"predictions": Unpublished()} | groups,
        scores=scores,
    )


def stated(target: Path) -> dict:
    """Read runs.json.xz, and compare the checksums of the files beside it.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError
        If one is not as it was written.
    """
    facts = facts_of(target)
    for name, checksum in facts["files"].items():
        if disk.sha256(target / name) != checksum:
            raise ValueError(f"{name} has changed since it was written")
    return facts


def facts_of(target: Path) -> dict:
    """Read runs.json.xz; see `stated`."""
    return store.checked(lzma.decompress((target / FACTS).read_bytes()).decode(), FACTS)


def genes_file(target: Path, checksum: str) -> Path:
    """Return the file of a list of genes, by its checksum."""
    return target.parents[2] / "genes" / f"{checksum}.tsv.xz"


def genes(path: Path) -> dict[str, list[str]]:
    """Read a list of genes: "gene", and further texts of each.

    Raises
    ------
    OSError, ValueError, LZMAError
        If it is not as it was written.
    """
    text = lzma.decompress(path.read_bytes()).decode()
    if checksum_of(text) != path.name.partition(".")[0]:
        raise ValueError(f"{path.name} has changed since it was written")
    header, *lines = (line.split("\t") for line in text.splitlines())
    columns = zip(*lines, strict=True)
    return {name: list(column) for name, column in zip(header, columns, strict=True)}


def checksum_of(text: str) -> str:
    """Return the checksum by which a list of genes is named."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def union(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the genes of several lists in order of their first appearance."""
    return list(dict.fromkeys(gene for some in lists for gene in some))


def _scores(target: Path, facts: dict, seed: str) -> "DataFrame":
    """The table of scores of one seed."""
    import pandas as pd

    about, number = facts["scores"], list(facts["seeds"]).index(seed)
    names = [own["genes"] for own in facts["seeds"].values()]
    lists = {name: genes(genes_file(target, name)) for name in dict.fromkeys(names)}
    listed = lists[names[number]]
    every = union(each["gene"] for each in lists.values())
    shape = (len(about["kinds"]), len(names), len(about["sections"]), len(every))
    with np.load(target / SCORES, allow_pickle=False) as stored:
        bytes_of = [stored[f"plane {i}"] for i in range(len(stored.files) - 1)]
        missing = np.unpackbits(stored["missing"], count=int(np.prod(shape))).astype(bool)
    codes = joined(bytes_of, np.int32).reshape(*shape[:2], -1)
    packed = Scores(codes, missing.reshape(codes.shape), about["correlations"], about["bits"])
    rows = pd.Index(every).get_indexer(listed["gene"])
    of_seed = packed.values[:, number].reshape(shape[0], shape[2], -1)[:, :, rows]
    columns = {
        **about["shared"],
        **{name: np.repeat(each[number], len(rows)) for name, each in about["apart"].items()},
        **{name: np.tile(texts, shape[2]) for name, texts in listed.items()},
        **dict(zip(about["kinds"], of_seed.reshape(shape[0], -1), strict=True)),
    }
    return pd.DataFrame(columns)[about["columns"]]


def _facts(facts: dict, own: dict, seed: int) -> dict:
    """What run.json of one seed states."""
    terms = own["curve"]
    epochs = zip(*terms.values(), strict=True)
    curve = [dict(zip(terms, values, strict=True)) for values in epochs]
    published = {"id": own["id"], "seeds": [int(each) for each in facts["seeds"]]}
    run = facts["shared"]["run"] | {"seed": seed}
    return facts["shared"] | own["facts"] | {"run": run, "curve": curve, "published": published}


def _arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Groups of arrays of a record, by the names of its fields."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        word, of = name.split(" ", 1)
        if word == PARTS[-1]:
            values = _rounded(arrays, of)
            word, of = of.split(" ", 1)
            values = np.exp2(values) if word == "dispersion" else values
        if word in store.GROUPS:
            groups.setdefault(store.GROUPS[word], {})[of] = values
    return groups


def _rounded(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Values that were stored as integers and factors."""
    planes = []
    while (plane := f"plane{len(planes)} {name}") in arrays:
        planes.append(arrays[plane])
    parts = [arrays[f"{part} {name}"] for part in PARTS]
    return Quantised(joined(planes, np.int32), *parts).values
