"""Filters of spots by their pixels: what is white, what is tissue, and what the real slides keep."""

import numpy as np
import pytest
from scipy.ndimage import binary_closing, binary_opening

from compendium.data import slides
from compendium.images.tissue_filter import GREY, RADIUS, WHITE_GREEN, grown, not_white, on_tissue, shrunk, tissue_mask, tissue_share
from raw_files import real_section

PINK, GLASS = (200, 120, 160), (244, 244, 246)


def tiles_of(shares: list[float]) -> np.ndarray:
    """Tiles of 20 px whose first columns are glass, up to that share of the tile."""
    tiles = np.full((len(shares), 20, 20, 3), PINK, dtype=np.uint8)
    for tile, share in zip(tiles, shares, strict=True):
        tile[:, : round(20 * share)] = GLASS
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


def slide(side: int = 1600) -> np.ndarray:
    """Tissue in the left half of a white slide."""
    image = np.full((side, side, 3), 255, dtype=np.uint8)
    image[:, : side // 2] = PINK
    return image


@pytest.mark.parametrize(("colour", "tissue"), [
    (PINK, True), ((255, 255, 255), False), ((255, WHITE_GREEN + 1, 255), False), ((255, WHITE_GREEN, 255), True), ((90, 90, 90 + GREY), False), ((90, 90, 91 + GREY), True),
])
def test_tissue_is_neither_white_nor_grey(colour, tissue):
    assert tissue_mask(np.full((9, 9, 3), colour, dtype=np.uint8)).all() == tissue


def test_the_mask_is_closed_and_opened_by_a_disc_of_64_px():
    rng = np.random.default_rng(0)
    rough = np.zeros((300, 280), dtype=bool)
    for y, x, r in rng.integers(20, 260, (7, 3)):
        rough[max(y - r // 4, 0) : y + r // 4, max(x - r // 3, 0) : x + r // 3] = True
    y, x = np.ogrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    disc = y**2 + x**2 <= RADIUS**2
    padded = np.pad(rough, 70)  # away from the border, where the two treat what is outside differently
    reference = binary_opening(binary_closing(padded, disc), disc)
    assert 0 < reference.sum() < reference.size
    np.testing.assert_array_equal(grown(shrunk(shrunk(grown(padded)))), reference)
    image = np.where(padded[..., None], PINK, 255).astype(np.uint8)
    np.testing.assert_array_equal(tissue_mask(image), reference)


def test_nothing_grows_in_from_outside_the_image():
    empty, full = np.zeros((80, 80), dtype=bool), np.ones((80, 80), dtype=bool)
    assert not grown(empty).any()
    assert shrunk(full).all()


def test_the_share_is_of_the_square_around_the_spot_that_lies_on_the_image():
    mask = np.zeros((10, 20), dtype=bool)
    mask[:, :10] = True
    centres = np.array([[5.0, 5], [10, 5], [12, 5], [17, 5], [0, 0], [9, 0]])
    np.testing.assert_allclose(tissue_share(mask, centres, 4), [1, 0.5, 0, 0, 1, 0.75])


def test_a_spot_whose_tile_is_less_than_seven_tenths_tissue_goes():
    pixels = np.array([[400, 800], [750, 800], [830, 800], [1200, 800]], dtype=np.float32)
    assert on_tissue(slide(), pixels, 300).tolist() == [True, False, False, False]
    assert on_tissue(slide(), pixels - np.float32([20, 0]), 300).tolist() == [True, True, False, False]
    assert on_tissue(slide()[:1596, :1597], pixels, 300).tolist() == [True, False, False, False]


def test_both_filters_on_a_real_slide(her2st):
    """The glass of this slide is tinted: STimage's rule takes it for tissue and keeps every spot, DeepSpaCE's takes out the palest tiles."""
    section, path = real_section(her2st, "C2"), next(her2st.glob("data/ST-imgs/C/C2/*.jpg"))
    image = slides.read_slide(path).image
    assert on_tissue(image, section.pixels, 299).sum() == len(section) == 187
    assert not_white(slides.cut_patches(image, section.pixels, 224, "C2")).sum() == 169
