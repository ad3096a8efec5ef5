"""Attention over a whole section stores no matrix of spots by spots, forward or backward.

The textbook form, which does, is measured beside it.
"""

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from compendium.methods.layers import Attention

BENCHMARK = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "attention.py"))
Textbook = BENCHMARK["Textbook"]
SPOTS = (500, 1000, 2000)


class Largest(TorchDispatchMode):
    """Notes the number of values of the largest tensor that any operation returns."""

    numel = 0

    def __torch_dispatch__(self, operation, types, arguments=(), words=None):
        returned = operation(*arguments, **(words or {}))
        for tensor in returned if isinstance(returned, (tuple, list)) else (returned,):
            self.numel = max(self.numel, tensor.numel() if isinstance(tensor, torch.Tensor) else 0)
        return returned


def run(form, spots) -> tuple[int, int]:
    """Bytes kept from the forward for the backward pass, each storage once.

    Then values of the largest tensor of both passes.
    """
    torch.manual_seed(0)
    layer, x, kept = form(64, 2, 0.0), torch.randn(spots, 64, requires_grad=True), {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with Largest() as largest:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            y = layer(x)
        y.sum().backward()
    return sum(kept.values()), largest.numel


@pytest.mark.parametrize(("form", "low", "high"), [(Attention, 0.8, 1.1), (Textbook, 1.6, 2.1)])
def test_what_is_kept_for_the_backward_pass_grows_with_the_spots(form, low, high):
    kept = [run(form, spots)[0] for spots in SPOTS]
    assert low < np.polyfit(np.log(SPOTS), np.log(kept), 1)[0] <= high


@pytest.mark.parametrize(("form", "quadratic"), [(Attention, False), (Textbook, True)])
def test_no_tensor_holds_a_value_for_each_pair_of_spots(form, quadratic):
    assert (run(form, 1000)[1] >= 1000**2) == quadratic


def test_textbook_form_is_the_same_function():
    torch.manual_seed(0)
    ours, theirs, x = Attention(64, 2, 0.0), Textbook(64, 2, 0.0), torch.randn(30, 64)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))


def test_exponent_is_fitted_where_memory_can_be_told_from_the_baseline():
    assert BENCHMARK["exponent"](
        [500, 1000, 2000, 4000], [31.0, 64.0, 128.0, 256.0]
    ) == pytest.approx(1)
    assert np.isnan(BENCHMARK["exponent"]([500, 1000], [5.0, 40.0]))


def test_benchmark_prints_a_row_for_each_size(monkeypatch, capsys):
    main = BENCHMARK["main"]
    monkeypatch.setitem(
        main.__globals__, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1)
    )  # here, quickly; memory is then that of the tests
    monkeypatch.setitem(main.__globals__, "fits", lambda spots: spots < 300)
    main([200, 300])
    said = capsys.readouterr().out
    assert [
        len(line.split()) for line in said.splitlines() if line.split()[0] in ("200", "300")
    ] == [5, 7]
    assert "does not fit here" in said and said.count("grows with spots") == 2
