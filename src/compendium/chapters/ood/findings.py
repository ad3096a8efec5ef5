"""Claims of the benchmark about another laboratory.

Only methods count that meet the minimum training criterion; controls do not.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from compendium.data.partition import INSIDE, OUTSIDE
from compendium.evaluation.findings import Finding
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import MIN_PATIENTS, Outcome, Verdict, judge

Decision = tuple[Verdict, dict[str, object], list[str]]  # what the numbers say, numbers, limits


def _decide(results: Results, rule: Callable[[pd.DataFrame], Decision], name: str) -> Outcome:
    """Apply a rule to the methods that count; its first number is the statistic."""
    rows, parts = results["rows"], results["parts"]
    judged = rows[rows["result"] & ~rows["control"]].dropna(subset=[INSIDE, OUTSIDE])
    verdict, numbers, limits = rule(judged.set_index("method"))
    return judge(
        verdict,
        parts[parts["role"] == OUTSIDE],
        _limits(parts, len(judged)) + limits,
        statistic=float(next(iter(numbers.values()))),
        name=name,
        numbers=numbers,
    )


def _limits(parts: pd.DataFrame, methods: int) -> list[str]:
    """List what keeps the sections from deciding anything, besides too few test sections."""
    limits = []
    tested = parts["role"] == OUTSIDE
    if set(parts.loc[tested, "lab"]) & set(parts.loc[~tested, "lab"]):
        limits.append("test is not of another laboratory")
    if parts.loc[parts["role"] == INSIDE, "patient"].nunique() < MIN_PATIENTS:
        limits.append(f"validation of fewer than {MIN_PATIENTS} patients")
    if methods < 2:
        limits.append("fewer than 2 methods meet the minimum training criterion")
    return limits


def alike(results: Results) -> Outcome:
    """Hold if the two groups of sections overlap in more than half of the methods."""

    def rule(judged: pd.DataFrame) -> Decision:
        fell, rose = int(judged["fell"].sum()), int(judged["rose"].sum())
        verdict = Verdict.HOLDS if 2 * (fell + rose) < len(judged) else Verdict.FAILS
        return verdict, {"fell": fell, "rose": rose, "methods": len(judged)}, []

    return _decide(results, rule, "methods with every test section below validation")


def most(results: Results) -> Outcome:
    """Hold if Hist2ST loses more than every other method, and more than nothing."""

    def rule(judged: pd.DataFrame) -> Decision:
        own = judged["drop"].get("hist2st", np.nan)
        others = judged["drop"].drop("hist2st", errors="ignore")
        largest = others.max() if len(others) else np.nan
        title = judged["title"][others.idxmax()] if len(others) else "none"
        numbers = {"own": own, "largest": largest, "other": title}
        if np.isnan(own):
            return Verdict.UNDECIDED, numbers, ["Hist2ST below the criterion or not fitted"]
        if not len(others):
            return Verdict.UNDECIDED, numbers, ["no other method"]
        return Verdict.HOLDS if own > max(largest, 0) else Verdict.FAILS, numbers, []

    return _decide(results, rule, "drop of Hist2ST")


def highest(results: Results) -> Outcome:
    """Hold if STimage has the highest mean of section medians in test."""

    def rule(judged: pd.DataFrame) -> Decision:
        outside = judged[OUTSIDE]
        best = outside.idxmax() if len(outside) else ""
        numbers = {
            "own": outside.get("stimage", np.nan),
            "largest": outside.max(),
            "best": judged["title"].get(best, "none"),
        }
        if "stimage" not in outside:
            return Verdict.UNDECIDED, numbers, ["STimage below the criterion or not fitted"]
        return Verdict.HOLDS if best == "stimage" else Verdict.FAILS, numbers, []

    return _decide(results, rule, "median PCC of STimage in test")


FINDINGS = (
    Finding(
        id="alike",
        text="Most methods score alike in and out of distribution "
        "({fell} of {methods} fall in every test section, {rose} rise).",
        negation="Most methods do not score alike in and out of distribution: {fell} of {methods} "
        "fall in every test section, {rose} rise.",
        decide=alike,
        claim="Results, Fig. 2d",
        expected=Verdict.UNDECIDED,
    ),
    Finding(
        id="most",
        text="Hist2ST loses most out of distribution "
        "({own:.3f} of the median PCC; {other} loses {largest:.3f}).",
        negation="Hist2ST does not lose most out of distribution: it loses {own:.3f} of the median "
        "PCC, {other} loses {largest:.3f}.",
        decide=most,
        claim="Results, Fig. 2d",
        expected=Verdict.UNDECIDED,
    ),
    Finding(
        id="highest",
        text="STimage has the highest median PCC out of distribution "
        "({own:.3f}; the highest is {best} with {largest:.3f}).",
        negation="STimage does not have the highest median PCC out of distribution: it has "
        "{own:.3f}, {best} has {largest:.3f}.",
        decide=highest,
        claim="Results, Fig. 2d",
        expected=Verdict.UNDECIDED,
    ),
)
