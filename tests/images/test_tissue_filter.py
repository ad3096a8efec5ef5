"""Filters of spots by their pixels: white, tissue, real slides, and errors."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import binary_closing, binary_opening

from compendium.data.readers import slides
from compendium.images.tissue_filter import (
    GREY,
    RADIUS,
    SPOTS,
    WHITE_GREEN,
    not_white,
    on_tissue,
    spots_kept,
    tissue_mask,
    tissue_share,
)
from conftest import tiny_section
from raw_files import real_section, refusal

PINK, BACKGROUND = (200, 120, 160), (244, 244, 246)


def tiles_of(shares: list[float]) -> np.ndarray:
    """Tiles of 20 px whose first columns are background, up to that share of the tile."""
    tiles = np.full((len(shares), 20, 20, 3), PINK, dtype=np.uint8)
    for tile, share in zip(tiles, shares, strict=True):
        tile[:, : round(20 * share)] = BACKGROUND
    return tiles


# ---- DeepSpaCE


def test_a_tile_goes_if_more_than_half_of_it_is_white():
    kept = not_white(tiles_of([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.45, 0.5, 0.55, 1]))
    assert kept.tolist() == [True] * 12 + [False, False]


def test_white_is_above_the_80th_percentile_of_the_tiles_means_in_all_three_channels():
    means = np.array([10, 20, 30, 40, 50])
    tiles = np.repeat(means, 4 * 4 * 3).reshape(5, 4, 4, 3).astype(np.uint8)
    assert not_white(tiles).tolist() == [True, True, True, True, False]  # the threshold is 42
    tiles[4, ..., 0], tiles[4, ..., 2] = 40, 60  # the same mean, one channel below it
    assert not_white(tiles).all()


# ---- STimage


def slide(side: int = 160) -> np.ndarray:
    """Tissue in the left half of a white slide."""
    image = np.full((side, side, 3), 255, dtype=np.uint8)
    image[:, : side // 2] = PINK
    return image


@pytest.mark.parametrize(
    ("colour", "tissue"),
    [
        (PINK, True),
        ((255, 255, 255), False),
        ((255, WHITE_GREEN + 1, 255), False),
        ((255, WHITE_GREEN, 255), True),
        ((90, 90, 90 + GREY), False),
        ((90, 90, 91 + GREY), True),
    ],
)
def test_tissue_is_neither_white_nor_grey(colour, tissue):
    assert tissue_mask(np.full((9, 9, 3), colour, dtype=np.uint8), 32).all() == tissue


# of a slide shrunk ten times, and of a thumbnail of one of the real slides
@pytest.mark.parametrize("radius", [32, 20.6])
def test_the_mask_is_closed_and_opened_by_a_disc(radius):
    rng = np.random.default_rng(0)
    rough = np.zeros((300, 280), dtype=bool)
    for y, x, r in rng.integers(20, 260, (7, 3)):
        rough[max(y - r // 4, 0) : y + r // 4, max(x - r // 3, 0) : x + r // 3] = True
    y, x = np.ogrid[-32:33, -32:33]
    disc = y**2 + x**2 <= radius**2
    padded = np.pad(
        rough, 70
    )  # away from the border, where the two treat what is outside differently
    reference = binary_opening(binary_closing(padded, disc), disc)
    assert 0 < reference.sum() < reference.size
    image = np.where(padded[..., None], PINK, 255).astype(np.uint8)
    np.testing.assert_array_equal(tissue_mask(image, radius), reference)


def test_nothing_grows_in_from_outside_the_image():
    white, pink = (np.full((80, 80, 3), colour, dtype=np.uint8) for colour in (255, PINK))
    assert not tissue_mask(white, 32).any()
    assert tissue_mask(pink, 32).all()
    pink[30:34, 30:34] = 255  # closing fills the whole image, then nothing is eroded
    assert tissue_mask(pink, 32).all()


def test_the_share_is_of_the_square_around_the_spot_that_lies_on_the_image():
    mask = np.zeros((10, 20), dtype=bool)
    mask[:, :10] = True
    centres = np.array([[5.0, 5], [10, 5], [12, 5], [17, 5], [0, 0], [9, 0]])
    np.testing.assert_allclose(tissue_share(mask, centres, 4), [1, 0.5, 0, 0, 1, 0.75])


@pytest.mark.parametrize("scale", [0.1, 1 / 16])
def test_a_spot_whose_tile_is_less_than_seven_tenths_tissue_goes(scale):
    """Tissue reaches x = 800 px: at 760 a tile of 320 px is 20 / 32 tissue, at 720 24 / 32."""
    pixels, image = (
        np.array([[400, 800], [760, 800], [830, 800], [1200, 800]], dtype=np.float32),
        slide(round(1600 * scale)),
    )
    assert on_tissue(image, scale, pixels, 320).tolist() == [True, False, False, False]
    assert on_tissue(image, scale, pixels - np.float32([40, 0]), 320).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_specks_are_judged_by_their_size_on_the_slide_not_by_the_thumbnails_pixels():
    """The disc of 640 px closes a hole of 500 px at any scale of the slide, not one of 800 px."""
    for side, closed in ((500, True), (800, False)):
        for scale in (0.1, 0.05):
            image = np.full((round(2400 * scale),) * 2 + (3,), PINK, dtype=np.uint8)
            low, high = round((1200 - side / 2) * scale), round((1200 + side / 2) * scale)
            image[low:high, low:high] = 255
            assert (
                tissue_mask(image, RADIUS * scale)[round(1200 * scale), round(1200 * scale)]
                == closed
            )


# ---- the run parameter


def test_each_name_selects_its_filter():
    section = tiny_section()
    section = dataclasses.replace(
        section, pixels=8 * section.pixels, thumbnail=slide(320), thumbnail_scale=0.1
    )  # tissue up to x = 1,600
    assert SPOTS == ("all", "stimage", "deepspace")
    assert spots_kept(section, "all", 32).all()
    np.testing.assert_array_equal(
        spots_kept(section, "deepspace", 32), not_white(section.tiles(32))
    )
    np.testing.assert_array_equal(spots_kept(section, "stimage", 32), section.pixels[:, 0] < 1600)


def test_a_section_without_image_or_without_tissue_says_so_in_one_line():
    section = tiny_section()
    assert "tiny section S1 has no image" in refusal(lambda: spots_kept(section, "stimage", 32))
    assert "tiny section S1 has no image" in refusal(
        lambda: spots_kept(dataclasses.replace(section, stored_tiles=None), "deepspace", 32)
    )
    white = dataclasses.replace(
        section, thumbnail=np.full((40, 40, 3), 255, dtype=np.uint8), thumbnail_scale=0.1
    )
    assert "spots=stimage keeps none of the 24 spots of tiny section S1" in refusal(
        lambda: spots_kept(white, "stimage", 32)
    )


def test_both_filters_on_a_real_slide(her2st):
    """On tinted background STimage's rule keeps every spot, DeepSpaCE's drops the palest tiles."""
    section, path = real_section(her2st, "C2"), next(her2st.glob("data/ST-imgs/C/C2/*.jpg"))
    slide = slides.read_slide(path)
    assert on_tissue(slide.thumbnail, slide.scale, section.pixels, 299).sum() == len(section) == 187
    assert not_white(slides.cut_tiles(slide.image, section.pixels, 224)).sum() == 169
