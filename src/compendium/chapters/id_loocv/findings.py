"""Claims of the benchmark about six methods with one section left out."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from compendium.evaluation.evidence import Evidence, limits_of_rows
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel

AHEAD = ("stimage", "bleep", "hist2st")
BEHIND = ("histogene", "stnet", "deepspace")
LOW, LIMIT = ("stnet", "deepspace"), 0.1
FAMILIES = {"Fig. 1b": ("ranking", "low")}


def _means(results: Results) -> pd.DataFrame:
    """Return the mean PCC over genes, sections by methods, on the part of the panel with most."""
    rows = by_panel(results["scores"][results["scores"]["split"] == "section-out"])
    largest = rows.groupby("panel")["gene"].nunique().idxmax()
    rows = rows[rows["panel"] == largest]
    means = rows.groupby(["patient", "section", "method"])["pcc"].mean().unstack()
    return means.reindex(columns=[*AHEAD, *BEHIND])


def _evidence(results: Results, methods: Sequence[str], apart: pd.Series, name: str) -> Evidence:
    limits = limits_of_rows(results, methods, results.facts["titles"])
    return Evidence(apart.rename("difference").reset_index(), name, limits=limits)


def ranking(results: Results) -> Evidence:
    """Subtract the mean of the three methods behind from that of the three ahead."""
    means = _means(results)
    ahead, behind = (means[list(each)].mean(axis=1, skipna=False) for each in (AHEAD, BEHIND))
    return _evidence(results, AHEAD + BEHIND, ahead - behind, "difference of PCC")


def low(results: Results) -> Evidence:
    """Subtract the mean of two methods from LIMIT."""
    apart = LIMIT - _means(results)[list(LOW)].mean(axis=1, skipna=False)
    return _evidence(results, LOW, apart, f"{LIMIT} − mean PCC")


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"), {"ranking": ranking, "low": low}, FAMILIES
)
