"""Sections and runs -> predictions on disk."""

from compendium.runs.execution import execute, run_once
from compendium.runs.plan import plan_run
from compendium.runs.run import Run
from compendium.runs.study.runs import plan_runs

__all__ = ["Run", "execute", "plan_run", "run_once", "plan_runs"]
