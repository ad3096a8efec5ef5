"""Write published runs: the folders that compendium.runs.published reads."""

import json
import lzma
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compendium import storage as disk
from compendium import versions
from compendium.runs import store
from compendium.runs.published import (
    FACTS,
    PREDICTIONS,
    SCORES,
    UNREADABLE,
    WEIGHTS,
    checksum_of,
    facts_of,
    genes_file,
    stated,
    union,
)
from compendium.runs.quantised import BITS, BITS_OF_DRAWS, PARTS, coded, planes, quantised
from compendium.runs.run import Run
from compendium.runs.store import Record

if TYPE_CHECKING:
    from pandas import DataFrame, Series

LEFT_OUT = ("curve", "published", store.CHECKSUM, "predictions_sha256")
"""Facts of a record that are not published, or in another form."""
LOG_STEPS = 4
"""Steps in a standard deviation over 150 spots of the logarithm of a dispersion."""
DIGITS = 5
"""Significant digits of a training loss."""


def seeds(target: Path) -> list[int]:
    """Return the seeds that a folder holds, undamaged and scored as today."""
    try:
        facts = stated(target)
    except UNREADABLE:
        return []
    return [int(seed) for seed in facts["seeds"]] if facts["scored"] == versions.SCORES else []


def is_coarse(run: Run) -> bool:
    """Return whether only medians of its scores are printed: one draw of many, or a control."""
    return bool(run.split.match) or run.permute


def has_predictions(target: Path) -> bool:
    """Return whether a folder holds predictions; probabilities of classes alone are none."""
    try:
        with zipfile.ZipFile(target / PREDICTIONS) as packed:
            return any(name.startswith("step section ") for name in packed.namelist())
    except UNREADABLE:
        return False


def remove_others(root: Path, profile: str, planned: Collection[Path]) -> int:
    """Remove the runs of a profile that it does not plan any more, and return their number.

    Parameters
    ----------
    root
        Folder of published runs.
    profile
        Profile with which runs were published.
    planned
        Folders that stay.
    """
    folders = [path.parent for path in root.glob(f"*/*/*/*/{FACTS}")]
    others = [each for each in folders if each not in planned and _profile(each) == profile]
    for each in others:
        shutil.rmtree(each)
    return len(others)


def _profile(target: Path) -> str:
    """Profile with which runs were published; empty where their facts cannot be read."""
    try:
        return facts_of(target)["profile"]
    except UNREADABLE:
        return ""


def remove_unused_genes(root: Path) -> None:
    """Remove lists of genes that no published run names."""
    named = {
        genes_file(path.parent, own["genes"])
        for path in root.glob(f"*/*/*/*/{FACTS}")
        for own in facts_of(path.parent)["seeds"].values()
    }
    for path in set(root.glob("*/genes/*.tsv.xz")) - named:
        path.unlink()


def write(
    target: Path,
    runs: Sequence[Run],
    records: Sequence[Record],
    scores: "DataFrame",
    profile: str,
    *,
    predicted: bool,
) -> None:
    """Publish runs that differ in their seed alone.

    Parameters
    ----------
    target
        Their folder (see `folder`).
    runs, records
        Each run once, and its record.
    scores
        Table of `compendium.evaluation.scores.scores` of these runs.
    profile
        Profile whose chapters plan them.
    predicted
        Whether their predictions are published.
    """
    by_gene = _columns_by_gene(scores)
    listed = {run.seed: _list(scores[scores["seed"] == run.seed], by_gene) for run in runs}
    seeds, shared = _split_facts(runs, records)
    for seed, own in seeds.items():
        own["genes"] = _write_genes(target, listed[int(seed)])
    facts = {"profile": profile, "scored": versions.SCORES, "shared": shared, "seeds": seeds}
    every = union(each["gene"] for each in listed.values())
    bits = BITS_OF_DRAWS if is_coarse(runs[0]) else BITS
    facts["scores"], arrays = _packed(scores, every, by_gene, bits)
    with disk.atomic_folder(target) as aside:
        _write_arrays(aside / SCORES, arrays)
        if arrays := _published_arrays(runs[0], records, predicted):
            _write_arrays(aside / PREDICTIONS, arrays)
        facts["files"] = {path.name: disk.sha256(path) for path in sorted(aside.iterdir())}
        if (weights := target / WEIGHTS).exists():
            shutil.copy(weights, aside)  # it has a checksum of its own
        text = json.dumps(store.checksummed(facts), sort_keys=True, separators=(",", ":"))
        (aside / FACTS).write_bytes(lzma.compress(text.encode()))


def _columns_by_gene(scores: "DataFrame") -> list[str]:
    """Columns of texts that differ between the genes of a section."""
    first = scores[scores["section"] == scores["section"].iloc[0]]
    texts = first.drop(columns="gene").select_dtypes(exclude=["number", "bool"])
    return ["gene", *(name for name in texts if texts[name].nunique() > 1)]


def _list(scores: "DataFrame", by_gene: Sequence[str]) -> dict[str, list[str]]:
    """Genes of one seed in order, and their further texts."""
    return scores[list(by_gene)].drop_duplicates("gene").to_dict("list")


def _write_genes(target: Path, listed: Mapping[str, Sequence[str]]) -> str:
    """Write a list of genes unless it is there; its checksum."""
    lines = [tuple(listed), *zip(*listed.values(), strict=True)]
    text = "\n".join("\t".join(line) for line in lines)
    path = genes_file(target, checksum_of(text))
    if not path.exists():
        with disk.atomic_file(path) as aside:
            aside.write_bytes(lzma.compress(text.encode()))
    return checksum_of(text)


def _packed(
    scores: "DataFrame", genes: Sequence[str], by_gene: Sequence[str], bits: int
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Scores as arrays of bytes, and what `published` needs to make a table of them again."""
    import pandas as pd

    seeds, sections = (list(dict.fromkeys(scores[name])) for name in ("seed", "section"))
    kinds = list(scores.select_dtypes("floating"))
    rows = pd.MultiIndex.from_product([seeds, sections, genes], names=["seed", "section", "gene"])
    table = scores.set_index(rows.names)
    values = table[kinds].reindex(rows).to_numpy(np.float64).T
    packed = coded(values.reshape(len(kinds), len(seeds), -1), bits)
    others = scores.drop(columns=[*kinds, *by_gene]).drop_duplicates(["seed", "section"])
    about = {
        "columns": list(scores),
        "kinds": kinds,
        "correlations": packed.correlations,
        "bits": bits,
        "sections": sections,
        "shared": {name: others[name].tolist()[0] for name in others if _is_one(others[name])},
        "apart": {
            name: [part[name].tolist() for _, part in others.groupby("seed", sort=False)]
            for name in others
            if not _is_one(others[name])
        },
    }
    arrays = {f"plane {i}": plane for i, plane in enumerate(planes(packed.codes))}
    return about, arrays | {"missing": np.packbits(packed.missing)}


def _is_one(column: "Series") -> bool:
    return column.nunique() == 1


def _split_facts(
    runs: Sequence[Run], records: Sequence[Record]
) -> tuple[dict[str, dict], dict[str, object]]:
    """Facts of each seed, and those that all seeds share."""
    both = zip(runs, records, strict=True)
    every = {str(run.seed): _without_seed(record) for run, record in both}
    first = next(iter(every.values()))
    shared = {
        name: value
        for name, value in first.items()
        if all(name in facts and facts[name] == value for facts in every.values())
    }
    seeds = {
        seed: {
            "id": record.id,
            "curve": _curve(record.facts["curve"]),
            "facts": {name: value for name, value in facts.items() if name not in shared},
        }
        for (seed, facts), record in zip(every.items(), records, strict=True)
    }
    return seeds, shared


def _without_seed(record: Record) -> dict[str, object]:
    """Facts of a record without its seed, its loss, and what is of its files."""
    facts = {name: value for name, value in record.facts.items() if name not in LEFT_OUT}
    run = {name: value for name, value in facts["run"].items() if name != "seed"}
    return json.loads(json.dumps(facts | {"run": run}))


def _curve(curve: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Loss of each epoch by term, every term of five digits."""
    terms = curve[0] if curve else {}
    return {name: [float(f"{row[name]:.{DIGITS}g}") for row in curve] for name in terms}


def _published_arrays(
    run: Run, records: Sequence[Record], predicted: bool
) -> dict[str, np.ndarray]:
    """Arrays of the mean over seeds, by their name in the file."""
    groups = [] if run.split.match else ["class"]
    groups += ["section", "spread", "dispersion"] if predicted else []
    arrays = dict(_quantised_means(groups, records))
    rows = records[0].rows.items() if arrays else ()
    return arrays | {f"rows {name}": values for name, values in rows}


def _quantised_means(
    groups: Sequence[str], records: Sequence[Record]
) -> Iterator[tuple[str, np.ndarray]]:
    for word in groups:
        for name, mean in store.mean_over(records, store.GROUPS[word]).items():
            logarithmic = word == "dispersion"
            parts = quantised(np.log2(mean), LOG_STEPS) if logarithmic else quantised(mean)
            for i, plane in enumerate(planes(parts.codes)):
                yield f"plane{i} {word} {name}", np.asfortranarray(plane)  # packs gene by gene
            yield from ((f"{part} {word} {name}", getattr(parts, part)) for part in PARTS)


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as numpy does, in LZMA: a tenth smaller than its own compression."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as packed:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # of a fixed time: equal arrays, equal bytes
            entry.compress_type = zipfile.ZIP_LZMA
            with packed.open(entry, "w") as file:
                np.save(file, values, allow_pickle=False)
