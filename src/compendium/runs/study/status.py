"""How runs stand, read off the disk: there is no other record of it, so any process may ask at any time."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from compendium.data.section import Section
from compendium.runs import store
from compendium.runs.execution import used
from compendium.runs.run import Run
from compendium.storage import is_locked

STATES = ("done", "damaged", "running", "failed", "interrupted", "waiting")


@dataclass(frozen=True)
class State:
    """One run now.

    word: done; damaged (what lies there cannot be read); running (somebody holds its lock); failed
    (the reason is written down); interrupted (a checkpoint lies there, nobody holds it); waiting. seconds: that it took, or that it has run.
    """

    run: Run
    target: Path
    word: str
    reason: str = ""
    seconds: float = 0.0


def states(runs: Sequence[Run], sections: Sequence[Section]) -> list[State]:
    """The state of every run, in order."""
    return [state(run, target) for run, target in zip(runs, folders(runs, sections), strict=True)]


def folders(runs: Sequence[Run], sections: Sequence[Section]) -> list[Path]:
    """Where the record of each run lies, or will lie."""
    return [store.folder(run, run.identity(used(run, sections))) for run in runs]


def state(run: Run, target: Path) -> State:
    """The state of the run whose record lies, or will lie, in `target`."""
    work = store.workplace(target)
    if is_locked(work / store.LOCK):
        return State(run, target, "running", seconds=_since(work / store.LOCK))
    with suppress(FileNotFoundError):  # of the latest attempt, whatever record an earlier one left
        return State(run, target, "failed", reason=store.failure(target).read_text())
    try:
        if record := store.read(target):
            return State(run, target, "done", seconds=record.facts["seconds"])
    except store.Damaged as error:
        return State(run, target, "damaged", reason=str(error))
    return State(run, target, "interrupted" if (work / store.CHECKPOINT).exists() else "waiting")


def _since(lock: Path) -> float:
    """Seconds since the lock was taken."""
    try:
        return max(0.0, time.time() - lock.stat().st_mtime)
    except FileNotFoundError:  # it has just ended
        return 0.0
