"""How runs stand, read off the disk, so that any process may ask at any time."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from compendium.data.section import Section
from compendium.runs import store
from compendium.runs.inputs.prepare import used
from compendium.runs.run import Run
from compendium.storage import is_locked

STATUSES = ("done", "damaged", "running", "failed", "interrupted", "waiting")


@dataclass(frozen=True)
class RunStatus:
    """The status of one run.

    Parameters
    ----------
    run, folder
        The run, and the folder of its record.
    status
        done; damaged (the record cannot be read); running (a process holds its lock); failed;
        interrupted (there is a checkpoint, and no process holds the lock); waiting.
    reason
        Why it failed or is damaged.
    seconds
        How long it took, or has run.
    """

    run: Run
    folder: Path
    status: str
    reason: str = ""
    seconds: float = 0.0


def statuses(runs: Sequence[Run], sections: Sequence[Section]) -> list[RunStatus]:
    """Read the status of every run, in order."""
    return [
        read_status(run, folder) for run, folder in zip(runs, folders(runs, sections), strict=True)
    ]


def folders(runs: Sequence[Run], sections: Sequence[Section]) -> list[Path]:
    """Return the folder of the record of each run."""
    return [store.folder(run, run.identity(used(run, sections))) for run in runs]


def read_status(run: Run, folder: Path) -> RunStatus:
    """Read the status of the run whose record is, or will be, in `folder`."""
    work = store.workplace(folder)
    if is_locked(work / store.LOCK):
        return RunStatus(run, folder, "running", seconds=_since(work / store.LOCK))
    with suppress(FileNotFoundError):  # the latest attempt, even if an earlier one left a record
        return RunStatus(run, folder, "failed", reason=store.failure(folder).read_text())
    try:
        if record := store.read(folder):
            return RunStatus(run, folder, "done", seconds=record.facts["seconds"])
    except store.Damaged as error:
        return RunStatus(run, folder, "damaged", reason=str(error))
    interrupted = (work / store.CHECKPOINT).exists()
    return RunStatus(run, folder, "interrupted" if interrupted else "waiting")


def _since(lock: Path) -> float:
    """Seconds since the lock was taken."""
    try:
        return max(0.0, time.time() - lock.stat().st_mtime)
    except FileNotFoundError:  # it has just ended
        return 0.0
