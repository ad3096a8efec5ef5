"""Findings on what methods lose on sections of another laboratory.

Methods that do not meet the minimum training criterion do not count; controls do not either. One
training set predicts every section, so the sections say what this fit does and decide nothing.
"""

from pathlib import Path

import pandas as pd

from compendium.data.partition import INSIDE, OUTSIDE
from compendium.evaluation.evidence import Evidence, limits_of_fits
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits

FAMILIES = {"Fig. 2d": ("alike", "most", "highest")}


def _judged(results: Results) -> list[str]:
    """Return the methods that count."""
    rows = results["rows"]
    rows = rows[rows["result"] & ~rows["control"]]
    return list(rows.dropna(subset=[INSIDE, OUTSIDE])["method"])


def _means(results: Results, role: str) -> pd.DataFrame:
    """Return the mean PCC over genes in the sections of a role, by method."""
    rows = results["medians"].query("role == @role")
    wide = rows.pivot(index=["patient", "section"], columns="method", values="mean")
    return wide.reindex(columns=_judged(results))


def _losses(results: Results) -> pd.DataFrame:
    """Subtract each test section from the mean over the patients of validation, by method."""
    level = _means(results, INSIDE).groupby("patient").mean().mean()
    return level - _means(results, OUTSIDE)


def _against_others(table: pd.DataFrame, method: str) -> pd.Series:
    """Subtract the mean of the other methods from one method; NaN where it does not count."""
    own = table.get(method, pd.Series(float("nan"), table.index))
    return own - table.drop(columns=method, errors="ignore").mean(axis=1)


def _evidence(results: Results, apart: pd.Series, name: str, **more) -> Evidence:
    parts, judged = results["parts"], _judged(results)
    tested, limits = parts["role"] == OUTSIDE, limits_of_fits(1)
    limits += training_limits(results, judged)
    if set(parts.loc[tested, "lab"]) & set(parts.loc[~tested, "lab"]):
        limits.append("test is not of another laboratory")
    if len(judged) < 2:
        limits.append("fewer than 2 methods meet the minimum training criterion")
    if apart.isna().all():
        limits.append("the method is below the criterion or not fitted")
    numbers = {"methods": len(judged)}
    apart = apart.rename("difference").reset_index()
    return Evidence(apart, name, limits=limits, numbers=numbers, **more)


def alike(results: Results) -> Evidence:
    """Average over methods what is lost."""
    lost = _losses(results).mean(axis=1)
    return _evidence(results, lost, "loss of PCC", equal=True)


def most(results: Results) -> Evidence:
    """Compare what Hist2ST loses with the mean of the other methods."""
    apart = _against_others(_losses(results), "hist2st")
    return _evidence(results, apart, "difference of losses of PCC")


def highest(results: Results) -> Evidence:
    """Compare STimage in test with the mean of the other methods."""
    apart = _against_others(_means(results, OUTSIDE), "stimage")
    return _evidence(results, apart, "difference of PCC in test")


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {"alike": alike, "most": most, "highest": highest},
    FAMILIES,
)
