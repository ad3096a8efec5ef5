"""Lightness and colour, optical density, and the ramp that keeps background as it is."""

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from compendium.images.stain.colour_spaces import (
    brightened,
    brightness,
    lab,
    optical_density,
    rgb,
    tissue_weight,
)
from raw_files import refusal

PIXELS = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)


def test_every_colour_goes_to_cielab_and_back():
    np.testing.assert_allclose(lab(PIXELS), rgb2lab(PIXELS), atol=1e-3)
    np.testing.assert_array_equal(rgb(lab(PIXELS)), PIXELS)


@pytest.mark.filterwarnings(
    "ignore:Conversion from CIE-LAB"
)  # of scikit-image, about the same colours
def test_colours_that_no_screen_shows_are_cut_as_scikit_image_does():
    wild = np.random.default_rng(1).uniform([-20, -150, -150], [120, 150, 150], (500, 3))
    np.testing.assert_allclose(rgb(wild), lab2rgb(wild) * 255, atol=0.6)
    assert (wild[:, 2] > 200 / 116 * (wild[:, 0] + 16)).any()


def test_brightening_divides_lightness_and_leaves_the_colour():
    pixels = PIXELS[lab(PIXELS)[:, 0] < 78]
    before, after = rgb2lab(pixels), brightened(pixels, 80.0)
    np.testing.assert_allclose(after[:, 0], before[:, 0] / 0.8, atol=1e-3)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-3)
    assert (rgb(brightened(np.array([[250, 250, 250]], dtype=np.uint8), 60.0)) == 255).all()


def test_brightness_is_a_percentile_of_lightness():
    image = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert brightness(image, 90) == pytest.approx(
        np.percentile(rgb2lab(image)[..., 0], 90), abs=1e-3
    )
    assert refusal(lambda: brightness(np.zeros((4, 4, 3), dtype=np.uint8), 90)) == "it is black"


def test_optical_density_is_the_logarithm_with_its_two_guards():
    np.testing.assert_allclose(
        optical_density(np.array([[0, 1, 255]], dtype=np.uint8)), [[np.log(255), np.log(255), 1e-6]]
    )


def test_a_change_sets_in_with_darkness():
    np.testing.assert_allclose(
        tissue_weight(np.array([0.0, 10.0, 15.0, 20.0, 90.0]), 10.0)[:, 0], [0, 0, 0.5, 1, 1]
    )
    assert (tissue_weight(np.array([0.0, 90.0]), 0.0) == 1).all()
