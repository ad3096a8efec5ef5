"""Executors: the same numbers everywhere, each run computed once, and workers that die."""

import dataclasses
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch

import watched
from compendium import storage as disk
from compendium.data.prepare import folder
from compendium.errors import BadInput
from compendium.runs.execution import PackedSections, RunsFailed, attempt
from compendium.runs.executors import executor as start
from compendium.runs.executors.dask import check_address
from compendium.runs.study.progress import statuses
from watched import PARAMETERS, planned, predictions, same, saved

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def serial(tmp_path_factory) -> Iterator[dict[str, np.ndarray]]:
    """What one process with one thread predicts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("serial")))
        sections = saved()
        yield predictions(planned(sections), sections)
    torch.set_num_threads(threads)


@pytest.fixture
def watch(home, monkeypatch):
    """Runs are watched, and a worker has one thread, as the serial reference."""
    monkeypatch.setattr("compendium.runs.execution.attempt", watched.attempt)
    monkeypatch.setattr("compendium.runs.executors.local.cores", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return home


class Cluster:
    """A Dask scheduler and two workers, each a process of its own, over TCP on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.contact, self.processes = folder, folder / "scheduler.json", []
        self.start("scheduler", "--port", "0", "--scheduler-file", str(self.contact))
        self.workers = [
            self.start(
                "worker",
                "--nthreads",
                "1",
                "--no-nanny",
                "--scheduler-file",
                str(self.contact),
                "--local-directory",
                str(folder),
            )
            for _ in range(2)
        ]

    def start(self, what: str, *options: str) -> subprocess.Popen:
        """In another folder and home than the test's, as on another machine."""
        environment = os.environ | {
            "COMPENDIUM_HOME": str(self.folder / "elsewhere"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": watched.paths(),
        }
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{what}",
            "--host",
            "127.0.0.1",
            "--dashboard-address",
            "127.0.0.1:0",
            *options,
        ]
        with (self.folder / "log").open("a") as log:
            self.processes.append(
                subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
            )
        return self.processes[-1]

    def address(self, workers: int = 2) -> str:
        """Where the scheduler is, once so many workers have come."""
        from distributed import Client

        address = watched.until(
            lambda: (
                self.contact.exists()
                and json.loads(self.contact.read_text() or "{}").get("address")
            )
        )
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        return address

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def dask(tmp_path_factory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.stop()


def test_threads_of_one_process_do_not_mix_their_draws(serial, home):
    sections = saved()
    with ThreadPoolExecutor(3) as pool:
        same(predictions(planned(sections), sections, executor=pool), serial)


def test_two_executors_on_one_home_make_each_run_once(dask, serial, watch):
    sections = saved()
    runs, bad = planned(sections), planned(sections, ["stnet"], lr=1e30)
    with (
        start("local", workers=2) as (local, two),
        start("dask", address=dask.address()) as (remote, count),
        ThreadPoolExecutor(2) as both,
    ):
        assert (two, count) == (2, 2)
        for study in [
            both.submit(predictions, runs + bad, sections, executor=each)
            for each in (local, remote)
        ]:
            with pytest.raises(
                RunsFailed,
                match="3 of 12 runs failed, the others are stored; first stnet .*lower lr",
            ) as error:
                study.result()
            assert "\n" not in str(error.value)
    same(predictions(runs, sections), serial)
    assert sorted(line for line in watched.made(watch) if "stnet" not in line) == sorted(
        f"{run.method} {run.split.name} 0" for run in runs
    )
    assert [(now.status, "lower lr" in now.reason) for now in statuses(runs + bad, sections)] == [
        ("done", False)
    ] * 9 + [("failed", True)] * 3
    assert not (dask.folder / "elsewhere").exists()
    assert not list(watch.rglob("*.partial"))


def test_a_dask_worker_that_is_killed_is_replaced_from_its_checkpoint(dask, serial, watch):
    sections = saved()
    runs = planned(sections)
    (watch / "gate").touch()
    with start("dask", address=dask.address()) as (remote, _), ThreadPoolExecutor(1) as beside:
        study = beside.submit(predictions, runs, sections, executor=remote)
        killed = watched.until(
            lambda: {run: process for run in runs if (process := watched.held(watch, run))}
        )
        run, process = killed.popitem()
        assert process in [worker.pid for worker in dask.workers]
        os.kill(process, signal.SIGKILL)
        (watch / "gate").unlink()
        same(study.result(), serial)
    trained = watched.epochs(watch, run)
    assert [epoch for _, epoch in trained] == list(range(watched.EPOCHS))
    assert {at for at, epoch in trained if epoch > watched.HELD} == {
        worker.pid for worker in dask.workers
    } - {process}
    assert sorted(watched.made(watch)) == sorted(
        [*(f"{r.method} {r.split.name} 0" for r in runs), f"{run.method} {run.split.name} 0"]
    )


def test_a_local_worker_that_is_killed_is_told_and_the_next_call_goes_on(serial, watch):
    sections = saved()
    runs = planned(sections)
    (watch / "gate").touch()
    with start("local", workers=1) as (pool, _), ThreadPoolExecutor(1) as beside:
        study = beside.submit(predictions, runs, sections, executor=pool)
        run = watched.until(lambda: next((run for run in runs if watched.held(watch, run)), None))
        os.kill(watched.held(watch, run), signal.SIGKILL)
        with pytest.raises(
            RunsFailed, match="the executor gave up .* run the same again to continue"
        ) as error:
            study.result()
    assert "\n" not in str(error.value)
    (watch / "gate").unlink()
    same(predictions(runs, sections), serial)
    assert [epoch for _, epoch in watched.epochs(watch, run)] == list(range(watched.EPOCHS))
    assert len({process for process, _ in watched.epochs(watch, run)}) == 2


@contextmanager
def local_study(home: Path) -> Iterator[subprocess.Popen]:
    """The command, with one worker, in a session of its own that is gone at the end."""
    (home / "gate").touch()
    words = [
        "--methods",
        "histogene",
        "--splits",
        "section-out",
        "--executor",
        "local",
        "--workers",
        "1",
        *(f"-p{key}={value}" for key, value in PARAMETERS.items()),
    ]
    command, environment = (
        [sys.executable, "-c", "import watched; watched.main()", "study", "her2st", *words],
        os.environ | {"PYTHONPATH": watched.paths()},
    )
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_local_workers_end_with_the_command(tmp_path, monkeypatch):
    begun = {}
    with ExitStack() as both:
        for how in (signal.SIGINT, signal.SIGKILL):
            monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / how.name))
            sections = saved()
            begun[how] = both.enter_context(local_study(tmp_path / how.name))
        (run, *_) = planned(sections, ["histogene"])
        for how, process in begun.items():
            watched.until(lambda home=tmp_path / how.name: watched.held(home, run))
            (os.killpg if how == signal.SIGINT else os.kill)(
                process.pid, how
            )  # Ctrl-C reaches the workers too
            _, err = process.communicate(timeout=30)  # returns when all that write there have ended
            monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / how.name))
            assert [now.status for now in statuses([run], sections)] == ["interrupted"]
            if how == signal.SIGINT:
                assert process.returncode == 130
                assert (
                    err.splitlines()[-1]
                    == "compendium: interrupted; what was finished is kept, run the same command to"
                    " continue"
                )
                assert "Traceback" not in err


def test_a_section_travels_as_its_folder_and_a_changed_one_whole(home):
    section = saved()[0]
    changed = dataclasses.replace(section, counts=section.counts * 2)
    assert len(pickle.dumps(section)) < 1000
    assert len(pickle.dumps(changed)) > section.stored_tiles.nbytes
    for sent in (section, changed):
        (arrived,) = pickle.loads(pickle.dumps(PackedSections([sent]))).open()
        assert arrived.digest == sent.digest
        assert (arrived.counts != sent.counts).nnz == 0
        np.testing.assert_array_equal(arrived.stored_tiles, sent.stored_tiles)


def test_a_home_named_from_here_is_the_same_place_for_a_worker_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMPENDIUM_HOME", "here")
    sent, at = pickle.dumps(saved()[0]), str(disk.home())
    monkeypatch.chdir("/")
    assert len(pickle.loads(sent)) == 24
    assert at == str(tmp_path / "here")


def test_a_section_that_is_prepared_anew_in_between_is_refused(home):
    sections = saved()
    (run, *_) = planned(sections, ["mean"])
    sent = pickle.dumps(PackedSections(sections))
    dataclasses.replace(sections[0], counts=sections[0].counts * 2).save(folder("her2st", "B4"))
    end = attempt(run, pickle.loads(sent), "cpu", str(home))
    assert "B4 has changed since the work on it began" in end
    assert not list(home.rglob("run.json"))


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:8786",
        "tcp://[::1]:8786",
        "tcp://localhost:8786",
        "tls://10.1.2.3:8786",
        "tls://gpu-7:8786",
    ],
)
def test_addresses_that_nobody_else_can_talk_to(address):
    check_address(address)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://10.1.2.3:8786", "unprotected"),
        ("tcp://0.0.0.0:8786", "unprotected"),
        ("tcp://localhost.evil.org:8786", "unprotected"),
        ("", "is no address"),
        ("127.0.0.1:8786", "is no address"),
        ("tcp://127.0.0.1", "is no address"),
        ("tcp://127.0.0.1:port", "is no address"),
        ("tcp://[::1:8786", "is no address"),
        ("http://127.0.0.1:8786", "is no address"),
    ],
)
def test_addresses_that_are_refused(address, says):
    with pytest.raises(BadInput, match=says) as error:
        check_address(address)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("word", "words", "says"),
    [
        ("ray", {}, "unknown executor 'ray'; known: serial, local, dask, slurm"),
        ("local", {"workers": -1}, "workers is -1"),
        ("serial", {"workers": 2}, "--workers goes with executor local or slurm, not with serial"),
        ("dask", {"workers": 2}, "--workers goes with executor local or slurm, not with dask"),
        (
            "local",
            {"address": "tcp://127.0.0.1:8786"},
            "--address goes with executor dask, not with local",
        ),
        ("dask", {"slurm": {"timeout_min": 5}}, "--slurm goes with executor slurm, not with dask"),
        ("dask", {}, "is no address of a Dask scheduler"),
        ("dask", {"address": "tls://127.0.0.1:8786"}, "TLS"),
    ],
)
def test_executors_that_are_refused(word, words, says):
    with pytest.raises(BadInput, match=says) as error, start(word, **words):
        pass
    assert "\n" not in str(error.value)


def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr("compendium.runs.executors.dask.CONNECT_SECONDS", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(BadInput, match=f"no Dask scheduler answers at {address}") as error,
            start("dask", address=address),
        ):
            pass
    assert "\n" not in str(error.value)
