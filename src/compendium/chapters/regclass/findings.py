"""Claims of the benchmark about learning classes beside expression."""

from pathlib import Path

import pandas as pd

from compendium.chapters.regclass.results import at_gamma
from compendium.evaluation.evidence import Evidence, limits_of_fits
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.methods import describe

BAR = 0.8
"""F1 and AUC that the benchmark finds exceeded in most sections."""
FAMILIES = {"Fig. S3b": ("expression",), "Fig. S4": ("classes",)}
PRELIMINARY = "below the minimum training criterion"


def expression(results: Results) -> Evidence:
    """Subtract γ = 0, which learns no classes, from the γ that is shown."""
    shown, base = at_gamma(results), at_gamma(results, gamma=0)
    place = ["patient", "section", "split"]
    both = [rows.groupby(place)["pcc"].mean() for rows in (shown, base)]
    apart = (both[0] - both[1]).dropna().rename("difference").reset_index()
    limits = _limits(results.facts["preliminary"]) + _few_fits(shown)
    limits += training_limits(results, ["Hist2ST", "γ = 0", _shown(results)])
    if apart.empty:
        limits.append("γ = 0 was not fitted")
    return Evidence(apart, "difference of median PCC", equal=True, limits=limits)


def classes(results: Results) -> Evidence:
    """Subtract BAR from the lower of F1 and AUC of cancer, in sections with own labels."""
    rows = at_gamma(results)
    least = rows[["cancer_f1", "cancer_auc"]].min(axis=1, skipna=False)
    own = rows.assign(difference=least - BAR)[rows["labels_from"] == ""]
    limits = _limits([t for t in results.facts["preliminary"] if _is_regclass(t)])
    limits += training_limits(results, [_shown(results)]) + _few_fits(rows)
    limits += [] if len(own) else ["all labels are transferred"]
    passed, always = (int((values > BAR).sum()) for values in (least, rows["always_f1"]))
    numbers = {"tests": len(rows), "passed": passed, "always": always}
    return Evidence(own, f"lower of F1 and AUC − {BAR}", limits=limits, numbers=numbers)


def _shown(results: Results) -> str:
    return f"γ = {results.facts['gamma']:g}"


def _few_fits(rows: pd.DataFrame) -> list[str]:
    return limits_of_fits(1) if set(rows["split"]) == {"ood"} else []


def _is_regclass(title: str) -> bool:
    return title.startswith(describe("regclass").title)


def _limits(preliminary: list[str]) -> list[str]:
    return [f"{title} is {PRELIMINARY}" for title in preliminary]


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"), {"expression": expression, "classes": classes}, FAMILIES
)
