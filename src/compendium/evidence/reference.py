"""Reference runs: scores that were computed once on real sections and travel with the book, with what made them."""

import json
from collections.abc import Mapping

import pandas as pd

from compendium import disk
from compendium.errors import BadInput
from compendium.evidence.scores import by_panel, summary

# One row a method, split, section and gene. panels: see compendium.evidence.scores. result: whether the row may be called one.
COLUMNS = ("method", "title", "split", "section", "patient", "gene", "panels", "spots", "pcc", "result")


def keep(name: str, table: pd.DataFrame, facts: Mapping[str, object]) -> None:
    """Write the scores, and the facts of their making, to data/reference of the checkout; whole or not at all.

    The facts are written last: scores without them are not read.
    """
    folder = disk.CHECKOUT / "data" / "reference"
    if not (disk.CHECKOUT / "data" / "sources.yaml").exists():
        raise BadInput(f"reference scores belong into a checkout, and {disk.CHECKOUT} is none; run from a clone of the repository")
    rows = table[list(COLUMNS)].astype({"pcc": "float32"})
    with disk.whole_file(folder / f"{name}.parquet") as aside:
        rows.to_parquet(aside, index=False, compression="zstd")
    stated = dict(facts) | {"rows": len(rows), "scores_sha256": disk.sha256(folder / f"{name}.parquet")}
    with disk.whole_file(folder / f"{name}.json") as aside:
        aside.write_text(json.dumps(stated, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read(name: str) -> tuple[pd.DataFrame, dict]:
    """Scores of a reference run and the facts of their making; BadInput where there are none, or not those that the facts are of."""
    facts = json.loads(disk.resource(f"reference/{name}.json").read_text(encoding="utf-8"))
    path = disk.resource(f"reference/{name}.parquet")
    if disk.sha256(path) != facts["scores_sha256"]:
        raise BadInput(f"{path} is not what {name}.json describes; take both from the same commit")
    return pd.read_parquet(path), facts


def side_by_side(kept: pd.DataFrame) -> pd.DataFrame:
    """One row a part of the panel, split and method: median PCC over the sections that have every split, so that splits can be compared; `sections` names these."""
    splits = kept.groupby("section")["split"].nunique()
    sections = sorted(splits.index[splits == kept["split"].nunique()])
    rows = summary(by_panel(kept[kept["section"].isin(sections)]), ["panel", "split", "method"])
    return rows[["panel", "split", "method", "median"]].assign(sections=[sections] * len(rows))


def told(rows: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """In one sentence a part of the panel: the highest median under each split, and ridge's; rows of `side_by_side`."""
    sentences = []
    for panel, part in rows.dropna(subset="median").groupby("panel", sort=False):
        best = part.loc[part.groupby("split", sort=False)["median"].idxmax()]
        ridge = part[part["method"] == "ridge"].set_index("split")["median"]
        words = [f"{titles[row.method]} with {row.median:.3f} under {row.split}" + (f" (ridge {ridge[row.split]:.3f})" if row.split in ridge else "") for row in best.itertuples()]
        sentences.append(f"{panel}: {' and '.join(words)}")
    return f"Highest medians. {'; '.join(sentences)}."
