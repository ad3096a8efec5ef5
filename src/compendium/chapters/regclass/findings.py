"""Claims of the benchmark about learning classes beside expression."""

import numpy as np

from compendium.chapters.regclass.results import at_gamma, gamma_changes
from compendium.evaluation.findings import Finding
from compendium.evaluation.results import Results
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
    limits = _limits(results.facts["preliminary"])
    if not _above_control(results):
        limits.append("Regclass is not above its permuted-image control")
    chance, gains = (
        changes["absolute"].get("Hist2ST", np.nan),
        changes.drop("Hist2ST", errors="ignore"),
    )
    larger = gains[gains["change"] > chance]
    verdict = Verdict.HOLDS
    if len(larger):
        everywhere = (larger["higher"] == larger["tests"]).any()
        verdict = Verdict.FAILS if everywhere else Verdict.UNDECIDED
        limits += [] if everywhere else ["tests disagree"]
    if np.isnan(chance):
        limits.append("Hist2ST or γ = 0 was not fitted")
    best = float(gains["change"].max())
    return judge(
        verdict,
        own,
        limits,
        statistic=best,
        name="largest mean change of median PCC against γ = 0",
        numbers={"best": best, "chance": float(chance)},
    )


def classes(results: Results) -> Outcome:
    """Hold if F1 and AUC of cancer exceed BAR in most tests of sections with own labels."""
    rows = at_gamma(results)
    passed = (rows["cancer_f1"] > BAR) & (rows["cancer_auc"] > BAR)
    own = rows["labels_from"] == ""
    limits = _limits([t for t in results.facts["preliminary"] if _is_regclass(t)])
    if not own.any():
        limits.append("all labels are transferred")
    numbers = {
        "tests": len(rows),
        "passed": int(passed.sum()),
        "always": int((rows["always_f1"] > BAR).sum()),
    }
    return judge(
        Verdict.HOLDS if passed[own].mean() > 0.5 else Verdict.FAILS,
        rows[own] if own.any() else rows,
        limits,
        statistic=float(passed.sum()),
        name=f"tests in which F1 and AUC of cancer exceed {BAR}",
        numbers=numbers,
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


FINDINGS = (
    Finding(
        id="expression",
        text="Learning the classes does not improve the prediction of expression (largest mean "
        "change of median PCC {best:+.3f}; random draws alone move {chance:.3f}).",
        negation="Learning the classes improves the prediction of expression by {best:+.3f} of "
        "median PCC; random draws alone move {chance:.3f}.",
        decide=expression,
        claim="Results, Fig. S3b",
        expected=Verdict.HOLDS,
    ),
    Finding(
        id="classes",
        text="Cancer is recognised with F1 and AUC above 0.8 in most sections ({passed} of {tests} "
        "tests; always answering cancer has an F1 above 0.8 in {always}).",
        negation="Cancer is not recognised with F1 and AUC above 0.8 in most sections: it is in "
        "{passed} of {tests} tests, and always answering cancer has an F1 above 0.8 in {always}.",
        decide=classes,
        claim="Results, Fig. S4",
        expected=Verdict.UNDECIDED,
    ),
)
