"""Findings of the data review."""

from pathlib import Path

import numpy as np

from compendium.chapters.data_review.results import grouping, typical_folds
from compendium.chapters.data_review.sections import channel_overlap
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict

LEAST_SHARE = 0.6
"""Share of comparisons from which on colour is said to tell where a section comes from; 0.5 is
chance."""


def table_1(results: Results) -> Outcome:
    """Decide whether the printed row of Table 1 is that of the files."""
    rows = results["table_1"].set_index("row")
    if "difference" not in rows.index:
        return Outcome(Verdict.UNDECIDED, limits=("the benchmark does not have this cohort",))
    wrong = int((rows.loc["difference"] != 0).sum())
    numbers = {"wrong": wrong, "compared": rows.shape[1]}
    partial = () if "recomputed" in rows.index else ("not all sections are prepared",)
    verdict = Verdict.UNDECIDED if partial else Verdict.FAILS if wrong else Verdict.HOLDS
    return Outcome(verdict, float(wrong), "numbers that differ", limits=partial, numbers=numbers)


def depth_within(results: Results) -> Outcome:
    """Decide whether sections of one patient are more alike in depth than others."""
    table = results["numbers"]
    within, between = typical_folds(table)
    verdict = Verdict.HOLDS if round(between, 1) > round(within, 1) else Verdict.FAILS
    return _of_pairs(between / within, "ratio of typical folds, between / within", verdict, table)


def colour_within(results: Results) -> Outcome:
    """Decide whether sections of one origin are more alike in colour than others.

    The statistic is the share of all comparisons of a pair of one origin with a pair of different
    ones in which the first is more alike; ties count half.
    """
    shares = results["colours"]
    overlaps = channel_overlap(shares)
    alike = overlaps[f"same_{grouping(shares)}"].astype(bool)
    same, other = (overlaps.loc[rows, "overlap"].to_numpy() for rows in (alike, ~alike))
    signs = np.sign(same[:, None] - other)
    won = float((signs.mean() + 1) / 2) if signs.size else np.nan
    verdict = Verdict.HOLDS if won >= LEAST_SHARE else Verdict.FAILS
    return _of_pairs(won, "share of comparisons", verdict, shares)


def _of_pairs(statistic, name: str, verdict: Verdict, table) -> Outcome:
    limits = () if np.isfinite(statistic) else ("no two sections of one origin and of different",)
    return Outcome(
        Verdict.UNDECIDED if limits else verdict,
        statistic,
        name,
        sections=table["section"].nunique(),
        patients=table["patient"].nunique(),
        limits=limits,
    )


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {
        "table-1": table_1,
        "depth-within-patient": depth_within,
        "colour-within-origin": colour_within,
    },
)
