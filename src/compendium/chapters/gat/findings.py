"""Claims about graph attention: accuracy under each split, attention itself, and cost."""

from functools import partial
from pathlib import Path

from compendium.chapters.gat.design import COMPARISONS, TITLES
from compendium.evaluation.evidence import Evidence, limits_of_fits, limits_of_rows
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import Comparison, differences
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict

SPLITS = ("section-out", "patient-out", "ood")
MARGIN = 0.1
"""Smallest relative difference of a step's time that counts; other work can move it by less."""
HIST2ST, MEAN = COMPARISONS[:2]
NAMES = ("accuracy", "attention")
FAMILIES = {name: tuple(f"{name}-{split}" for split in SPLITS) for name in NAMES}


def behind(results: Results, split: str) -> Evidence:
    """Subtract graph attention from Hist2ST."""
    swapped = Comparison(HIST2ST.title, HIST2ST.second, HIST2ST.first)
    return _evidence(results, swapped, split)


def adds(results: Results, split: str) -> Evidence:
    """Subtract the mean over the same neighbours from graph attention."""
    return _evidence(results, MEAN, split)


def _evidence(results: Results, pair: Comparison, split: str) -> Evidence:
    scores, rows = results["scores"], [pair.first, pair.second]
    scores = scores[scores["split"] == split]
    limits = limits_of_rows(results, rows, TITLES) + limits_of_fits(scores["fold"].nunique())
    apart = differences(scores, [pair])
    return Evidence(apart, limits=limits if len(apart) else ["split not run", *limits[:-1]])


def cost(results: Results) -> Outcome:
    """Hold if a step of graph attention takes less time than one of Hist2ST, by the margin.

    It is a statement about machines, so no number of patients is asked for.
    """
    relative = float(results["steps"].set_index("row")["relative"]["gat"])
    apart, decided = abs(relative - 1) > MARGIN, Verdict.UNDECIDED
    if apart:
        decided = Verdict.HOLDS if relative < 1 else Verdict.FAILS
    limits = () if apart else (f"difference below {MARGIN:.0%}",)
    name = "time of a step, relative to Hist2ST"
    return Outcome(decided, relative, name, limits=limits, numbers={"relative": relative})


RULES = dict(zip(NAMES, (behind, adds), strict=True))
FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {f"{name}-{split}": partial(RULES[name], split=split) for name in RULES for split in SPLITS}
    | {"cost": cost},
    FAMILIES,
)
