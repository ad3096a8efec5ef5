"""Claims of the benchmark about learning classes beside expression."""

from pathlib import Path

import numpy as np

from compendium.chapters.regclass.results import at_gamma, gamma_changes
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.evaluation.verdict import Outcome, Verdict, judge
from compendium.methods import describe

BAR = 0.8
"""F1 and AUC that the benchmark finds exceeded in most sections."""
PRELIMINARY = "below the minimum training criterion"


def expression(results: Results) -> Outcome:
    """Hold if no gamma gains more than random draws move, fail if one gains in every test.

    Hist2ST and gamma = 0 differ in random draws alone; their mean absolute difference of median
    PCC is what the gain of a gamma over gamma = 0 is compared with.
    """
    own = results["sweep"][~results["sweep"]["permuted"]]
    changes = gamma_changes(own).set_index("model")
    rows = ["Hist2ST", *(f"γ = {gamma:g}" for gamma in own["gamma"].dropna().unique())]
    limits = _limits(results.facts["preliminary"]) + training_limits(results, rows)
    if not _above_control(results):
        limits.append("Regclass is not above its permuted-image control")
    chance = float(changes["absolute"].get("Hist2ST", np.nan))
    gains = changes.drop("Hist2ST", errors="ignore")
    larger = gains[gains["change"] > chance]
    verdict = Verdict.HOLDS
    if len(larger):
        everywhere = (larger["higher"] == larger["tests"]).any()
        verdict = Verdict.FAILS if everywhere else Verdict.UNDECIDED
        limits += [] if everywhere else ["tests disagree"]
    if np.isnan(chance):
        limits.append("Hist2ST or γ = 0 was not fitted")
    best, name = float(gains["change"].max()), "largest mean change of median PCC against γ = 0"
    numbers = {"best": best, "chance": chance}
    return judge(verdict, own, limits, statistic=best, name=name, numbers=numbers)


def classes(results: Results) -> Outcome:
    """Hold if F1 and AUC of cancer exceed BAR in most tests of sections with own labels."""
    rows = at_gamma(results)
    passed = (rows["cancer_f1"] > BAR) & (rows["cancer_auc"] > BAR)
    own = rows["labels_from"] == ""
    limits = _limits([t for t in results.facts["preliminary"] if _is_regclass(t)])
    limits += training_limits(results, [f"γ = {results.facts['gamma']:g}"])
    if not own.any():
        limits.append("all labels are transferred")
    always, tests = int((rows["always_f1"] > BAR).sum()), int(passed.sum())
    return judge(
        Verdict.HOLDS if passed[own].mean() > 0.5 else Verdict.FAILS,
        rows[own] if own.any() else rows,
        limits,
        statistic=float(tests),
        name=f"tests in which F1 and AUC of cancer exceed {BAR}",
        numbers={"tests": len(rows), "passed": tests, "always": always},
    )


def _is_regclass(title: str) -> bool:
    return title.startswith(describe("regclass").title)


def _above_control(results: Results) -> bool:
    """Return whether Regclass beats its permuted-image control, or is preliminary anyway."""
    if any(_is_regclass(title) for title in results.facts["preliminary"]):
        return True
    own, control = (at_gamma(results, permuted)["pcc"].median() for permuted in (False, True))
    return bool(own > control)


def _limits(preliminary: list[str]) -> list[str]:
    return [f"{title} is {PRELIMINARY}" for title in preliminary]


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"), {"expression": expression, "classes": classes}
)
