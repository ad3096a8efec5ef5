"""Regclass: the classification term, labelled or not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.methods.layers import Batch, ModelSpec
from compendium.methods.regclass import Regclass, cross_entropy
from compendium.runs import plan_run
from compendium.runs.inputs.batches import class_names, class_numbers
from compendium.runs.inputs.matching import uncut
from conftest import tiny_section

SMALL = {"width": 16, "layers": 1, "heads": 1, "graph_layers": 1, "positions": 8, "distill": 0.0}
LABELS = torch.tensor([0, 1, 2, -1, 1, 0, -1, 2, 2, 1, 0, 1])


def section(labels=LABELS):
    torch.manual_seed(1)
    counts = torch.poisson(torch.rand(12, 5) * 4)
    return Batch(
        torch.rand(12, 6),
        torch.cartesian_prod(torch.arange(4), torch.arange(3)),
        counts.log1p(),
        counts,
        torch.ones(12),
        labels,
    )


def build(**words):
    torch.manual_seed(0)
    return Regclass(ModelSpec(5, torch.ones(5), classes=3, features=6), **SMALL | words)


@pytest.mark.parametrize(("double", "value"), [(False, "ce_proper"), (True, "ce_on_softmax")])
def test_cross_entropy_as_published_and_as_it_should_be(golden, double, value):
    with np.load(golden / "pieces.npz", allow_pickle=False) as file:
        probability, label, expected = (
            torch.from_numpy(np.asarray(file[f"regclass.{name}"]))
            for name in ("prob", "label", value)
        )
    torch.testing.assert_close(
        cross_entropy(probability.log(), label, double), expected, rtol=1e-5, atol=1e-6
    )


def test_spots_without_a_class_are_left_out():
    logits = torch.randn(12, 3)
    known = LABELS >= 0
    torch.testing.assert_close(
        cross_entropy(logits, LABELS),
        torch.nn.functional.cross_entropy(logits[known], LABELS[known]),
    )
    assert cross_entropy(logits, torch.full((12,), -1)) == 0


def test_gamma_weighs_the_term_and_an_unlabelled_section_adds_nothing():
    batch = section()
    one, ten = (build(gamma=gamma, dropout=0.0).eval().losses(batch) for gamma in (1.0, 10.0))
    torch.testing.assert_close(ten["classification"], 10 * one["classification"])
    torch.testing.assert_close(ten["mean squared error"], one["mean squared error"])
    method = build()
    terms = method.losses(replace(batch, labels=torch.full((12,), -1)))
    assert terms["classification"] == 0
    sum(terms.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_classifier_reads_the_state_and_gives_probabilities():
    sides = torch.tensor(
        [0, 0, -1, 1, 1, 1, 1, 1, 1, 2, -1, 2]
    )  # left, middle, right of the section
    method, batch = build(loops=True, graph_layers=2, width=32, gain=1.0), section(sides)
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    for _ in range(130):
        optimiser.zero_grad()
        sum(method.losses(batch).values()).backward()
        optimiser.step()
    method.losses(batch)["classification"].backward()
    assert method.graph[0].weight.grad.abs().sum() > 0
    found = method.eval().classify(batch)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(12))
    assert (found.argmax(dim=1) == sides)[sides >= 0].float().mean() > 0.8


def test_classes_are_those_that_the_training_sections_name():
    first, second = tiny_section("S1", labelled=True), tiny_section("S2")
    other = replace(first, labels=np.array(["undetermined", "", "red", "green"] * 6))
    assert class_names(uncut([first, second])) == ["pale", "red"]
    assert class_names(uncut([first, other])) == ["green", "pale", "red"]
    assert class_numbers(other, ["pale", "red"])[:4].tolist() == [-1, -1, 1, -1]


def test_without_labels_there_is_nothing_to_learn():
    with pytest.raises(BadInput, match="at least 2 classes"):
        Regclass(ModelSpec(5, torch.zeros(5), features=6), **SMALL)


def test_gamma_is_not_negative():
    with pytest.raises(BadInput, match="gamma"):
        plan_run(
            "tiny",
            Split("section-out", ("S1",), (), ("S2",), "section S2"),
            "regclass",
            sections=[tiny_section("S1"), tiny_section("S2")],
            gamma=-1.0,
        )
