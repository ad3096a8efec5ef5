"""Evidence about tissue: a difference in each section, and the outcome of a family of claims."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from compendium.evaluation.patients import MIN_PATIENTS, SMALL, Claim, by_patient, decide
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.evaluation.verdict import Outcome, Verdict


@dataclass(frozen=True, eq=False)
class Evidence:
    """What results say of one claim about tissue, before its family is decided.

    Parameters
    ----------
    apart
        Columns patient, section, difference (positive in the claimed direction). A section with
        several lines, of folds or splits, counts once.
    name
        What the difference is of.
    equal
        Whether no difference is claimed.
    limits
        What keeps the claim from being decided, e.g. a row below the minimum training criterion.
    numbers
        Further numbers that the author's sentence names; those of the outcome are there anyway.
    """

    apart: pd.DataFrame
    name: str = "difference of PCC"
    equal: bool = False
    limits: Sequence[str] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)


def outcomes(family: Mapping[str, Evidence]) -> dict[str, Outcome]:
    """Decide the claims of one family (see `compendium.evaluation.patients.decide`)."""
    claims = [
        Claim(name, by_patient(evidence.apart), evidence.equal) for name, evidence in family.items()
    ]
    lines = decide(claims).to_dict("records")
    return {
        name: _outcome(evidence, line, len(family))
        for (name, evidence), line in zip(family.items(), lines, strict=True)
    }


def _outcome(evidence: Evidence, line: Mapping, family: int) -> Outcome:
    limits = (*evidence.limits, *_limits(line, family))
    known = evidence.apart.dropna(subset="difference")
    stated = {name: line[name] for name in ("low", "high", "p", "adjusted", "patients", "power")}
    stated["sections"] = known["section"].nunique()
    numbers = stated | {"difference": line["difference"]} | dict(evidence.numbers)
    return Outcome(
        Verdict.UNDECIDED if evidence.limits else Verdict(line["verdict"]),
        line["difference"],
        evidence.name,
        limits=limits,
        numbers=numbers,
        **stated,
    )


def _limits(line: Mapping, family: int) -> list[str]:
    if line["patients"] < MIN_PATIENTS:
        return [f"fewer than {MIN_PATIENTS} patients"]
    if line["verdict"] == Verdict.NO_VERDICT:
        return [f"{family} claims are too many for {line['patients']} patients"]
    undecided = line["verdict"] == Verdict.UNDECIDED
    return [f"not significant, interval beyond ± {SMALL}"] if undecided else []


def limits_of_rows(results: Results, rows: Collection[str], titles: Mapping[str, str]) -> list[str]:
    """List what keeps rows of a chapter from deciding anything.

    Parameters
    ----------
    results
        Results with the tables criterion, curves and seeds.
    rows
        Keys of the rows that a claim is about.
    titles
        Their titles, by key.
    """
    met = results["criterion"].set_index("row")["result"]
    reasons = {
        key: "was not fitted" if key not in met else "is below the minimum training criterion"
        for key in rows
        if not met.get(key, False)
    }
    below = [f"{titles.get(key, key)} {reason}" for key, reason in reasons.items()]
    return below + training_limits(results, list(rows), titles)


def limits_of_fits(number: int) -> list[str]:
    """Return the limit of sections that share fewer separate fits than patients must be."""
    few = {0: "no fit", 1: "all test sections share one fit"}.get(number, f"{number} separate fits")
    return [few] if number < MIN_PATIENTS else []
