"""Claims of the benchmark about six methods with one section left out."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, summary
from compendium.evaluation.settled import training_limits
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
    absent = [f"{name} was not fitted" for name in methods if name not in met]
    titles = [results.facts["titles"][name] for name in methods if not met.get(name, True)]
    below = [f"{title} is below the minimum training criterion" for title in titles]
    return absent + below + training_limits(results, methods)


def _decide(
    results: Results, methods: Sequence[str], right: pd.Series, wrong: pd.Series
) -> Outcome:
    """Decide a claim that must be true, or false, in every section [patient, section]."""
    agree = right.all() or wrong.all()
    limits = _limits(results, methods) + ([] if agree else ["sections disagree"])
    return judge(
        Verdict.HOLDS if right.all() else Verdict.FAILS,
        right.index.to_frame(index=False),
        limits,
        statistic=float(right.sum()),
        name="sections in which it is true",
        numbers={"sections": len(right), "right": int(right.sum()), "wrong": int(wrong.sum())},
    )


def ranking(results: Results) -> Outcome:
    """Hold if the least of three methods exceeds the best of the other three in all sections."""
    medians = _medians(results)
    least = medians.reindex(columns=AHEAD).min(axis=1, skipna=False)
    ahead = least > medians.reindex(columns=BEHIND).max(axis=1, skipna=False)
    return _decide(results, AHEAD + BEHIND, ahead, ~ahead)


def low(results: Results) -> Outcome:
    """Hold if both methods stay at or below LIMIT in all sections, fail if both exceed it."""
    medians = _medians(results).reindex(columns=LOW)
    return _decide(results, LOW, (medians <= LIMIT).all(axis=1), (medians > LIMIT).all(axis=1))


FINDINGS = read_findings(Path(__file__).with_suffix(".yaml"), {"ranking": ranking, "low": low})
