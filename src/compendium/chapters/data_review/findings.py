"""Findings of the data review."""

from pathlib import Path

import numpy as np
import pandas as pd

from compendium.chapters.data_review.results import grouping, typical_folds
from compendium.chapters.data_review.sections import channel_overlap
from compendium.evaluation.evidence import Evidence
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict

NO_PAIRS = "no two sections of one origin and of different"
FAMILIES = {"colour": ("colour-within-origin",)}


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
    """Decide whether the files of one patient are more alike in depth than others."""
    table = results["numbers"]
    within, between = typical_folds(table)
    ratio, verdict = between / within, Verdict.UNDECIDED
    if np.isfinite(ratio):
        verdict = Verdict.HOLDS if round(between, 1) > round(within, 1) else Verdict.FAILS
    return Outcome(
        verdict,
        ratio,
        "ratio of typical folds, between / within",
        sections=table["section"].nunique(),
        patients=table["patient"].nunique(),
        limits=() if np.isfinite(ratio) else (NO_PAIRS,),
    )


def colour_within(results: Results) -> Evidence:
    """Subtract the overlap with sections of another origin from that with those of the same."""
    shares = results["colours"]
    same = f"same_{grouping(shares)}"
    pairs = channel_overlap(shares)
    both = pd.concat([pairs.rename(columns={side: "section"}) for side in ("one", "other")])
    both["patient"] = both["section"].map(shares.groupby("section")["patient"].first())
    wide = both.groupby(["patient", "section", same])["overlap"].mean().unstack()
    wide = wide.reindex(columns=[True, False])
    apart = (wide[True] - wide[False]).dropna().rename("difference").reset_index()
    limits = () if len(apart) else (NO_PAIRS,)
    return Evidence(apart, "difference of overlap", limits=limits)


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {
        "table-1": table_1,
        "depth-within-patient": depth_within,
        "colour-within-origin": colour_within,
    },
    FAMILIES,
)
