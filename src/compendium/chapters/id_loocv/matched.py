"""The leakage dial: how much of the gap between section-out and patient-out is the patient, how much is size and depth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.data.splits import ARMS
from compendium.evaluation.scores import summary


def dial(table: pd.DataFrame) -> pd.DataFrame:
    """One row a method and section that has all four arms: medians over the genes common to them, the two gaps, what matching takes away.

    gap = section-out - patient-out; matched_gap = siblings - strangers (equal spots and depth);
    removed = 1 - matched_gap / gap, NaN where gap is not above 0. A value above 1 means that the gap reversed.
    """
    table = in_every(table[table["split"].isin(ARMS)], ARMS)
    medians = summary(table, ("method", "section", "split")).pivot(
        index=["method", "section"], columns="split", values="median"
    )
    medians = medians.reindex(columns=list(ARMS)).dropna().reset_index()
    medians.columns.name = None
    medians["gap"] = medians["section-out"] - medians["patient-out"]
    medians["matched_gap"] = medians["siblings"] - medians["strangers"]
    medians["removed"] = np.where(
        medians["gap"] > 0,
        1 - medians["matched_gap"] / medians["gap"].where(medians["gap"] > 0),
        np.nan,
    )
    return medians


def in_every(table: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    """The rows whose method, section and gene were scored under every one of the splits, so that they can be set side by side.

    With a panel chosen on training sections the splits have different genes; only common ones are compared.
    """
    table = table[table["split"].isin(splits)]
    found = table.groupby(["method", "section", "gene"], sort=False)["split"].transform("nunique")
    return table[found == len(set(splits))]


def removed_overall(rows: pd.DataFrame) -> pd.DataFrame:
    """For each method the mean gap, the mean matched gap over sections, and the share of the mean gap that matching removes."""
    means = rows.groupby("method", sort=False)[["gap", "matched_gap"]].mean().reset_index()
    means["removed"] = np.where(
        means["gap"] > 0, 1 - means["matched_gap"] / means["gap"].where(means["gap"] > 0), np.nan
    )
    return means
