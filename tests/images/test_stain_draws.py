"""HED augmentation and RandStainNA: formulas, fit on training tiles; white stays white."""

import dataclasses

import numpy as np
import pytest
from skimage.color import hed2rgb, rgb2hed, rgb2lab

from compendium.images.stain.augment import HED, VISIUM, RandStainNA, eight_bit, moments
from compendium.images.stain.colour_spaces import optical_density
from compendium.images.stain.store import AUGMENTERS
from raw_files import real_section, refusal
from stained_slides import OTHER, WHITE, E, H, demo, pictured, slide

ONE, TWO = pictured("S1", slide(np.array([H, E]))), pictured("S2", slide(OTHER, seed=1))


class Drawn(np.random.Generator):
    """A generator whose draws are given."""

    def __init__(self, *values: np.ndarray) -> None:
        super().__init__(np.random.PCG64(0))
        self.values, self.asked = list(values), []

    def uniform(self, *asked):
        self.asked.append(asked)
        return self.values.pop(0)

    normal = laplace = uniform


@pytest.mark.parametrize("word", AUGMENTERS)
def test_white_stays_white(word):
    drawing = AUGMENTERS[word].fitted([ONE, TWO])
    half = demo("P1a").stored_tiles[3, ::4, ::4].copy()
    half[:, :28] = 255
    for seed in range(5):
        assert (drawing.apply(WHITE[0], np.random.default_rng(seed)) == 255).all()
        changed = drawing.apply(half, np.random.default_rng(seed))
        assert (changed[:, :28] == 255).all()
        assert np.abs(changed[:, 28:].astype(int) - half[:, 28:]).mean() > 1


def tinted() -> np.ndarray:
    """A tile whose first columns are background that is darker than the guards."""
    tile = demo("P1a").stored_tiles[3, ::4, ::4].copy()
    tile[:, :28] = [222, 211, 226]
    return tile


# ---- HED


def agrees_with_scikit_image(tile: np.ndarray) -> None:
    factor, offset = np.array([0.05, -0.08, 0.02]), np.array([0.01, -0.004, 0.006])
    rng = Drawn((factor, offset))
    found = HED(0.1, background=0).apply(tile, rng)
    np.testing.assert_allclose(
        found, 255 * hed2rgb(rgb2hed(tile) * (1 + factor) + offset), atol=0.51
    )
    assert rng.asked == [(-0.1, 0.1, (2, 3))]
    nothing = HED(0.1).apply(tile, Drawn(np.zeros((2, 3))))
    np.testing.assert_allclose(nothing, 255 * hed2rgb(rgb2hed(tile)), atol=0.51)


def test_a_demo_tile_takes_scikit_images_stains():
    agrees_with_scikit_image(demo("P1a").stored_tiles[3])


def test_a_real_tile_takes_scikit_images_stains(her2st):
    agrees_with_scikit_image(real_section(her2st, "B4").stored_tiles[50])


def test_tinted_background_takes_part_of_the_offset():
    tile, offset = tinted(), np.array([0.01, -0.004, 0.006])
    found = HED(0.1).apply(tile, Drawn((np.zeros(3), offset)))[0, 0]
    share = optical_density(tile[0, 0]).mean() / 0.1 - 1
    assert 0.4 < share < 0.6
    np.testing.assert_allclose(
        found, 255 * hed2rgb(rgb2hed(tile[0, 0]) + share * offset), atol=0.51
    )


def test_the_stronger_word_draws_farther():
    tile = demo("P1a").stored_tiles[3, ::4, ::4]
    moved = [
        np.mean(
            [
                np.abs(
                    AUGMENTERS[f"hed-{word}"].apply(tile, np.random.default_rng(seed))
                    - tile.astype(float)
                ).mean()
                for seed in range(6)
            ]
        )
        for word in ("lighter", "light", "strong")
    ]
    assert moved[0] < moved[1] < moved[2]


def test_tiles_that_are_nearly_white_or_black_stay_as_they_are():
    for value in (5, 250):
        tile = np.full((8, 8, 3), value, dtype=np.uint8)
        assert HED(1.0, background=0).apply(tile, np.random.default_rng(0)) is tile
    assert not np.array_equal(
        HED(1.0, light=1, background=0).apply(tile, np.random.default_rng(0)), tile
    )


# ---- RandStainNA


def test_a_tile_takes_the_moments_that_were_drawn():
    tile, wanted = demo("P1a").stored_tiles[3], np.array([[170.0, 150.0, 118.0], [20.0, 5.0, 4.0]])
    rng = Drawn(wanted)
    found = RandStainNA(spread=VISIUM, background=0).apply(tile, rng)
    assert rng.asked == [(VISIUM.location, VISIUM.scale)]
    np.testing.assert_allclose(moments(eight_bit(rgb2lab(found))), wanted, atol=0.6)
    flat = RandStainNA(spread=VISIUM, background=0).apply(
        tile, Drawn(np.array([wanted[0], [-5.0, 0.0, 0.0]]))
    )
    assert np.ptp(flat.reshape(-1, 3), axis=0).max() == 0


def test_tinted_background_is_changed_in_part():
    tile, wanted = tinted(), np.array([[170.0, 150.0, 118.0], [20.0, 5.0, 4.0]])
    part, whole = (
        rgb2lab(RandStainNA(spread=VISIUM, background=background).apply(tile, Drawn(wanted))[0, 0])
        - rgb2lab(tile[0, 0])
        for background in (10.0, 0)
    )
    share = (100 - rgb2lab(tile[0, 0])[0]) / 10 - 1
    assert 0.3 < share < 0.5 and np.abs(whole).max() > 5
    np.testing.assert_allclose(part, share * whole, atol=1)


def test_the_two_laws_draw_from_location_and_scale():
    for law, spread in (("normal", 1.0), ("laplace", 2**0.5)):
        drawn = np.array(
            [
                getattr(np.random.default_rng(seed), law)(VISIUM.location, VISIUM.scale)
                for seed in range(4000)
            ]
        )
        np.testing.assert_allclose(drawn.mean(axis=0), VISIUM.location, rtol=0.05)
        np.testing.assert_allclose(drawn.std(axis=0), spread * np.array(VISIUM.scale), rtol=0.1)
    tile = demo("P1a").stored_tiles[3]
    normal, laplace = (
        RandStainNA(law, VISIUM).apply(tile, np.random.default_rng(0))
        for law in ("normal", "laplace")
    )
    assert not np.array_equal(normal, laplace)


def test_the_spread_is_that_of_the_training_tiles_that_show_tissue():
    tissue = [
        tile[::4, ::4] for section in (ONE, TWO) for tile in section.stored_tiles[1:]
    ]  # the first is white
    found = np.array([moments(eight_bit(rgb2lab(tile))) for tile in tissue])
    normal, laplace = (RandStainNA(law).fitted([ONE, TWO]).spread for law in ("normal", "laplace"))
    np.testing.assert_allclose(normal.location, found.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(normal.scale, found.std(axis=0), rtol=1e-3)
    np.testing.assert_allclose(laplace.location, np.median(found, axis=0), rtol=1e-4)
    np.testing.assert_allclose(
        laplace.scale, np.abs(found - np.median(found, axis=0)).mean(axis=0), rtol=1e-3
    )
    published = AUGMENTERS["randstainna-visium"]
    assert published.fitted([ONE]) is published


def test_white_tiles_alone_are_no_fit():
    white = dataclasses.replace(ONE, stored_tiles=np.full_like(ONE.stored_tiles, 255))
    assert refusal(lambda: RandStainNA().fitted([white, white])) == "no tile shows tissue"
