"""Sections and runs -> predictions on disk."""

from compendium.runs.engine import execute, run_once
from compendium.runs.plan import Run, plan
from compendium.runs.study import study

__all__ = ["Run", "execute", "plan", "run_once", "study"]
