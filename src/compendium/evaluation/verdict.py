"""When sections can decide a claim of the benchmark, one rule for all chapters, and the form in which it is told; what its numbers must show, each chapter says itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

HOLDS, FAILS, UNDECIDED = "holds here", "fails here", "undecided here"
FEWEST, PATIENTS = (
    3,
    2,
)  # sections, and patients they must come from, before anything is decided about these sections


@dataclass(frozen=True)
class Claim:
    """A claim, what is decided of it (HOLDS, FAILS or UNDECIDED), and why, in sentences. sections, patients: that it is judged on; 0 where it is not about tissue."""

    claim: str
    verdict: str
    why: str
    sections: int = 0
    patients: int = 0

    @property
    def told(self) -> str:
        """Verdict and reason, for prose."""
        return f"{self.verdict[0].upper()}{self.verdict[1:]}. {self.why}"

    @property
    def rests(self) -> str:
        """What it is judged on."""
        return (
            counted(self.sections, self.patients) if self.patients else "Not a question of patients"
        )


def others(patients: int) -> str:
    """What is decided about other patients by what is judged on so many, in a sentence; "" for none."""
    least = 2 / 2**patients
    if not patients or least <= 0.05:
        return ""
    return f"Over {counted_of(patients, 'patient')} an exact two-sided sign test reaches p = {least:.2g} at best: nothing here is decided about another patient."


def counted_of(number: int, what: str) -> str:
    """3 sections, 1 patient."""
    return f"{number} {what}{'s' * (number != 1)}"


def counted(sections: int, patients: int) -> str:
    """3 sections of 1 patient."""
    return f"{counted_of(sections, 'section')} of {counted_of(patients, 'patient')}"


def too_few(of: pd.DataFrame) -> str:
    """Why the sections of a table [section, patient] decide nothing, in a sentence; "" where there are enough, of enough patients."""
    sections, patients = of["section"].nunique(), of["patient"].nunique()
    return (
        f"{counted(sections, patients)} cannot decide."
        if sections < FEWEST or patients < PATIENTS
        else ""
    )


def decided(
    claim: str,
    verdict: str,
    why: str,
    of: pd.DataFrame,
    smoke: Sequence[str] = (),
    hindered: Sequence[str] = (),
) -> Claim:
    """The claim with the verdict of its numbers, unless something hinders: rows below the floor (their titles), too few sections or patients, or what `hindered` says.

    of: table [section, patient] of what the verdict was taken from.
    """
    reasons = [
        *hindered,
        *([f"Below the floor of a result: {', '.join(smoke)}."] if smoke else []),
        *([few] if (few := too_few(of)) else []),
    ]
    return Claim(
        claim,
        UNDECIDED if reasons else verdict,
        " ".join([*reasons, why]).strip(),
        of["section"].nunique(),
        of["patient"].nunique(),
    )
