"""Memory and threads of processes; where macOS differs, as far as it can be shown without one."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from compendium import machine, processes
from compendium.errors import BadInput
from compendium.runs.fit import pick_device


def test_cores_are_counted_where_the_system_names_none(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda of: {0, 3}, raising=False)
    assert machine.cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.cores() == 5


@pytest.mark.parametrize(("platform", "mb"), [("linux", 3 * 1024), ("darwin", 3)])
def test_peak_memory_is_in_mib(monkeypatch, platform, mb):
    monkeypatch.setattr(
        machine.resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=3 * 2**20)
    )
    monkeypatch.setattr(machine.sys, "platform", platform)
    assert machine.peak_memory_mb() == mb


@pytest.mark.parametrize(
    ("found", "auto"),
    [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")],
)
def test_a_gpu_is_taken_where_there_is_one_and_none_is_made_up(monkeypatch, found, auto):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in found)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in found)
    assert (pick_device("auto"), pick_device("cpu")) == (auto, "cpu")
    for word in ("cuda", "mps"):
        if word in found:
            assert pick_device(word) == word
        else:
            with pytest.raises(BadInput, match=f"device {word} asked for"):
                pick_device(word)


def test_double_precision_is_had_on_the_cpu_where_the_gpu_has_none():
    x = torch.tensor([0.1], requires_grad=True)
    assert machine.double(x).dtype == torch.float64
    apple = SimpleNamespace(device=SimpleNamespace(type="mps"), cpu=lambda: x, double=None)
    assert torch.equal(machine.double(apple), x.double())


FREED = """
import resource, sys
import numpy as np
from compendium.machine import keep_freed_memory

kept = sys.argv[1] == "keep" and keep_freed_memory()
held = [np.ones(2**18) for _ in range(20)]
del held
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    held = [np.ones(2**18) for _ in range(20)]
    del held
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the option")
def test_freed_memory_is_kept_for_the_next_array():
    """Twenty times 40 MiB: 10,240 pages a time, or none."""

    def faults(how: str) -> list[int]:
        ran = subprocess.run([sys.executable, "-c", FREED, how], capture_output=True, check=True)
        return [int(number) for number in ran.stdout.split()]

    kept, pages = faults("keep")
    assert kept == 1
    assert pages < 2_000
    assert faults("as it is")[1] > 50_000


@pytest.mark.parametrize("answer", [ValueError("macOS"), OSError("musl"), None])
def test_other_c_libraries_stay_as_they_are(monkeypatch, answer):
    def confstr(name: str) -> None:
        if answer:
            raise answer

    monkeypatch.setattr(os, "confstr", confstr)
    assert not machine.keep_freed_memory.__wrapped__()


@pytest.mark.parametrize(("given", "threads"), [(None, "4"), ("3", "3")])
def test_workers_and_what_they_start_share_the_cores(monkeypatch, given, threads):
    monkeypatch.setattr(processes, "cores", lambda: 9)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    with processes.workers(2) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == threads
    assert os.environ.get("OMP_NUM_THREADS") == given
