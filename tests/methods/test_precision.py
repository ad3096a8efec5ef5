"""Runs in bfloat16: another identity, nearly the same numbers, likelihoods in full precision."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from compendium.methods import names, recipe
from compendium.methods.hist2st_layers import CountHead
from compendium.methods.layers import Batch
from compendium.runs import run_once
from compendium.runs.study.cost import kind
from tiny_fits import SECTIONS, smoke

TRAINED = [name for name in names() if recipe(name).optimiser != "closed form"]


def test_precision_is_part_of_the_identity_and_the_usual_one_is_not_written():
    usual = smoke("histogene")
    other = smoke("histogene", precision="bf16")
    assert usual.precision == "float32"
    assert other.identity(SECTIONS) != usual.identity(SECTIONS)
    assert replace(other, precision="float32").identity(SECTIONS) == usual.identity(SECTIONS)
    assert kind(vars(other)) != kind(vars(usual))
    assert "precision = bf16" in other.line
    assert "precision" not in usual.line


def test_a_closed_form_is_solved_in_full_precision():
    assert smoke("ridge", precision="bf16").precision == "float32"


@pytest.mark.parametrize("method", TRAINED)
def test_every_method_trains_and_predicts_in_bfloat16(method, home):
    record = run_once(smoke(method, precision="bf16"), SECTIONS, "cpu")
    assert np.isfinite([list(row.values()) for row in record.facts["curve"]]).all()
    assert record.predictions["S3"].dtype == np.float32
    assert json.loads((record.folder / "run.json").read_text())["precision"] == "bf16"


def test_a_section_model_predicts_nearly_the_same(home):
    def predicted(precision: str) -> np.ndarray:
        run = smoke("histogene", epochs=40, dropout=0.0, precision=precision)
        values = run_once(run, SECTIONS, "cpu").predictions["S3"]
        return values - values.mean(axis=0)  # what differs between spots

    half, full = predicted("bf16"), predicted("float32")
    assert np.corrcoef(half.ravel(), full.ravel())[0, 1] > 0.99
    assert not np.array_equal(half, full)


@pytest.mark.parametrize("nb", [True, False])
def test_likelihoods_are_those_of_full_precision(nb):
    torch.manual_seed(0)
    head, state = CountHead(16, 30, nb), torch.randn(20, 16)
    counts = torch.randint(0, 50, (20, 30)).float()
    batch = Batch(state, torch.zeros(20, 2).long(), counts=counts, size=torch.rand(20))
    expected = head.loss(state, batch)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head.loss(state, batch), expected)
