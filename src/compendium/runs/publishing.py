"""Write published runs: the folders that compendium.runs.published reads."""

import json
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compendium import storage as disk
from compendium import versions
from compendium.runs import store
from compendium.runs.published import FACTS, PREDICTIONS, SCORES, genes_file, stated
from compendium.runs.quantised import BITS, BITS_OF_DRAWS, quantised, rounded
from compendium.runs.run import Run
from compendium.runs.store import Record

if TYPE_CHECKING:
    from pandas import DataFrame

PREDICTED = ("section-out", "patient-out")
"""Split rules of which predictions are published, but for those of permuted-image controls."""
LEFT_OUT = ("curve", "published", store.CHECKSUM, "predictions_sha256")
"""Facts of a record that are not published, or in another form."""
DIGITS = 5
"""Significant digits of a training loss."""


def seeds(target: Path) -> list[int]:
    """Return the seeds that a folder holds, undamaged and scored as today."""
    try:
        facts = stated(target)
    except (ValueError, KeyError, TypeError, OSError):
        return []
    return [int(seed) for seed in facts["seeds"]] if facts["scored"] == versions.SCORES else []


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
        return store.stated(target, FACTS)["profile"]
    except (ValueError, KeyError, TypeError, OSError):
        return ""


def remove_unused_genes(root: Path) -> None:
    """Remove lists of genes that no published run names."""
    named = {
        genes_file(path.parent, own["genes"])
        for path in root.glob(f"*/*/*/*/{FACTS}")
        for own in json.loads(path.read_text(encoding="utf-8"))["seeds"].values()
    }
    for path in set(root.glob("*/genes/*.parquet")) - named:
        path.unlink()


def write(
    target: Path, runs: Sequence[Run], records: Sequence[Record], scores: "DataFrame", profile: str
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
    """
    of = {run.seed: scores[scores["seed"] == run.seed] for run in runs}
    by_gene = ["gene", *_varying_texts(scores)]
    bits = BITS_OF_DRAWS if runs[0].split.match else BITS
    listed = {seed: _listed(target, table[by_gene]) for seed, table in of.items()}
    seeds, shared = _split_facts(runs, records)
    for seed, own in seeds.items():
        own["genes"] = listed[int(seed)]
    facts = {"profile": profile, "scored": versions.SCORES, "columns": list(scores)}
    with disk.atomic_folder(target) as aside:
        _write_table(aside / SCORES, _small(scores.drop(columns=by_gene), bits))
        if arrays := _published_arrays(runs[0], records):
            _write_arrays(aside / PREDICTIONS, arrays)
        files = {path.name: disk.sha256(path) for path in sorted(aside.iterdir())}
        facts |= {"files": files, "shared": shared, "seeds": seeds}
        text = json.dumps(store.checksummed(facts), sort_keys=True, separators=(",", ":"))
        (aside / FACTS).write_text(text + "\n", encoding="utf-8")


def _varying_texts(scores: "DataFrame") -> list[str]:
    """Columns beside the genes whose text differs between the genes of a section."""
    texts = scores.drop(columns="gene").select_dtypes(exclude=["number", "bool"])
    first = scores["section"] == scores["section"].iloc[0]
    return [name for name in texts if texts.loc[first, name].nunique() > 1]


def _listed(target: Path, by_gene: "DataFrame") -> str:
    """Write the genes of one seed unless the list is there; its checksum."""
    listed = by_gene.drop_duplicates("gene").reset_index(drop=True)
    with disk.beside(target.parents[2] / "genes") as aside:
        _write_table(aside / "genes", listed)
        checksum = disk.sha256(aside / "genes")[:16]
        path = genes_file(target, checksum)
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            (aside / "genes").rename(path)
    return checksum


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


def _small(table: "DataFrame", bits: int) -> "DataFrame":
    """A table whose scores are rounded, and whose other numbers take few bytes."""
    floats = table.select_dtypes("floating")
    small = table.assign(**{name: rounded(floats[name].to_numpy(), bits) for name in floats})
    return small.astype(dict.fromkeys(table.select_dtypes("integer"), "int32"))


def _write_table(path: Path, table: "DataFrame") -> None:
    """Write a table without what only pandas reads, which takes more than the numbers."""
    import pyarrow as pa
    from pyarrow import parquet

    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    parquet.write_table(
        arrow, path, compression="zstd", compression_level=19, write_statistics=False
    )


def _published_arrays(run: Run, records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Arrays of the mean over seeds, by their name in the file."""
    groups = [] if run.split.match else ["class"]
    if run.split.rule in PREDICTED and not run.permute:
        groups += ["section", "spread"]
    arrays = dict(_quantised_means(groups, records))
    rows = records[0].rows.items() if arrays else ()
    return arrays | {f"rows {name}": values.astype(np.int32) for name, values in rows}


def _quantised_means(
    groups: Sequence[str], records: Sequence[Record]
) -> Iterator[tuple[str, np.ndarray]]:
    for word in groups:
        found = [getattr(record, store.GROUPS[word]) for record in records]
        for name in found[0]:
            mean = np.mean([each[name] for each in found], axis=0)
            parts = quantised(mean)
            yield f"{word} {name}", np.asfortranarray(parts.codes)  # gene by gene, packs best
            yield f"low {word} {name}", parts.low
            yield f"step {word} {name}", parts.step


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as numpy does, in LZMA: a tenth smaller than its own compression."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as packed:
        for name, values in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # of a fixed time: equal arrays, equal bytes
            entry.compress_type = zipfile.ZIP_LZMA
            with packed.open(entry, "w") as file:
                np.save(file, values, allow_pickle=False)
