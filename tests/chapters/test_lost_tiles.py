"""Tiles of which a draw leaves nothing: the criterion, which tiles, and how often."""

import numpy as np
import pytest

from compendium.chapters.augmentation.lost_tiles import intact_tiles, lost, share_lost
from compendium.images.stain.augment import HED
from compendium.images.stain.store import STAINS
from stained_slides import demo

TILE = demo("P1a").stored_tiles[3, ::4, ::4]


def halves(one: list[int], other: list[int], part: float) -> np.ndarray:
    """A hundred pixels, a part of them in one colour, the rest in the other."""
    pixels = np.array([one] * round(100 * part) + [other] * round(100 * (1 - part)), dtype=np.uint8)
    return pixels.reshape(10, 10, 3)


@pytest.mark.parametrize(
    ("tile", "is_lost"),
    [
        (halves([0, 0, 0], [200, 90, 30], 0.6), True),  # the median is black
        (halves([250, 255, 248], [90, 60, 120], 0.6), True),  # or white
        (halves([250, 255, 240], [90, 60, 120], 0.6), False),  # not in every channel
        (halves([120, 90, 160], [90, 60, 120], 0.8), True),  # of one colour in 80 % of the pixels
        (halves([120, 90, 160], [90, 60, 120], 0.79), False),
        (halves([120, 90, 160], [140, 110, 180], 0.5), True),  # within 20 levels
        (halves([120, 90, 160], [141, 90, 160], 0.5), False),
        (TILE, False),
    ],
)
def test_a_tile_is_lost_where_it_is_black_white_or_of_one_colour(tile, is_lost):
    assert lost(tile) is is_lost


def test_tiles_are_spaced_evenly_among_those_that_are_not_lost_as_they_are():
    patches = np.zeros((10, 16, 16, 3), dtype=np.uint8)
    for i in range(1, 10):
        patches[i] = 8 * i + 60
    patches[1:, 8:] += 100
    asked = [int(tile[0, 0, 0]) for tile in intact_tiles(patches, 3)]
    assert asked == [8 * i + 60 for i in (1, 5, 9)]
    assert len(intact_tiles(patches, 99)) == 9


def test_stronger_draws_lose_more_tiles_and_a_seed_decides_which():
    light, strong = (
        share_lost(STAINS[word], [TILE], 30, 0) for word in ("hed-lighter", "hed-strong")
    )
    assert light < 0.1 < 0.3 < strong < 1
    assert share_lost(HED(0.0), [TILE], 2, 0) == 0
    assert strong == share_lost(STAINS["hed-strong"], [TILE], 30, 0)
    rng = np.random.default_rng(7)
    assert share_lost(STAINS["hed-strong"], [TILE] * 2, 3, 7) == np.mean(
        [lost(STAINS["hed-strong"].apply(TILE, rng)) for _ in range(6)]
    )
