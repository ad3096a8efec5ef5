"""Chapters that are only planned: they end at their design and compute nothing."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compendium.evaluation.comparison import Design

PLANNED_ONLY: ContextVar[bool] = ContextVar("planned only", default=False)
"""Whether chapters are only planned; set while their designs are collected."""


class Planned(Exception):
    """Ends a chapter at its design, where it is only planned.

    Parameters
    ----------
    design
        The runs of the chapter.
    """

    def __init__(self, design: "Design") -> None:
        super().__init__("a chapter that is only planned computes nothing")
        self.design = design
