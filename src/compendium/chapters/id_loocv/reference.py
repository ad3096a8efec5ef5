"""What the scores of a reference run say, split beside split."""

from collections.abc import Mapping

import pandas as pd

from compendium.evaluation.panel_names import explained
from compendium.evaluation.scores import by_panel, summary


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
        words = [
            f"{titles[row.method]} with {row.median:.3f} under {row.split}"
            + (f" (ridge {ridge[row.split]:.3f})" if row.split in ridge else "")
            for row in best.itertuples()
        ]
        sentences.append(f"on {explained(panel)} {' and '.join(words)}")
    return f"Highest medians: {'; '.join(sentences)}."
