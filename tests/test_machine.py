"""Where macOS differs, as far as it can be shown without one."""

import os
from types import SimpleNamespace

import pytest
import torch

from compendium import machine
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
