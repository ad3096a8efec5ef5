"""Verdicts on statements, and what a verdict rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np


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

    @property
    def negative(self) -> bool:
        """Whether the statement is not so."""
        return self in (Verdict.FAILS, Verdict.NOT_REPRODUCED)

    @property
    def decided(self) -> bool:
        """Whether the statement is so, or is not."""
        return self not in (Verdict.UNDECIDED, Verdict.NO_VERDICT)


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
    p, adjusted
        Exact p, and p after Holm in its family; NaN where nothing is tested.
    sections, patients
        How many it was judged on; 0 where the statement is not about tissue.
    power
        Share of simulated studies in which a true difference is found, see
        `compendium.evaluation.patients.power`; NaN where nothing is tested.
    limits
        What keeps the statement from being decided, e.g. "fewer than 6 patients"; empty where it
        is decided.
    numbers
        Numbers that the author's sentence names, by name.
    """

    verdict: Verdict
    statistic: float = np.nan
    name: str = ""
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    adjusted: float = np.nan
    sections: int = 0
    patients: int = 0
    power: float = np.nan
    limits: tuple[str, ...] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Turn numbers of numpy into those of Python, so that prose prints 3, not np.int64(3)."""
        plain = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.numbers.items()
        }
        object.__setattr__(self, "numbers", plain)
