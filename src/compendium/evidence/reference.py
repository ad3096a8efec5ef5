"""Reference runs: scores that were computed once on real sections and travel with the book, with what made them."""

import json
from collections.abc import Mapping

import pandas as pd

from compendium import disk
from compendium.errors import BadInput

# One row a method, split, section and gene. panels: see compendium.evidence.scores. result: whether the row may be called one.
COLUMNS = ("method", "title", "split", "section", "patient", "gene", "panels", "spots", "pcc", "pcc_native", "result")


def keep(name: str, table: pd.DataFrame, facts: Mapping[str, object]) -> None:
    """Write the scores, and the facts of their making, to data/reference of the checkout; whole or not at all.

    The facts are written last: scores without them are not read.
    """
    folder = disk.CHECKOUT / "data" / "reference"
    if not (disk.CHECKOUT / "data" / "sources.yaml").exists():
        raise BadInput(f"reference scores belong into a checkout, and {disk.CHECKOUT} is none; run from a clone of the repository")
    rows = table[list(COLUMNS)].astype({"pcc": "float32", "pcc_native": "float32"})
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
