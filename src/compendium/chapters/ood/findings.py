"""Claims of the benchmark about another laboratory.

Only methods count that meet the minimum training criterion; controls do not.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.partition import INSIDE, OUTSIDE
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.evaluation.verdict import MIN_PATIENTS, Outcome, Verdict, judge


def _judged(results: Results) -> pd.DataFrame:
    """Return the rows that count, by method."""
    rows = results["rows"]
    rows = rows[rows["result"] & ~rows["control"]]
    return rows.dropna(subset=[INSIDE, OUTSIDE]).set_index("method")


def _outcome(
    results: Results, verdict: Verdict, name: str, numbers: Mapping[str, object], missing: str = ""
) -> Outcome:
    """Return the outcome whose statistic is the first of the numbers; `missing` limits it."""
    parts, judged = results["parts"], _judged(results)
    limits = _limits(parts, len(judged)) + ([missing] if missing else [])
    limits += training_limits(results, judged.index, judged["title"].to_dict())
    tested, statistic = parts[parts["role"] == OUTSIDE], float(next(iter(numbers.values())))
    return judge(verdict, tested, limits, statistic=statistic, name=name, numbers=numbers)


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


def _largest(rows: pd.DataFrame, column: str) -> tuple[float, str]:
    """Return the largest value and the title of its method; NaN and "none" without a row."""
    if rows.empty:
        return np.nan, "none"
    return float(rows[column].max()), rows["title"][rows[column].idxmax()]


def alike(results: Results) -> Outcome:
    """Hold if the two groups of sections overlap in more than half of the methods."""
    judged = _judged(results)
    fell, rose = int(judged["fell"].sum()), int(judged["rose"].sum())
    verdict = Verdict.HOLDS if 2 * (fell + rose) < len(judged) else Verdict.FAILS
    numbers = {"fell": fell, "rose": rose, "methods": len(judged)}
    return _outcome(results, verdict, "methods with every test section below validation", numbers)


def most(results: Results) -> Outcome:
    """Hold if Hist2ST loses more than every other method, and more than nothing."""
    judged = _judged(results)
    own = judged["drop"].get("hist2st", np.nan)
    largest, other = _largest(judged.drop("hist2st", errors="ignore"), "drop")
    verdict = Verdict.HOLDS if own > max(largest, 0) else Verdict.FAILS
    missing = "Hist2ST below the criterion or not fitted" if np.isnan(own) else ""
    numbers = {"own": own, "largest": largest, "other": other}
    return _outcome(results, verdict, "drop of Hist2ST", numbers, missing)


def highest(results: Results) -> Outcome:
    """Hold if STimage has the highest mean of section medians in test."""
    judged = _judged(results)
    own = judged[OUTSIDE].get("stimage", np.nan)
    largest, best = _largest(judged, OUTSIDE)
    verdict = Verdict.HOLDS if own == largest else Verdict.FAILS
    missing = "STimage below the criterion or not fitted" if np.isnan(own) else ""
    numbers = {"own": own, "largest": largest, "best": best}
    return _outcome(results, verdict, "median PCC of STimage in test", numbers, missing)


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"), {"alike": alike, "most": most, "highest": highest}
)
