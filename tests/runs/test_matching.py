"""Matched arms: as many spots and as deep, the same at every call."""

import dataclasses

import numpy as np
import pytest

from compendium.data.splits import folds
from compendium.runs import plan_run
from compendium.runs.inputs.batches import inputs
from compendium.runs.inputs.matching import TrainingSubset, matched, size, subset, thinned, uncut
from compendium.runs.inputs.prepare import training_set
from conftest import tiny_section

SECTIONS = [
    tiny_section(name, patient, labelled=True)
    for name, patient in (("S1", "P1"), ("S2", "P1"), ("S3", "P2"), ("S4", "P3"))
]
GENES = list(SECTIONS[0].genes)


def test_both_arms_are_matched_in_spots_and_depth():
    deep = [dataclasses.replace(s, counts=s.counts * 10) for s in SECTIONS[:2]]
    shallow = [tiny_section("S9", patient="P9", spots=30)]
    for mine, other in ((deep, shallow), (shallow, deep)):
        cut = [part.section for part in matched(uncut(mine), uncut(other), GENES, seed=0)]
        assert size(cut, GENES)[0] == 30
        assert size(cut, GENES)[1] == pytest.approx(size(shallow, GENES)[1], rel=0.15)
    assert [part.section for part in matched(uncut(shallow), uncut(deep), GENES, seed=0)] == shallow


def test_features_of_a_cut_section_are_those_of_the_whole():
    (part,) = matched(
        uncut(SECTIONS[:1]), uncut([tiny_section("S9", patient="P9", spots=9)]), GENES, seed=0
    )
    fold = folds("section-out", SECTIONS)[0]
    run = plan_run("tiny", fold, "colour", sections=SECTIONS, panel="all", tile_px=32)
    whole, cut = (
        inputs(run, each, None, "cpu") for each in (TrainingSubset(SECTIONS[0], SECTIONS[0]), part)
    )
    assert len(cut) == 9
    np.testing.assert_array_equal(cut.image, whole.image[part.rows])


def test_matching_is_deterministic_and_used_by_the_arms():
    arm = next(f for f in folds("matched-within", SECTIONS) if f.test == ("S1",))
    run = plan_run("tiny", arm, "ridge", sections=SECTIONS, panel="all")
    one, two = (training_set(run, SECTIONS)[0] for _ in range(2))
    assert [len(part.section) for part in one] == [24]
    assert all(
        (a.section.counts != b.section.counts).nnz == 0 for a, b in zip(one, two, strict=True)
    )


def test_thinning_keeps_molecules_and_subset_keeps_rows():
    half = thinned(SECTIONS[0], 0.5, np.random.default_rng(0))
    assert (half.counts.toarray() <= SECTIONS[0].counts.toarray()).all()
    assert half.counts.sum() == pytest.approx(SECTIONS[0].counts.sum() / 2, rel=0.1)
    some = subset(SECTIONS[0], np.array([2, 5]))
    assert some.spots.tolist() == SECTIONS[0].spots[[2, 5]].tolist()
    assert (some.counts != SECTIONS[0].counts[[2, 5]]).nnz == 0
