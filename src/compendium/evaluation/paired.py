"""Paired differences of rows that differ in one thing, and what sections decide about them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compendium.evaluation.results import Results
from compendium.evaluation.settled import no_verdict
from compendium.evaluation.verdict import limits_of

BETTER, WORSE, UNDECIDED, PRELIMINARY = "better", "worse", "undecided", "preliminary"


@dataclass(frozen=True)
class Comparison:
    """Two rows of a chapter, the first minus the second.

    Parameters
    ----------
    title
        Title of the comparison.
    first, second
        Keys of the rows.
    claim
        Whether it bears on the claim that the chapter judges.
    """

    title: str
    first: str
    second: str
    claim: bool = True


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


def verdict(apart: pd.DataFrame) -> str:
    """Return BETTER or WORSE if all sections agree and are enough, else UNDECIDED.

    Parameters
    ----------
    apart
        Columns section, patient, difference, see `differences`.
    """
    signs = set(np.sign(apart["difference"]))
    if limits_of(apart) or len(signs) > 1 or 0 in signs:
        return UNDECIDED
    return BETTER if signs == {1.0} else WORSE


def verdicts(
    apart: pd.DataFrame,
    compared: Sequence[Comparison],
    preliminary: Collection[str],
    no_verdict: Collection[str] = (),
) -> pd.DataFrame:
    """Return one row a comparison with its verdict.

    Parameters
    ----------
    apart
        Table of `differences`.
    compared
        Pairs of rows.
    preliminary
        Keys of the rows below the minimum training criterion, see `below`.
    no_verdict
        Keys of the rows that are not settled or have one seed, see `without_verdict`.

    Returns
    -------
    Columns: comparison, sections, patients, mean difference, first is above in (sections), verdict
    (PRELIMINARY where a row is below the criterion), claim.
    """
    lines = []
    for comparison in compared:
        values = apart[apart["comparison"] == comparison.title]
        pair, apart_by = {comparison.first, comparison.second}, values["difference"]
        outcome = UNDECIDED if pair & set(no_verdict) else verdict(values)
        outcome = PRELIMINARY if pair & set(preliminary) else outcome
        line = {"comparison": comparison.title, "sections": len(values)}
        line |= {"patients": values["patient"].nunique(), "mean difference": apart_by.mean()}
        line |= {"first is above in": int((apart_by > 0).sum())}
        lines.append(line | {"verdict": outcome, "claim": comparison.claim})
    return pd.DataFrame(lines)


def below(results: Results) -> set[str]:
    """Return the keys of the rows below the minimum training criterion."""
    table = results["criterion"]
    return set(table.loc[~table["result"], "row"])


def without_verdict(results: Results) -> set[str]:
    """Return the keys of the rows that are not settled or have one seed."""
    return set().union(*no_verdict(results).values())
