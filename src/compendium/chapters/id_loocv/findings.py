"""Claims of the benchmark about six methods with one section left out."""

from collections.abc import Callable, Sequence

import pandas as pd

from compendium.evaluation.findings import Finding
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, summary
from compendium.evaluation.verdict import Outcome, Verdict, judge

AHEAD = ("stimage", "bleep", "hist2st")
BEHIND = ("histogene", "stnet", "deepspace")
LOW, LIMIT = ("stnet", "deepspace"), 0.1


def _medians(results: Results) -> pd.DataFrame:
    """Return the median PCC, sections by methods, on the part of the panel with the most genes."""
    rows = by_panel(results["scores"][results["scores"]["split"] == "section-out"])
    largest = rows.groupby("panel")["gene"].nunique().idxmax()
    table = summary(rows[rows["panel"] == largest], ["method", "section", "patient"])
    return table.pivot(index=["patient", "section"], columns="method", values="median")


def _limits(results: Results, methods: Sequence[str]) -> list[str]:
    met = results["criterion"].set_index("row")["result"]
    absent = [f"{name} was not fitted" for name in methods if name not in met.index]
    preliminary = [
        f"{results.facts['titles'][name]} is below the minimum training criterion"
        for name in methods
        if name in met.index and not met[name]
    ]
    return absent + preliminary


def _decide(
    results: Results,
    methods: Sequence[str],
    supports: Callable[[pd.DataFrame], pd.Series],
    contradicts: Callable[[pd.DataFrame], pd.Series],
) -> Outcome:
    """Decide a claim that must be true, or false, in every section."""
    medians = _medians(results)
    right, wrong = supports(medians), contradicts(medians)
    agree = right.all() or wrong.all()
    verdict = Verdict.HOLDS if right.all() else Verdict.FAILS if agree else Verdict.UNDECIDED
    limits = _limits(results, methods) + ([] if agree else ["sections disagree"])
    counts = {"sections": len(medians), "right": int(right.sum()), "wrong": int(wrong.sum())}
    return judge(
        verdict,
        medians.index.to_frame(index=False),
        limits,
        statistic=float(right.sum()),
        name="sections in which it is true",
        numbers=counts,
    )


def ranking(results: Results) -> Outcome:
    """Hold if the least of three methods exceeds the best of the other three in all sections."""

    def ahead(medians: pd.DataFrame) -> pd.Series:
        least = medians.reindex(columns=AHEAD).min(axis=1, skipna=False)
        return least > medians.reindex(columns=BEHIND).max(axis=1, skipna=False)

    return _decide(results, AHEAD + BEHIND, ahead, lambda medians: ~ahead(medians))


def low(results: Results) -> Outcome:
    """Hold if both methods stay at or below LIMIT in all sections, fail if both exceed it."""
    return _decide(
        results,
        LOW,
        lambda medians: (medians.reindex(columns=LOW) <= LIMIT).all(axis=1),
        lambda medians: (medians.reindex(columns=LOW) > LIMIT).all(axis=1),
    )


FINDINGS = (
    Finding(
        id="ranking",
        text="STimage, BLEEP and Hist2ST do better than HisToGene, ST-Net and DeepSpaCE "
        "({right} of {sections} sections).",
        negation="STimage, BLEEP and Hist2ST do not all do better than HisToGene, ST-Net and "
        "DeepSpaCE: they do in {right} of {sections} sections.",
        decide=ranking,
        claim="Results, Fig. 1b",
        expected=Verdict.FAILS,
    ),
    Finding(
        id="low",
        text="ST-Net and DeepSpaCE reach no median PCC above 0.1 "
        "(both exceed it in {wrong} of {sections} sections).",
        negation="ST-Net and DeepSpaCE both exceed a median PCC of 0.1 in all {sections} sections.",
        decide=low,
        claim="Results, Fig. 1b",
        expected=Verdict.UNDECIDED,
    ),
)
