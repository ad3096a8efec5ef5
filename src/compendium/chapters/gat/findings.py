"""Claims about graph attention: accuracy under each split, attention itself, and cost."""

from collections.abc import Iterator

import numpy as np

from compendium.chapters.gat.design import COMPARISONS, TITLES
from compendium.chapters.gat.layer_time import exponents
from compendium.evaluation.findings import Finding
from compendium.evaluation.paired import BETTER, WORSE, Comparison, below, differences, verdict
from compendium.evaluation.results import Results
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
    return outcome if len(apart) else not_run(outcome)


def not_run(outcome: Outcome) -> Outcome:
    """Return the outcome of a statement about a split that was not run."""
    return Outcome(Verdict.NOT_RUN, limits=("split not run",), numbers=outcome.numbers)


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


def _by_split() -> Iterator[Finding]:
    for split in SPLITS:
        expected = Verdict.NOT_RUN if split == "ood" else Verdict.UNDECIDED
        yield Finding(
            id=f"accuracy-{split}",
            text=f"Graph attention is no more accurate than Hist2ST under {split} "
            "({mean:+.3f}; it is above in {above} of {sections} sections).",
            negation=f"Graph attention is more accurate than Hist2ST under {split} "
            "({mean:+.3f}; it is above in {above} of {sections} sections).",
            decide=lambda results, split=split: no_gain(results, COMPARISONS[0], split),
            claim="Results, graph attention",
            expected=expected,
        )
        yield Finding(
            id=f"attention-{split}",
            text=f"Attention adds nothing to the mean over the same neighbours under {split} "
            "({mean:+.3f}; it is above in {above} of {sections} sections).",
            negation=f"Attention adds to the mean over the same neighbours under {split} "
            "({mean:+.3f}; it is above in {above} of {sections} sections).",
            decide=lambda results, split=split: no_gain(results, COMPARISONS[1], split),
            expected=expected,
        )


FINDINGS = (
    *_by_split(),
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
