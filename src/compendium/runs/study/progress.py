"""Conduct a study: say what it will cost, compute it, and say while it runs what is done, running or failed, and the time left."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager

from compendium.data.section import Section
from compendium.runs import store
from compendium.runs.execution import RunsFailed, execute
from compendium.runs.run import Run
from compendium.runs.store import Record
from compendium.runs.study import cost
from compendium.runs.study.status import STATES, State, folders, state, states

EVERY_SECONDS = 2.0
Tell = Callable[[str], None]


def run_study(
    runs: Sequence[Run],
    sections: Sequence[Section],
    executor: Executor,
    tell: Tell,
    *,
    workers: int = 1,
    device: str = "auto",
) -> list[Record]:
    """The records of the runs. `tell` gets one line before, one whenever a run begins, ends or fails, and those are few."""
    watch = Progress(runs, sections, workers)
    watch.price(sections, "cpu" if device == "cpu" else "auto")  # here, wherever it is computed
    tell(watch.announcement())
    with watch.telling(tell):
        try:
            return execute(runs, sections, device=device, executor=executor)
        except RunsFailed as error:
            watch.tell_failures(error.failed, tell)
            raise


class Progress:
    """The runs of a study, how each stands, and what those that are left will take.

    workers: 0 where their number is not known.
    """

    def __init__(self, runs: Sequence[Run], sections: Sequence[Section], workers: int = 1) -> None:
        self.runs, self.workers = list(runs), workers
        self.targets = folders(runs, sections)
        self.known: list[State | None] = [None] * len(self.runs)
        self.due = [i for i, now in enumerate(self.now()) if now.word != "done"]
        self.seconds = [0.0] * len(self.runs)  # of each run that is due
        self.features = 0.0  # seconds of the frozen encoders
        self.told: set[Run] = set()

    def price(self, sections: Sequence[Section], device: str) -> None:
        """Estimate what the runs that are due will take."""
        due = [self.runs[i] for i in self.due]
        self.features = cost.features_left(due, sections, device)
        for i, seconds in zip(self.due, cost.estimate(due, sections, device), strict=True):
            self.seconds[i] = seconds

    def now(self) -> list[State]:
        """How each run stands; a record that was found good is not read again."""
        self.known = [
            old if old and old.word == "done" else state(run, target)
            for old, run, target in zip(self.known, self.runs, self.targets, strict=True)
        ]
        return self.known

    def announcement(self) -> str:
        """What is there, what is to do, what it will cost."""
        line = (
            f"{len(self.runs)} runs: {len(self.runs) - len(self.due)} stored, {len(self.due)} to do"
        )
        if not self.due:
            return line
        count = Counter(self.runs[i].method for i in self.due)
        spent = {
            method: sum(self.seconds[i] for i in self.due if self.runs[i].method == method)
            for method in count
        }
        parts = [
            f"{method} {times} x {duration(spent[method] / times)}"
            for method, times in count.items()
        ]
        parts += (
            [f"features of the frozen encoder {duration(self.features)}"] if self.features else []
        )
        many = (
            f" on {self.workers} workers"
            if self.workers > 1
            else ""
            if self.workers
            else " of computing in all"
        )
        return f"{line}; about {duration(self.shared(self.seconds, self.features))}{many} ({', '.join(parts)})"

    def shared(self, seconds: Sequence[float], features: float) -> float:
        """How long runs of these lengths take side by side."""
        return max(*seconds, (sum(seconds) + features) / max(self.workers, 1))

    def line(self) -> str:
        """How many runs stand how, and the time left."""
        now = self.now()
        count = Counter(s.word for s in now)
        going = [i for i in self.due if now[i].word not in ("done", "failed")]
        stand = ", ".join(f"{count[word]} {word}" for word in STATES if count[word])
        if not going:
            return stand
        left = [
            max(0.0, self.seconds[i] - (now[i].seconds if now[i].word == "running" else 0.0))
            for i in going
        ]
        return f"{stand}; about {duration(self.shared(left, self.features * len(going) / len(self.due)))} left"

    def tell_failures(self, failed: Sequence[tuple[Run, str]], tell: Tell) -> None:
        """One line for each run that has failed and was not told yet."""
        for run, reason in failed:
            if run not in self.told:
                self.told.add(run)
                tell(f"failed: {run.method} {run.split.name} seed {run.seed}: {reason}")

    @contextmanager
    def telling(self, tell: Tell):
        """Tell the line whenever a count in it changes, as long as the block runs."""
        ended, last = threading.Event(), ""

        def look() -> None:
            nonlocal last
            line = self.line()
            if line.split(";")[0] != last:
                last = line.split(";")[0]
                self.tell_failures(
                    [(s.run, s.reason) for s in self.known if s.word == "failed"], tell
                )
                tell(line)

        def keep_looking() -> None:
            while not ended.wait(EVERY_SECONDS):
                look()

        for i in self.due:
            store.failure(self.targets[i]).unlink(missing_ok=True)  # of an earlier attempt
        thread = threading.Thread(target=keep_looking, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            look()


def report(runs: Sequence[Run], sections: Sequence[Section]) -> list[str]:
    """One line a run: how it stands, what it is, how long it took, where its record lies or why there is none."""
    rows = [
        (
            s.word,
            s.run.method,
            s.run.split.name,
            f"seed {s.run.seed}",
            duration(s.seconds) if s.seconds else "-",
            s.reason or s.target.name,
        )
        for s in states(runs, sections)
    ]
    width = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        "  ".join([*(cell.ljust(size) for cell, size in zip(row, width, strict=False)), row[5]])
        for row in rows
    ]


def duration(seconds: float) -> str:
    """Seconds in words, as exact as an estimate is."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
