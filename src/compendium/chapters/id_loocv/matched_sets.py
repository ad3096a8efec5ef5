"""Gap between section-out and patient-out, and what is left at equal spots and depth."""

from collections.abc import Sequence

import pandas as pd

from compendium.chapters.id_loocv.design import SPLITS
from compendium.data.splits import MATCHED
from compendium.evaluation.scores import summary

COMPARED = (*SPLITS, *MATCHED)


def matched_gaps(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the gap between the splits with the gap at equal training spots and depth.

    Only genes that were scored under all four splits count.

    Returns
    -------
    One row a method and section: method, section; the median PCC under section-out, patient-out,
    matched-within and matched-between; gap = section-out − patient-out;
    matched_gap = matched-within − matched-between; removed = 1 − matched_gap / gap, NaN where gap
    is not above 0 (above 1 where the gap is reversed).
    """
    table = in_every(scores, COMPARED)
    medians = summary(table, ("method", "section", "split"))
    medians = medians.pivot(index=["method", "section"], columns="split", values="median")
    medians = medians.reindex(columns=list(COMPARED)).dropna()
    medians = medians.reset_index().rename_axis(columns=None)
    medians["gap"] = medians["section-out"] - medians["patient-out"]
    medians["matched_gap"] = medians["matched-within"] - medians["matched-between"]
    return medians.assign(removed=_removed(medians))


def in_every(scores: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    """Keep the methods, sections and genes that were scored under every one of some splits.

    A panel that is chosen on training sections has other genes in every fold.
    """
    table = scores[scores["split"].isin(splits)]
    counts = table.groupby(["method", "section", "gene"], sort=False)["split"].transform("nunique")
    return table[counts == len(set(splits))]


def both_splits(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the median PCC of each method on the sections and genes that both splits scored.

    Returns
    -------
    By method: section-out, patient-out, change = patient-out − section-out.
    """
    medians = summary(in_every(scores, SPLITS), ["method", "split"])
    wide = medians.pivot(index="method", columns="split", values="median").reindex(columns=SPLITS)
    return wide.assign(change=wide["patient-out"] - wide["section-out"])


def mean_gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Average `matched_gaps` over sections: method, gap, matched_gap, removed (of the means)."""
    means = rows.groupby("method", sort=False)[["gap", "matched_gap"]].mean().reset_index()
    return means.assign(removed=_removed(means))


def _removed(rows: pd.DataFrame) -> pd.Series:
    return 1 - rows["matched_gap"] / rows["gap"].where(rows["gap"] > 0)
