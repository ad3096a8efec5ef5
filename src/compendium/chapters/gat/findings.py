"""Claims about graph attention: accuracy under each split, attention itself, and cost."""

from functools import partial
from pathlib import Path

import numpy as np

from compendium.chapters.gat.design import COMPARISONS, TITLES
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import BETTER, WORSE, Comparison, below, differences, verdict
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.evaluation.verdict import Outcome, Verdict, judge

SPLITS = ("section-out", "patient-out", "ood")
MARGIN = 0.1
"""Smallest relative difference of a step's time that counts; other work can move it by less."""


def no_gain(results: Results, pair: Comparison, split: str) -> Outcome:
    """Hold if the first row of a pair is worse in every section, fail if it is better in every."""
    scores = results["scores"]
    apart = differences(scores[scores["split"] == split], [pair])
    above = int((apart["difference"] > 0).sum())
    limits = [
        f"{TITLES[key]} is below the minimum training criterion"
        for key in (pair.first, pair.second)
        if key in below(results)
    ]
    limits += training_limits(results, (pair.first, pair.second), TITLES)
    decided = {BETTER: Verdict.FAILS, WORSE: Verdict.HOLDS}.get(verdict(apart), Verdict.UNDECIDED)
    if decided is Verdict.UNDECIDED and 0 < above < len(apart):
        limits.append("sections disagree")
    mean = float(apart["difference"].mean()) if len(apart) else np.nan
    numbers = {"mean": mean, "above": above, "sections": len(apart)}
    if not len(apart):
        return Outcome(Verdict.NOT_RUN, limits=("split not run",), numbers=numbers)
    name = "mean difference of PCC"
    return judge(decided, apart, limits, statistic=mean, name=name, numbers=numbers)


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


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {
        f"{name}-{split}": partial(no_gain, pair=pair, split=split)
        for split in SPLITS
        for name, pair in zip(("accuracy", "attention"), COMPARISONS[:2], strict=True)
    }
    | {"cost": cost},
)
