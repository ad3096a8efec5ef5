"""Precomputed augmented features: who loads them, what is drawn, and that runs repeat exactly."""

import numpy as np
import pytest
import torch

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.images.augment.views import view_names
from compendium.runs import plan_run, run_once
from compendium.runs.inputs.batches import augmented_views, batch, inputs, training
from compendium.runs.inputs.prepare import training_set
from compendium.runs.study.cost import features_left
from conftest import tiny_section

pytestmark = pytest.mark.slow

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2"), tiny_section("S3", patient="P3")]
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")
ENCODER = {"encoder": "test_resnet.r160_in1k", "weights": "random", "tile_px": 64}


def planned(method, **words):
    return plan_run(
        "tiny", SPLIT, method, sections=SECTIONS, panel="all", budget="smoke", **ENCODER | words
    )


def loaded(run):
    parts, target = training_set(run, SECTIONS)
    return [inputs(run, part, target, "cpu", training=True) for part in parts]


@pytest.mark.parametrize(
    ("method", "words", "drawn"),
    [
        ("hist2st", {}, ("hist2st", True)),
        ("hist2st", {"view": "stnet"}, ("stnet", True)),
        ("hist2st-lite0", {"view": "none"}, ("none", True)),
        ("hist2st", {"distill": 0.0}, None),
        ("hist2st", {"distill": 0.0, "augment": "randaugment"}, ("randaugment", False)),
        ("hist2st", {"encoder": "own", "width": 8}, None),
        ("regclass", {"view": "bleep"}, ("bleep", True)),
        ("hist2st-gat", {}, None),
        ("hist2st-gat", {"augment": "stimage"}, ("stimage", False)),
        ("stnet", {}, None),
        ("stnet", {"augment": "stnet"}, ("stnet", False)),
        ("histogene", {}, None),
    ],
)
def test_a_bank_is_loaded_where_it_is_drawn_from(method, words, drawn):
    assert augmented_views(planned(method, **words)) == (view_names(*drawn) if drawn else ())


def test_two_kinds_of_views_at_once_are_refused():
    with pytest.raises(BadInput, match="give augment=none, or distill=0"):
        augmented_views(planned("hist2st", augment="stnet"))


def test_a_spot_is_shown_one_of_its_own_eight_views(home):
    run = planned("stnet", augment="stnet")
    part = loaded(run)[0]
    assert part.augmented.shape == (8, 24, 96)
    np.testing.assert_array_equal(part.augmented[0], part.image)
    torch.manual_seed(0)
    rows = np.tile(np.arange(24), 20)
    drawn = batch(run, part, rows, augment=True)
    assert drawn.views is None
    which = (torch.from_numpy(part.augmented)[:, rows] == drawn.image).all(dim=2)
    assert (which.sum(dim=0) >= 1).all()
    assert (which.sum(dim=1) > 20).all()  # each of the eight is drawn
    np.testing.assert_array_equal(batch(run, part, rows[:24]).image.numpy(), part.image)
    assert all(
        mixed.views is None and len(mixed.image) == len(mixed.target)
        for mixed in training(run, loaded(run), 0)
    )


def test_views_follow_the_spots_when_patches_are_shuffled(home):
    straight, mixed = (loaded(planned("hist2st", permute=permute))[0] for permute in (False, True))
    order = [int(np.flatnonzero((straight.image == row).all(axis=1))[0]) for row in mixed.image]
    assert order != list(range(24))
    np.testing.assert_array_equal(mixed.augmented, straight.augmented[:, order])
    (first, _) = training(planned("hist2st"), [straight, straight], 0)
    assert first.views.shape == (8, 24, 96)


@pytest.mark.parametrize(
    ("method", "words"),
    [("hist2st", {}), ("hist2st", {"view": "deepspace"}), ("stnet", {"augment": "stnet"})],
)
def test_a_run_on_the_bank_is_made_again_bit_for_bit(method, words, tmp_path, monkeypatch):
    found = []
    for place in ("one", "two"):
        monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / place))
        record = run_once(planned(method, **words), SECTIONS, "cpu")
        assert ("distillation" in record.facts["curve"][0]) is (method == "hist2st")
        found.append(record.predictions["S3"])
    np.testing.assert_array_equal(*found)


def test_input_scale_and_views_reach_the_features_and_their_price(home):
    run = planned("stnet", scale="0-255")
    assert not np.allclose(loaded(run)[0].image, loaded(planned("stnet"))[0].image)
    features_left([planned("hist2st")], SECTIONS, "cpu")  # prices what is left by computing one
    views = {
        path for section in SECTIONS for path in (home / "features").rglob(f"*{section.name}-*.npy")
    }
    assert len(views) == 5  # two scales of S1 and S2, and the cheapest of what is left
