"""Paired differences of rows that differ in one thing, by section and by patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from compendium.evaluation import patients
from compendium.evaluation.patients import sign_flip, t_interval
from compendium.evaluation.results import Results


@dataclass(frozen=True)
class Comparison:
    """Two rows of a chapter, the first minus the second.

    Parameters
    ----------
    title
        Title of the comparison.
    first, second
        Keys of the rows.
    """

    title: str
    first: str
    second: str


def differences(scores: pd.DataFrame, compared: Sequence[Comparison]) -> pd.DataFrame:
    """Return the mean difference of PCC over the genes that both rows scored, by section.

    Parameters
    ----------
    scores
        Scores with the columns row, patient, section, fold, gene, pcc.
    compared
        Pairs of rows.

    Returns
    -------
    One row a comparison and section: patient, section, difference (first minus second), genes,
    comparison. A section of several folds counts once, with their mean.
    """
    place = ["patient", "section", "fold"]
    tables = []
    for comparison in compared:
        first, second = (
            scores[scores["row"] == key].set_index([*place, "gene"])["pcc"]
            for key in (comparison.first, comparison.second)
        )
        apart = (first - second).dropna().groupby(place).agg(difference="mean", genes="size")
        by_section = apart.groupby(place[:2]).mean().reset_index()
        tables.append(by_section.assign(comparison=comparison.title))
    return pd.concat(tables, ignore_index=True)


def by_split(scores: pd.DataFrame, compared: Sequence[Comparison]) -> pd.DataFrame:
    """Return `differences` of each split by itself, with the column split."""
    groups = scores.groupby("split", sort=False)
    tables = [differences(part, compared).assign(split=split) for split, part in groups]
    return pd.concat(tables, ignore_index=True)


def describe(apart: pd.DataFrame, by: Sequence[str] = ("comparison",)) -> pd.DataFrame:
    """Describe differences by patient; nothing is decided.

    Parameters
    ----------
    apart
        Table of `differences`, or another with patient, section, difference.
    by
        Columns that make a group.

    Returns
    -------
    One row a group: the columns of `by`, sections, patients, difference (mean over patients), low,
    high (95 % t-interval), p (exact, two-sided, of this comparison alone).
    """
    lines = []
    for key, part in apart.groupby(list(by), sort=False):
        values = patients.by_patient(part)
        numbers = (part["section"].nunique(), len(values), values.mean())
        lines.append((*key, *numbers, *t_interval(values), sign_flip(values)))
    columns = [*by, "sections", "patients", "difference", "low", "high", "p"]
    return pd.DataFrame(lines, columns=columns)


def below(results: Results) -> set[str]:
    """Return the keys of the rows below the minimum training criterion."""
    table = results["criterion"]
    return set(table.loc[~table["result"], "row"])
