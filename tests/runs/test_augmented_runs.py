"""Runs with augmented tiles: what a batch holds, and in which order tiles change."""

import dataclasses

import numpy as np
import pytest
import torch

from compendium.data.splits import Split
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.runs import plan_run, run_once
from compendium.runs.inputs.batches import batch, in_order, inputs, training
from compendium.runs.inputs.matching import uncut
from conftest import tiny_section

pytestmark = pytest.mark.slow

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2"), tiny_section("S3", patient="P3")]
ALIKE = dataclasses.replace(
    SECTIONS[0], stored_tiles=np.repeat(SECTIONS[0].stored_tiles[:1], 24, axis=0)
)
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")
TINY = {"width": 32, "channels": 16, "patch": 8, "tile_px": 32, "epochs": 1, "encoder": "own"}


def planned(method, **words):
    return plan_run("tiny", SPLIT, method, sections=SECTIONS, panel="all", budget="smoke", **words)


def shown(run, section=SECTIONS[0]):
    part = inputs(run, uncut([section])[0], None, "cpu")
    torch.manual_seed(1)
    return batch(run, part, np.arange(24), augment=True).image


@pytest.mark.parametrize("scale", encoders.SCALES)
@pytest.mark.parametrize("name", FAMILIES)
def test_tiles_are_augmented_as_pixels_and_then_scaled(name, scale):
    tiles = torch.tensor(SECTIONS[0].tiles(32))
    torch.manual_seed(1)
    expected = encoders.scaled(FAMILIES[name](tiles.permute(0, 3, 1, 2)).permute(0, 2, 3, 1), scale)
    assert torch.equal(
        shown(planned("histogene", encoder="own", tile_px=32, augment=name, scale=scale)), expected
    )


@pytest.mark.parametrize("method", ["histogene", "hist2st"])
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "none"])
def test_alike_tiles_of_a_batch_end_differently_in_training_and_alike_at_test(method, name):
    run = planned(
        method, augment=name, **(TINY if method == "hist2st" else {"encoder": "own", "tile_px": 32})
    )
    assert len(shown(run, ALIKE).flatten(1).unique(dim=0)) > 4
    part = inputs(run, uncut([ALIKE])[0], None, "cpu")
    assert all(len(each.image.flatten(1).unique(dim=0)) == 1 for each in in_order(run, part))


def test_every_spot_of_several_sections_has_a_draw_of_its_own_and_another_in_the_next_epoch():
    run = planned(
        "stnet", encoder="own", tile_px=32, weights="random", augment="histogene", batch=16
    )
    parts = [inputs(run, part, None, "cpu") for part in uncut([ALIKE, ALIKE])]
    torch.manual_seed(0)
    epochs = [
        torch.cat([each.image for each in training(run, parts, epoch)]).flatten(1)
        for epoch in (0, 1)
    ]
    assert len(torch.cat(epochs).unique(dim=0)) == 2 * 48


def learned(method, **words):
    record = run_once(planned(method, **words), SECTIONS, "cpu")
    assert np.isfinite(record.predictions["S3"]).all()
    return record.predictions["S3"]


def test_a_run_learns_otherwise_with_each_family(home):
    found = [
        learned("histogene", augment=name, encoder="own", tile_px=32, epochs=1) for name in FAMILIES
    ]
    assert len({each.tobytes() for each in found}) == len(FAMILIES)


def test_views_of_each_family_distil_otherwise_and_the_same_word_gives_the_same_run(
    home, tmp_path, monkeypatch
):
    found = {name: learned("hist2st", view=name, **TINY) for name in FAMILIES}
    assert len({each.tobytes() for each in found.values()}) == len(FAMILIES)
    monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / "again"))
    np.testing.assert_array_equal(learned("hist2st", view="stimage", **TINY), found["stimage"])


@pytest.mark.parametrize(
    ("method", "word"),
    [
        ("hist2st", {"view": "histogene"}),
        ("regclass", {"view": "deepspace"}),
        ("stnet", {"augment": "stimage"}),
    ],
)
def test_the_words_are_of_the_identity_and_reach_frozen_features(method, word, home):
    sections = [
        tiny_section(name, patient, labelled=True)
        for name, patient in (("S1", "P1"), ("S2", "P2"), ("S3", "P3"))
    ]
    plain, other = (
        plan_run(
            "tiny",
            SPLIT,
            method,
            sections=sections,
            panel="all",
            budget="smoke",
            encoder="colour",
            tile_px=32,
            **words,
        )
        for words in ({}, word)
    )
    assert plain.identity(sections) != other.identity(sections)
    first, second = (run_once(run, sections, "cpu").predictions["S3"] for run in (plain, other))
    assert not np.array_equal(first, second)
