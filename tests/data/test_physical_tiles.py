"""Tiles of a number of µm: the same tissue in as many pixels from every slide."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.images.features import Encoding, cache_path, features, six_colours
from compendium.images.tissue_filter import not_white, spots_kept
from compendium.runs import plan_run, run_once
from compendium.runs.inputs.batches import image_input
from compendium.runs.study import cost
from conftest import tiny_section
from raw_files import refusal


def scanned(um_per_px: float, px: int = 80) -> Section:
    """Spots on a pattern of tissue of 20 µm waves, in a scan of some resolution."""
    x = (np.arange(px) + 0.5 - px / 2) * um_per_px
    wave = np.round(
        120 + 100 * np.sin(2 * np.pi * x / 20)[None] * np.cos(2 * np.pi * x / 30)[:, None]
    ).astype(np.uint8)
    patches = np.broadcast_to(wave[None, :, :, None], (24, px, px, 3)).copy()
    return replace(
        tiny_section(), stored_tiles=patches, um_per_px=um_per_px, digest=f"scanned {um_per_px}"
    )


def test_two_scans_of_one_tissue_give_the_same_tiles():
    fine, coarse = scanned(0.5), scanned(1.0)
    same = np.abs(fine.tiles(32, 32.0).astype(int) - coarse.tiles(32, 32.0).astype(int))[
        :, 2:-2, 2:-2
    ]
    assert same.mean() < 3 and same.max() <= 12
    assert np.abs(fine.tiles(32).astype(int) - coarse.tiles(32)).mean() > 30, (
        "tiles of as many pixels show other tissue"
    )


@pytest.mark.parametrize(("um", "side"), [(16.0, 32), (15.8, 32), (20.3, 41), (8.0, 16)])
def test_a_tile_is_the_centre_crop_of_as_many_pixels_resampled(um, side):
    section = replace(tiny_section(), um_per_px=0.5)
    assert section.side(24, um) == side
    cut = 32 - side // 2
    crop = section.stored_tiles[5, cut : cut + side, cut : cut + side]
    expected = (
        crop
        if side == 24
        else np.asarray(Image.fromarray(crop).resize((24, 24), Image.Resampling.BICUBIC))
    )
    assert np.array_equal(section.tiles(24, um)[5], expected)
    assert section.tiles(24, um).shape == (24, 24, 24, 3)


def test_shrinking_is_antialiased():
    """A chequerboard of single pixels becomes grey, not another chequerboard."""
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    section = replace(
        tiny_section(),
        stored_tiles=np.broadcast_to(board[None, :, :, None], (24, 64, 64, 3)).astype(np.uint8),
        um_per_px=1.0,
    )
    assert np.ptp(section.tiles(16, 64.0)[:, 2:-2, 2:-2]) < 10


def test_as_many_pixels_as_stored_are_a_view():
    section = replace(tiny_section(), um_per_px=0.5)
    assert np.shares_memory(section.tiles(32, 16.0), section.stored_tiles)
    assert np.array_equal(section.tiles(32, 16.0), section.tiles(32))


def test_too_large_or_too_small_a_tile_is_one_line():
    section = replace(tiny_section(), um_per_px=0.5)
    line = refusal(lambda: section.tiles(32, 100.0))
    assert (
        "tiles of 100 µm, which are 200 px, asked for, 64 px stored; "
        "run compendium prepare tiny --tile-px 200" in line
    )
    assert "less than half a pixel of 0.5 µm; give a larger tile_um" in refusal(
        lambda: section.tiles(32, 0.2)
    )


SECTIONS = [
    replace(tiny_section(name, patient), um_per_px=um)
    for name, patient, um in (("S1", "P1", 0.5), ("S2", "P2", 1.0), ("S3", "P3", 0.7))
]
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")


def smoke(method: str = "ridge", **words):
    return plan_run(
        "tiny",
        SPLIT,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


def test_it_is_a_word_of_a_run_that_decides_what_is_seen(home):
    pixels, physical = smoke(), smoke(tile_um=16.0)
    assert pixels.identity(SECTIONS) != physical.identity(SECTIONS)
    assert "tile_um = 16.0" in physical.line and "tile_um" not in pixels.line
    assert np.array_equal(
        image_input(physical, SECTIONS[1], "cpu"), six_colours(SECTIONS[1], 32, tile_um=16.0)
    )
    assert not np.array_equal(
        run_once(pixels, SECTIONS, "cpu").predictions["S3"],
        run_once(physical, SECTIONS, "cpu").predictions["S3"],
    )
    assert cost.features_left([physical], SECTIONS, "cpu") == 0
    own = smoke("histogene", encoder="own", tile_um=20.0)
    assert np.array_equal(image_input(own, SECTIONS[0], "cpu"), SECTIONS[0].tiles(32, 20.0))
    assert run_once(own, SECTIONS, "cpu").predictions["S3"].shape == (24, 12)


def test_features_of_other_tiles_are_other_features(home):
    one, other = (features(SECTIONS[1], "colour", 32, tile_um=um) for um in (0.0, 16.0))
    assert not np.array_equal(one, other)
    plain, physical = Encoding("colour", 32), Encoding("colour", 32, tile_um=16.0)
    assert cache_path(SECTIONS[1], plain) != cache_path(SECTIONS[1], physical)
    assert np.array_equal(features(SECTIONS[1], "colour", 32, tile_um=16.0), other)


def test_filters_look_at_the_tiles_of_the_run():
    patches = SECTIONS[1].stored_tiles.copy()
    patches[:4, 24:40, 24:40] = (
        255  # white where a tile of 16 µm is, which a tile of 64 px hardly notices
    )
    section = replace(SECTIONS[1], stored_tiles=patches)
    assert not spots_kept(section, "deepspace", 32, 16.0)[:4].any()
    assert np.array_equal(spots_kept(section, "deepspace", 64), not_white(section.tiles(64)))
    assert (
        spots_kept(section, "deepspace", 64).sum()
        > spots_kept(section, "deepspace", 32, 16.0).sum()
    )


@pytest.mark.parametrize("um", [-1.0, float("nan"), float("inf")])
def test_what_is_no_length_is_refused_when_planned(um):
    assert f"tile_um is {um}" in refusal(lambda: smoke(tile_um=um))
