"""Claims about graph attention: accuracy under each split, attention itself, and cost."""

import numpy as np

from compendium.chapters.gat.design import COMPARISONS, TITLES
from compendium.chapters.gat.layer_time import exponents
from compendium.evaluation.findings import Finding
from compendium.evaluation.paired import BETTER, WORSE, Comparison, below, differences, verdict
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict, judge

SPLITS = ("section-out", "patient-out", "ood")
STATEMENTS = (
    (
        "accuracy",
        "Graph attention is no more accurate than Hist2ST",
        "Graph attention is more accurate than Hist2ST",
        "Results, graph attention",
    ),
    (
        "attention",
        "Attention adds nothing to the mean over the same neighbours",
        "Attention adds to the mean over the same neighbours",
        "",
    ),
)
"""Of each comparison: id, statement, its negation, where the benchmark makes the claim."""
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
    decided = {BETTER: Verdict.FAILS, WORSE: Verdict.HOLDS}.get(verdict(apart), Verdict.UNDECIDED)
    if decided is Verdict.UNDECIDED and 0 < above < len(apart):
        limits.append("sections disagree")
    mean = float(apart["difference"].mean()) if len(apart) else np.nan
    outcome = judge(
        decided,
        apart,
        limits,
        statistic=mean,
        name="mean difference of PCC",
        numbers={"mean": mean, "above": above, "sections": len(apart)},
    )
    if not len(apart):
        return Outcome(Verdict.NOT_RUN, limits=("split not run",), numbers=outcome.numbers)
    return outcome


def cost(results: Results) -> Outcome:
    """Hold if a step of graph attention takes less time than one of Hist2ST, by the margin.

    It is a statement about machines, so no number of patients is asked for.
    """
    relative = float(results["steps"].set_index("row")["relative"]["gat"])
    powers = exponents(results["layers"])
    faster, slower = relative < 1 - MARGIN, relative > 1 + MARGIN
    decided = Verdict.HOLDS if faster else Verdict.FAILS if slower else Verdict.UNDECIDED
    limits = () if faster or slower else (f"difference below {MARGIN:.0%}",)
    numbers = {
        "relative": relative,
        "attention": powers["graph attention"],
        "transformer": powers["transformer block"],
    }
    name = "time of a step, relative to Hist2ST"
    return Outcome(decided, relative, name, limits=limits, numbers=numbers)


def _by_split(split: str, number: int) -> Finding:
    """Return the finding about one of the first two comparisons under a split."""
    id, text, negation, claim = STATEMENTS[number]
    counted = f" under {split} ({{mean:+.3f}}; it is above in {{above}} of {{sections}} sections)."
    return Finding(
        id=f"{id}-{split}",
        text=text + counted,
        negation=negation + counted,
        decide=lambda results: no_gain(results, COMPARISONS[number], split),
        claim=claim,
        expected=Verdict.NOT_RUN if split == "ood" else Verdict.UNDECIDED,
    )


FINDINGS = (
    *(_by_split(split, number) for split in SPLITS for number in (0, 1)),
    Finding(
        id="cost",
        text="Graph attention takes less computing than a transformer (a step takes "
        "{relative:.2f} times as long as one of Hist2ST).",
        negation="Graph attention does not take less computing than a transformer: a step takes "
        "{relative:.2f} times as long as one of Hist2ST.",
        decide=cost,
        claim="Results, graph attention",
        expected=Verdict.UNDECIDED,
    ),
)
