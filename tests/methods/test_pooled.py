"""Batches of pooled sections: the same as of each section by itself."""

import numpy as np
import pytest
import torch

from compendium.runs.inputs.batches import Inputs, inputs, pooled, training
from compendium.runs.inputs.prepare import training_set
from tiny_fits import SECTIONS, smoke


@pytest.mark.parametrize("augment", ["none", "stnet"])
def test_pooled_sections_give_the_same_batches(home, augment):
    run = smoke("stnet", augment=augment, batch=20)
    subsets, target = training_set(run, SECTIONS)
    sections = [inputs(run, each, target, "cpu", training=True) for each in subsets]
    both = []
    for pool in (None, pooled(run, sections)):
        torch.manual_seed(3)
        both.append(list(training(run, sections, 1, pool=pool)))
    assert len(both[0]) == 3
    for apart, joint in zip(*both, strict=True):
        for name, values in vars(apart).items():
            assert values is None or torch.equal(values, getattr(joint, name))


def test_tiles_and_whole_sections_are_not_pooled():
    assert pooled(smoke("histogene"), []) is None
    tiles = Inputs(np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 2), np.int32))
    assert pooled(smoke("stnet"), [tiles]) is None
