"""Price, progress and status of a study."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import pytest

from compendium.data.splits import folds
from compendium.runs import plan_run, plan_runs, run_once, store
from compendium.runs.execution import RunsFailed
from compendium.runs.executors.local import Serial
from compendium.runs.run import Run
from compendium.runs.study.progress import (
    Progress,
    RunStatus,
    duration,
    folders,
    run_study,
    statuses,
    table,
)
from conftest import call_after_epochs, tiny_section
from forked import until

SECTIONS = [
    tiny_section("S1", spots=12),
    tiny_section("S2", patient="P2", spots=16),
    tiny_section("S3", patient="P3", spots=20),
]
PARAMETERS = {"panel": "all", "encoder": "colour", "tile_px": 32, "budget": "smoke"}
# Holds a lock file until its standard input ends.
HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def quick(home, monkeypatch):
    """A home of the test's own, and no waiting for the next look."""
    monkeypatch.setattr("compendium.runs.study.progress.EVERY_SECONDS", 0.01)


def planned(method: str = "mean", fold: int = 0, **words) -> Run:
    return plan_run(
        "tiny",
        folds("section-out", SECTIONS)[fold],
        method,
        sections=SECTIONS,
        **PARAMETERS | words,
    )


def means() -> list[Run]:
    """The training mean on each of three folds."""
    return plan_runs("tiny", SECTIONS, ["section-out"], ["mean"], **PARAMETERS)


def failing(fold: int = 0) -> Run:
    return planned("histogene", fold, lr=1e30, epochs=30)


def now(run: Run) -> RunStatus:
    return statuses([run], SECTIONS)[0]


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Somebody else holds the lock."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.close()


def test_a_run_waits_runs_and_is_done():
    run, (target,) = planned(), folders([planned()], SECTIONS)
    assert (now(run).status, now(run).folder) == ("waiting", target)
    lock = store.workplace(target) / store.LOCK
    with held(lock):
        assert now(run).status == "running"
    assert now(run).status == "waiting"  # the file of a lock that nobody holds is nothing
    record = run_once(run, SECTIONS, "cpu")
    assert (now(run).status, now(run).seconds, now(run).reason) == (
        "done",
        record.facts["seconds"],
        "",
    )


def test_how_long_a_run_has_run_is_read_off_its_lock():
    (target,) = folders([planned()], SECTIONS)
    lock = store.workplace(target) / store.LOCK
    with held(lock):
        os.utime(lock, (0, 0))
        assert now(planned()).seconds > 40 * 365 * 24 * 3600


def test_a_damaged_record_is_told_apart():
    run = planned()
    folder = run_once(run, SECTIONS, "cpu").folder
    assert now(run).status == "done"
    (folder / "predictions.npz").write_bytes(b"")
    assert now(run).status == "damaged" and "predictions.npz has changed" in now(run).reason


def test_a_run_that_failed_says_why_until_it_is_tried_again(monkeypatch):
    run = failing()
    with pytest.raises(ValueError, match="lower lr"):
        run_once(run, SECTIONS, "cpu")
    assert now(run).status == "failed" and "lower lr (now 1e+30)" in now(run).reason
    seen = []

    def look(*given) -> None:
        seen.append(now(run).status)
        raise KeyboardInterrupt

    monkeypatch.setattr("compendium.runs.execution.fit", look)
    with pytest.raises(KeyboardInterrupt):
        run_once(run, SECTIONS, "cpu")
    assert (seen, now(run).status) == (["running"], "waiting")


def test_a_fit_that_was_stopped_is_interrupted(monkeypatch):
    run = planned("histogene", epochs=3)
    monkeypatch.setattr("compendium.runs.fit.CHECKPOINT_SECONDS", 0.0)

    def stop(epoch: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        call_after_epochs(patch, stop)
        run_once(run, SECTIONS, "cpu")
    assert now(run).status == "interrupted"
    run_once(run, SECTIONS, "cpu")
    assert now(run).status == "done"


def test_a_watch_counts_tells_and_foresees(monkeypatch):
    done, failed, waiting = planned(), failing(1), planned(fold=2)
    run_once(done, SECTIONS, "cpu")
    watch = Progress([done, failed, waiting], SECTIONS, workers=2)
    assert watch.due == [1, 2]
    watch.seconds, watch.features = [0.0, 40.0, 10.0], 20.0
    assert (
        watch.summary() == "3 runs: 1 stored, 2 to do; about 40 s on 2 workers"
        " (histogene 1 x 40 s, mean 1 x 10 s, features of the frozen encoder 20 s)"
    )
    assert watch.line() == "1 done, 2 waiting; about 40 s left"
    with pytest.raises(ValueError):
        run_once(failed, SECTIONS, "cpu")
    assert watch.line() == "1 done, 1 failed, 1 waiting; about 10 s left"
    told: list[str] = []
    for _ in range(2):
        watch.show_failures([(failed, "too far")], told.append)
    assert told == ["failed: histogene section-out-S2 seed 0: too far"]
    monkeypatch.setattr(
        "compendium.runs.study.progress.store.read",
        lambda folder: pytest.fail("read again") if "S1" in str(folder) else None,
    )
    assert watch.line().startswith("1 done")


def test_the_longest_run_bounds_the_time_and_a_cluster_of_unknown_size_is_named_so():
    watch = Progress([planned(), planned(fold=1)], SECTIONS, workers=8)
    watch.seconds = [100.0, 4.0]
    assert "about 2 min on 8 workers" in watch.summary()
    watch.workers = 0
    watch.seconds = [30.0, 4.0]
    assert "about 34 s of computing in all" in watch.summary()


def test_workers_are_sent_the_word_for_the_device(monkeypatch):
    sent = []

    class Sends(Serial):
        def map(self, fn, runs, sections, devices, *others, **words):
            sent.extend(devices)
            return Serial().map(fn, runs, sections, devices, *others)

    run_study([planned()], SECTIONS, Sends(), print, device="auto")
    assert sent == ["auto"]


def test_a_running_run_has_less_left(monkeypatch):
    watch = Progress([planned()], SECTIONS)
    watch.seconds = [50.0]
    monkeypatch.setattr(
        "compendium.runs.study.progress.read_status",
        lambda run, target: RunStatus(run, target, "running", seconds=20.0),
    )
    assert watch.line() == "1 running; about 30 s left"
    monkeypatch.setattr(
        "compendium.runs.study.progress.read_status",
        lambda run, target: RunStatus(run, target, "running", seconds=70.0),
    )
    assert watch.line() == "1 running; about 0.0 s left"


def test_the_cost_is_told_before_anything_is_fitted(home):
    told = []

    def tell(line: str) -> None:
        told.append((line, len(list(home.glob("runs/*/*/*/*/run.json")))))

    records = run_study(means(), SECTIONS, Serial(), tell, device="cpu")
    assert re.fullmatch(r"3 runs: 0 stored, 3 to do; about \S+ s \(mean 3 x \S+ s\)", told[0][0])
    assert (told[0][1], told[-1]) == (0, ("3 done", 3))
    assert [record.id for record in records] == [
        target.name for target in folders(means(), SECTIONS)
    ]


class Hesitant(Executor):
    """Computes only once the study has shown that a run is under way, which another process has."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def map(self, fn, *iterables, **words):
        """The results, in order."""
        (target, *_) = folders(means(), SECTIONS)
        with held(store.workplace(target) / store.LOCK):
            until(
                lambda: any(line.startswith("1 running, 2 waiting; about ") for line in self.told)
            )
        return Serial().map(fn, *iterables, **words)


def test_what_is_under_way_is_told_while_it_is():
    told: list[str] = []
    run_study(means(), SECTIONS, Hesitant(told), told.append, device="cpu")
    assert told[-1] == "3 done"


def test_a_second_study_does_nothing(monkeypatch):
    run_study(means(), SECTIONS, Serial(), print, device="cpu")
    for work in ("execution.fit", "study.cost.fit"):
        monkeypatch.setattr(f"compendium.runs.{work}", lambda *given: pytest.fail("fitted"))
    told: list[str] = []
    assert len(run_study(means(), SECTIONS, Serial(), told.append, device="cpu")) == 3
    assert told == ["3 runs: 3 stored, 0 to do", "3 done"]


def test_failures_are_told_with_their_reason_and_stop_nothing():
    runs, told = [failing(0), failing(1), planned()], []
    with pytest.raises(
        RunsFailed,
        match=r"2 of 3 runs failed, the others are stored; first histogene section-out-S1: .*lr",
    ):
        run_study(runs, SECTIONS, Serial(), told.append, device="cpu")
    assert [line.split(": the loss is")[0] for line in told if line.startswith("failed")] == [
        "failed: histogene section-out-S1 seed 0: method histogene on section-out-S1",
        "failed: histogene section-out-S2 seed 0: method histogene on section-out-S2",
    ]
    assert told[-1] == "1 done, 2 failed"
    rows = table(runs, SECTIONS)
    assert [row.split()[:2] for row in rows] == [
        ["failed", "histogene"],
        ["failed", "histogene"],
        ["done", "mean"],
    ]
    assert "lower lr (now 1e+30)" in rows[0] and rows[2].endswith(folders(runs, SECTIONS)[2].name)
    assert (
        len({row.index("section-out") for row in rows})
        == len({row.index("seed 0") for row in rows})
        == 1
    )


def test_a_run_whose_trial_fails_is_no_reason_to_leave_out_the_others(monkeypatch):
    counts_only = tiny_section(
        "S4", patient="P4", spots=9
    )  # the smallest: the one that a trial takes
    object.__setattr__(counts_only, "stored_tiles", None)
    sections = [*SECTIONS, counts_only]
    runs = plan_runs("tiny", sections, ["section-out"], ["mean", "ridge"], **PARAMETERS)
    with pytest.raises(RunsFailed, match="4 of 8 runs failed"):
        run_study(runs, sections, Serial(), print, device="cpu")
    assert {(s.run.method, s.status) for s in statuses(runs, sections)} == {
        ("mean", "done"),
        ("ridge", "failed"),
    }


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (0.96, "1.0 s"),
        (1, "1 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (360_000, "100.0 h"),
    ],
)
def test_a_duration_in_words(seconds, said):
    assert duration(seconds) == said
