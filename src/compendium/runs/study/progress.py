"""Compute a study: print what it will cost, then how many runs are done, running or failed.

How runs stand is read off the disk, so that any process may ask at any time.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from compendium.data.section import Section
from compendium.runs import store
from compendium.runs.execution import RunsFailed, execute, taken_as_published
from compendium.runs.inputs.prepare import used
from compendium.runs.run import Run
from compendium.runs.study import cost
from compendium.storage import is_locked

EVERY_SECONDS = 2.0
Print = Callable[[str], None]
STATUSES = ("done", "published", "damaged", "running", "failed", "interrupted", "waiting")
FINISHED = STATUSES[:2]


@dataclass(frozen=True)
class RunStatus:
    """The status of one run.

    Parameters
    ----------
    run, folder
        The run, and the folder of its record.
    status
        done; published (and not stored here); damaged (the record cannot be read); running (a
        process holds its lock); failed; interrupted (there is a checkpoint, and no process holds
        the lock); waiting.
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
    there = folders(runs, sections)
    return [
        published_status(run, folder, sections) or read_status(run, folder)
        for run, folder in zip(runs, there, strict=True)
    ]


def published_status(run: Run, folder: Path, sections: Sequence[Section]) -> RunStatus | None:
    """Return the status of a run that is published and not stored here, else None."""
    if record := taken_as_published(run, sections):
        return RunStatus(run, folder, "published", seconds=record.facts["seconds"])
    return None


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
    with suppress(FileNotFoundError):  # it has just ended
        return max(0.0, time.time() - lock.stat().st_mtime)
    return 0.0


def run_study(
    runs: Sequence[Run],
    sections: Sequence[Section],
    executor: Executor,
    show: Print,
    *,
    workers: int = 1,
    device: str = "auto",
) -> list[store.Record]:
    """Compute the runs of a study and return their records.

    Parameters
    ----------
    runs, sections
        The runs, and the sections of their cohort.
    executor, workers, device
        Where they are computed; workers is 0 where the number is not known.
    show
        Called with the cost, and with one line whenever the status of a run changes.

    Raises
    ------
    RunsFailed
        If runs failed, when all others are stored.
    """
    progress = Progress(runs, sections, workers)
    progress.price(sections, "cpu" if device == "cpu" else "auto")  # measured on this machine
    show(progress.summary())
    with progress.shown(show):
        try:
            return execute(runs, sections, device=device, executor=executor)
        except RunsFailed as error:
            progress.show_failures(error.failed, show)
            raise


class Progress:
    """The runs of a study, their status, and the time that is left.

    Parameters
    ----------
    runs, sections
        The runs, and the sections of their cohort.
    workers
        Number of runs at once; 0 where it is not known.
    """

    def __init__(self, runs: Sequence[Run], sections: Sequence[Section], workers: int = 1) -> None:
        self.runs, self.workers = list(runs), workers
        self.folders = folders(runs, sections)
        places = zip(self.runs, self.folders, strict=True)
        self.known = [published_status(*place, sections) for place in places]
        self.due = [i for i, now in enumerate(self.now()) if now.status not in FINISHED]
        self.seconds = [0.0] * len(self.runs)  # of each run that is due
        self.features = 0.0  # seconds of the frozen encoders
        self.reported: set[Run] = set()

    def price(self, sections: Sequence[Section], device: str) -> None:
        """Estimate the seconds of the runs that are due."""
        due = [self.runs[i] for i in self.due]
        self.features = cost.features_left(due, sections, device)
        for i, seconds in zip(self.due, cost.estimate(due, sections, device), strict=True):
            self.seconds[i] = seconds

    def now(self) -> list[RunStatus]:
        """Read the status of each run; a record that was complete is not read again."""
        self.known = [
            old if old and old.status in FINISHED else read_status(run, folder)
            for old, run, folder in zip(self.known, self.runs, self.folders, strict=True)
        ]
        return self.known

    def summary(self) -> str:
        """Return a line with the numbers of stored and due runs, and the estimated time."""
        count = Counter(each.status for each in self.known)
        taken = f"{count['published']} published, " if count["published"] else ""
        line = f"{len(self.runs)} runs: {count['done']} stored, {taken}{len(self.due)} to do"
        if not self.due:
            return line
        total = duration(self.side_by_side(self.seconds, self.features))
        return f"{line}; about {total}{self._on_workers()} ({', '.join(self._parts())})"

    def _on_workers(self) -> str:
        """What the estimated time is of: one worker needs no word, an unknown number is none."""
        if self.workers == 0:
            return " of computing in all"
        return f" on {self.workers} workers" if self.workers > 1 else ""

    def _parts(self) -> Iterator[str]:
        """Number and mean seconds of the runs of each method, and the encoders' seconds."""
        for method in dict.fromkeys(self.runs[i].method for i in self.due):
            seconds = [self.seconds[i] for i in self.due if self.runs[i].method == method]
            yield f"{method} {len(seconds)} x {duration(sum(seconds) / len(seconds))}"
        if self.features:
            yield f"features of the frozen encoder {duration(self.features)}"

    def side_by_side(self, seconds: Sequence[float], features: float) -> float:
        """Return how long runs of these lengths take on all workers."""
        return max(*seconds, (sum(seconds) + features) / max(self.workers, 1))

    def line(self) -> str:
        """Return a line with the number of runs of each status, and the time left."""
        now = self.now()
        count = Counter(each.status for each in now)
        going = [i for i in self.due if now[i].status not in (*FINISHED, "failed")]
        numbers = ", ".join(f"{count[status]} {status}" for status in STATUSES if count[status])
        if not going:
            return numbers
        left = [max(0.0, self.seconds[i] - now[i].seconds) for i in going]
        features = self.features * len(going) / len(self.due)
        return f"{numbers}; about {duration(self.side_by_side(left, features))} left"

    def show_failures(self, failed: Sequence[tuple[Run, str]], show: Print) -> None:
        """Show one line for each failed run that was not shown yet."""
        for run, reason in failed:
            if run not in self.reported:
                self.reported.add(run)
                show(f"failed: {run.method} {run.split.name} seed {run.seed}: {reason}")

    def show_change(self, show: Print, before: str) -> str:
        """Show the line if a number in it differs from the line before; return the numbers."""
        line = self.line()
        numbers = line.split(";")[0]
        if numbers != before:
            failed = [(each.run, each.reason) for each in self.known if each.status == "failed"]
            self.show_failures(failed, show)
            show(line)
        return numbers

    @contextmanager
    def shown(self, show: Print) -> Iterator[None]:
        """Show every change of status as long as the block runs, and at its end."""
        ended = threading.Event()
        numbers = ""

        def watch() -> None:
            nonlocal numbers
            while not ended.wait(EVERY_SECONDS):
                numbers = self.show_change(show, numbers)

        for i in self.due:
            store.failure(self.folders[i]).unlink(missing_ok=True)  # of an earlier attempt
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.show_change(show, numbers)


def table(runs: Sequence[Run], sections: Sequence[Section]) -> list[str]:
    """Return one line a run: status, method, split, seed, seconds, and ID or reason."""
    rows = []
    for each in statuses(runs, sections):
        run, seconds = each.run, duration(each.seconds) if each.seconds else "-"
        what = (run.method, run.split.name, f"seed {run.seed}")
        rows.append((each.status, *what, seconds, each.reason or each.folder.name))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [map(str.ljust, row, widths) for row in rows]
    return ["  ".join(cells).rstrip() for cells in padded]


def duration(seconds: float) -> str:
    """Format seconds as seconds, minutes or hours, as exact as an estimate is."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
