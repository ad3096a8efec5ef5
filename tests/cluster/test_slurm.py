"""The Slurm executor on a real cluster of one node: one array, requeued runs, lost jobs."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import watched
from compendium.errors import BadInput
from compendium.runs import store
from compendium.runs.execution import RunsFailed
from compendium.runs.executors import executor as start
from compendium.runs.study.progress import folders, statuses
from compendium.storage import is_locked
from conftest import skip_or_fail
from one_node import OneNode, missing
from watched import planned, predictions, same, saved


@pytest.fixture(scope="module")
def cluster() -> Iterator[OneNode]:
    if name := missing():
        skip_or_fail(f"{name} is not installed; apt-get install slurm-wlm munge")
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        folder.chmod(0o755)  # munge's socket is for everybody
        cluster = OneNode(folder)
        for key, value in (
            cluster.environment | {"OMP_NUM_THREADS": "1", "PYTHONPATH": watched.paths()}
        ).items():
            patch.setenv(key, value)
        patch.setattr("compendium.runs.executors.slurm.POLL_SECONDS", 0.5)
        try:
            cluster.begin()
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(folder)


@pytest.fixture
def serial(tmp_path, monkeypatch) -> Iterator[Callable]:
    """Computes what one process with one thread predicts, in a home of its own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def compute(runs) -> dict[str, np.ndarray]:
        with monkeypatch.context() as patch:
            patch.setenv("COMPENDIUM_HOME", str(tmp_path / "serial"))
            return predictions(runs, saved())

    yield compute
    torch.set_num_threads(threads)


@pytest.fixture
def watch(home, monkeypatch) -> Path:
    monkeypatch.setattr("compendium.runs.execution.attempt", watched.attempt)
    return home


def tasks(cluster: OneNode, states: str = "all") -> dict[str, str]:
    """Job id -> state, and why it waits, of what is in the queue."""
    return dict(
        line.split(maxsplit=1)
        for line in cluster.ask(
            "squeue", "--noheader", "--array", f"--states={states}", "--format=%i %T:%r"
        ).splitlines()
    )


def test_one_array_gives_the_numbers_of_one_process(cluster, serial, watch):
    sections = saved()
    runs, (bad, *_) = planned(sections)[:3], planned(sections, ["stnet"], lr=1e30)
    before = set(tasks(cluster))
    with (
        start("slurm") as (executor, _),
        pytest.raises(
            RunsFailed, match="1 of 4 runs failed, the others are stored; stnet .*lower lr"
        ),
    ):
        predictions([*runs, bad], sections, executor=executor)
    (array,) = {job.split("_")[0] for job in set(tasks(cluster)) - before}
    assert {job for job in tasks(cluster) if job.startswith(array)} == {
        f"{array}_{i}" for i in range(4)
    }
    assert sorted(watched.made(watch)) == sorted(
        f"{run.method} {run.split.name} 0" for run in [*runs, bad]
    )
    assert [now.status for now in statuses([*runs, bad], sections)] == ["done"] * 3 + ["failed"]
    same(predictions(runs, sections), serial(runs))
    assert len(list((watch / "slurm").iterdir())) == 1


@contextmanager
def submitted(cluster: OneNode, runs, sections, **words) -> Iterator[Future]:
    """The predictions to be; jobs that a test leaves behind are cancelled."""
    with start("slurm", **words) as (executor, _), ThreadPoolExecutor(1) as beside:
        try:
            yield beside.submit(predictions, runs, sections, executor=executor)
        finally:
            cluster.ask("scancel", "--me")


def test_runs_that_are_put_back_go_on_from_their_checkpoint(cluster, serial, watch):
    sections = saved()
    runs = planned(sections, ["histogene"])[:2]
    (watch / "gate").touch()
    with submitted(
        cluster, runs, sections, slurm={"timeout_min": 5}
    ) as study:  # so short that submitit takes any signal for the end of the time
        watched.until(lambda: all(watched.held(watch, run) for run in runs))
        first = [watched.held(watch, run) for run in runs]
        one, two = tasks(cluster, "running")
        cluster.ask(
            "scancel", "--signal=USR2", one
        )  # what Slurm sends before the time is up; submitit then puts the job back
        watched.until(lambda: tasks(cluster)[one].startswith("PENDING"))
        assert list(tasks(cluster, "running")) == [two]
        cluster.crash()
        watched.until(
            lambda: (
                not any(
                    is_locked(store.workplace(target) / store.LOCK)
                    for target in folders(runs, sections)
                )
            )
        )
        (watch / "gate").unlink()
        same(study.result(90), serial(runs))
    for run, process in zip(runs, first, strict=True):
        trained = watched.epochs(watch, run)
        assert [epoch for _, epoch in trained] == list(range(watched.EPOCHS))
        assert [at == process for at, _ in trained] == [
            epoch <= watched.HELD for epoch in range(watched.EPOCHS)
        ]
    assert len(watched.made(watch)) == 4


def test_jobs_that_leave_nothing_are_told_and_the_next_call_goes_on(cluster, serial, watch):
    sections = saved()
    runs = planned(sections, ["histogene"])[:2] + planned(sections, ["mean"])[:1]
    (watch / "gate").touch()
    with submitted(cluster, runs, sections, workers=1) as study:
        process = watched.until(lambda: watched.held(watch, runs[0]))
        assert sorted(tasks(cluster, "running,pending").values()) == [
            "PENDING:JobArrayTaskLimit"
        ] * 2 + ["RUNNING:None"]
        os.kill(process, signal.SIGKILL)
        watched.until(lambda: watched.held(watch, runs[1]))
        (job,) = tasks(cluster, "running")
        cluster.ask("scancel", job)
        with pytest.raises(
            RunsFailed,
            match=r"2 of 3 Slurm jobs left no result .*_0 FAILED, \d+_1 CANCELLED.* run the same",
        ) as error:
            study.result(90)
    assert "\n" not in str(error.value)
    assert [now.status for now in statuses(runs, sections)] == [
        "interrupted",
        "interrupted",
        "done",
    ]
    (watch / "gate").unlink()
    same(predictions(runs, sections), serial(runs))
    assert [epoch for _, epoch in watched.epochs(watch, runs[0])] == list(range(watched.EPOCHS))


@pytest.mark.parametrize("words", [{"slurm_partiton": "gpu"}, {"timeout_min": "long"}, {"gpu": 1}])
def test_words_that_slurm_does_not_know(cluster, words, home):
    with (
        pytest.raises(BadInput, match="no Slurm job can be made here") as error,
        start("slurm", slurm=words),
    ):
        pass
    assert "\n" not in str(error.value)


def test_a_cluster_that_refuses_is_one_line(cluster, home):
    sections = saved()
    with (
        start("slurm", slurm={"slurm_partition": "nowhere"}) as (executor, _),
        pytest.raises(RunsFailed, match="the executor gave up .*invalid partition") as error,
    ):
        predictions(planned(sections)[:2], sections, executor=executor)
    assert "\n" not in str(error.value)
