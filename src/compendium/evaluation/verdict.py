"""Verdicts: when sections can decide a statement, and what the statement then rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

MIN_SECTIONS, MIN_PATIENTS = 3, 2
"""Sections, and patients they must come from, before anything is decided about these sections."""


class Verdict(StrEnum):
    """What results say of a statement.

    The first two are of files, code and tables that authors published; the next three of tissue.
    """

    HOLDS = "holds"
    FAILS = "fails"
    REPRODUCED = "reproduced"
    BELOW = "reproduced, below 0.02"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "cannot be told here"
    NO_VERDICT = ""


@dataclass(frozen=True)
class Outcome:
    """What results say of one statement, and what that rests on.

    Parameters
    ----------
    verdict
        The verdict.
    statistic, name
        The number that it rests on, and what that number is, e.g. "difference of median PCC".
    low, high
        Interval of the statistic; NaN where there is none.
    sections, patients
        How many it was judged on; 0 where the statement is not about tissue.
    limits
        What keeps the statement from being decided, e.g. "one patient"; empty where it is decided.
    numbers
        Numbers that the author's sentence names, by name.
    """

    verdict: Verdict
    statistic: float = np.nan
    name: str = ""
    low: float = np.nan
    high: float = np.nan
    sections: int = 0
    patients: int = 0
    limits: tuple[str, ...] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Turn numbers of numpy into those of Python, so that prose prints 3, not np.int64(3)."""
        plain = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.numbers.items()
        }
        object.__setattr__(self, "numbers", plain)


def limits_of(tested: pd.DataFrame) -> list[str]:
    """List what keeps the sections of a table [section, patient] from deciding anything."""
    needed = {"section": MIN_SECTIONS, "patient": MIN_PATIENTS}
    few = {what: number for what, number in needed.items() if tested[what].nunique() < number}
    return [f"fewer than {number} {what}s" for what, number in few.items()]


def judge(
    verdict: Verdict, tested: pd.DataFrame, limits: Sequence[str] = (), **rests_on
) -> Outcome:
    """Return the outcome of a statement about tissue: undecided where something limits it.

    Parameters
    ----------
    verdict
        What the numbers say.
    tested
        Table [section, patient] of what the verdict was taken from.
    limits
        Further limits, e.g. "row below the minimum training criterion".
    rests_on
        Other fields of `Outcome`: statistic, name, low, high, numbers.
    """
    every = (*limits, *limits_of(tested))
    judged_on = {f"{what}s": tested[what].nunique() for what in ("section", "patient")}
    return Outcome(Verdict.UNDECIDED if every else verdict, limits=every, **judged_on, **rests_on)
