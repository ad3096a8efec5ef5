"""What the patients of a cohort decide about a family of claims: one difference a patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import sem, t

from compendium.errors import BadInput
from compendium.evaluation.verdict import Verdict

LEVEL = 0.05
"""A difference is significant where its adjusted p is not larger."""

SMALL = 0.02
"""A difference whose interval lies within this of 0 is no difference that matters (PCC)."""

MIN_PATIENTS = 6
"""Patients before anything is decided about tissue: with five no sign-flip p is below .06."""

MIN_INTERVAL = 4
"""Patients before an interval is given."""

MAX_PATIENTS = 20
TRUE_DIFFERENCE = 0.03
"""The true difference (PCC) for which the power is printed."""

STUDIES = 2000


@dataclass(frozen=True, eq=False)
class Claim:
    """A claim about tissue and what each patient says of it.

    Parameters
    ----------
    title
        The claim.
    differences
        One difference a patient, positive in the claimed direction; NaN where it is missing.
    equal
        Whether no difference is claimed.
    """

    title: str
    differences: Float[np.ndarray, "patient"]
    equal: bool = False

    @property
    def complete(self) -> Float[np.ndarray, "complete"]:
        """Return the differences of the patients that have one."""
        return self.differences[~np.isnan(self.differences)]


def by_patient(apart: pd.DataFrame) -> Float[np.ndarray, "patient"]:
    """Average differences [patient, section, difference] over sections, then over each patient.

    A section with several lines counts once, with their mean.
    """
    sections = apart.groupby(["patient", "section"])["difference"].mean()
    return sections.groupby("patient").mean().to_numpy(float)


def sign_flip(differences: Float[np.ndarray, "patient"]) -> float:
    """Return the exact two-sided p of a mean difference under all changes of signs.

    Parameters
    ----------
    differences
        One difference a patient, at most 20.

    Returns
    -------
    Share of the 2^n changes of signs whose mean is at least as far from 0; the smallest is 2/2^n.
    NaN without a patient.

    Raises
    ------
    BadInput
        With more than 20 patients.

    References
    ----------
    Fisher, The Design of Experiments, 1935, section 21.
    """
    if len(differences) > MAX_PATIENTS:
        many = f"{len(differences)} patients have too many changes of signs for the exact test"
        raise BadInput(f"{many}; give at most {MAX_PATIENTS}")
    if not len(differences):
        return np.nan
    sums = differences[:1]  # the other sign of the first gives the same sums with the other sign
    for difference in differences[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    rounding = 1e-9 * np.abs(differences).sum()
    return float((np.abs(sums) >= abs(differences.sum()) - rounding).mean())


def holm(p: Sequence[float]) -> Float[np.ndarray, "claim"]:
    """Return the p of a family, adjusted so that its family-wise error is controlled.

    A missing p stays missing and counts as a member of the family.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 1979.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def t_interval(
    differences: Float[np.ndarray, "patient"], level: float = 0.95
) -> tuple[float, float]:
    """Return the t-interval of the mean difference; NaN for fewer than four patients."""
    if len(differences) < MIN_INTERVAL:
        return np.nan, np.nan
    half = t.ppf((1 + level) / 2, len(differences) - 1) * sem(differences)
    return float(differences.mean() - half), float(differences.mean() + half)


def attainable(n_patients: int, family: int) -> bool:
    """Return whether the smallest p of so many patients is significant in a family of claims."""
    return family * 2 / 2**n_patients <= LEVEL


@lru_cache
def power(n_patients: int, sd: float, true: float, family: int) -> float:
    """Return how often a true difference is found, by simulation with a fixed seed.

    Parameters
    ----------
    n_patients
        Patients of the study.
    sd
        Standard deviation of a difference over patients.
    true
        The true difference.
    family
        Number of claims that are tested together; all are as true, and independent.

    Returns
    -------
    Share of the simulated differences that are found: positive, and significant after Holm.
    """
    if not attainable(n_patients, family):
        return 0.0
    shape = (-(-STUDIES // family), family, n_patients)
    drawn = np.random.default_rng(0).normal(true, sd, shape)
    adjusted = np.array([holm([sign_flip(each) for each in study]) for study in drawn])
    return float(((adjusted <= LEVEL) & (drawn.mean(axis=2) > 0)).mean())


def decide(claims: Sequence[Claim]) -> pd.DataFrame:
    """Decide the claims of one family, that was named before its differences were seen.

    Parameters
    ----------
    claims
        All claims of the family, also those without a patient.

    Returns
    -------
    One line a claim: claim, patients (that have a difference), difference (mean), low, high
    (95 % t-interval), p (exact, two-sided), adjusted (after Holm), verdict, power (for a true
    difference of `TRUE_DIFFERENCE` and the standard deviation seen). The verdict is empty where
    the family is too large for its patients to decide anything.
    """
    lines = []
    for claim in claims:
        values = claim.complete
        mean = values.mean() if len(values) else np.nan
        lines.append((claim.title, len(values), mean, *t_interval(values), sign_flip(values)))
    table = pd.DataFrame(lines, columns=["claim", "patients", "difference", "low", "high", "p"])
    table["adjusted"] = holm(table["p"].tolist())
    table["verdict"] = [
        _verdict(line, claim.equal, attainable(int(table["patients"].max()), len(claims)))
        for claim, (_, line) in zip(claims, table.iterrows(), strict=True)
    ]
    table["power"] = [_power(claim.complete, len(claims)) for claim in claims]
    return table


def _verdict(line: pd.Series, equal: bool, decidable: bool) -> Verdict:
    if line["patients"] < MIN_PATIENTS:
        return Verdict.UNDECIDED
    if not decidable:
        return Verdict.NO_VERDICT
    small = -SMALL <= line["low"] and line["high"] <= SMALL
    significant = line["adjusted"] <= LEVEL
    if significant and not equal and line["difference"] > 0:
        return Verdict.BELOW if small else Verdict.REPRODUCED
    if significant:
        return Verdict.NOT_REPRODUCED
    if not small:
        return Verdict.UNDECIDED
    return Verdict.REPRODUCED if equal else Verdict.NOT_REPRODUCED


def _power(values: Float[np.ndarray, "patient"], family: int) -> float:
    if len(values) < 2:
        return 0.0
    return power(len(values), round(float(values.std(ddof=1)), 4), TRUE_DIFFERENCE, family)
