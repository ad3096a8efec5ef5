"""Reinhard's colour transfer: equal to torchstain under its rules; only tissue is measured."""

import numpy as np
import pytest
from torchstain.numpy.normalizers import NumpyReinhardNormalizer

from compendium.images.stain.colour_spaces import lab, rgb
from compendium.images.stain.reinhard import Reinhard
from raw_files import real_section, refusal
from stained_slides import OTHER, WHITE, E, H, demo, slide

METHOD, LIBRARY = Reinhard(), Reinhard(bright=0, tissue=np.inf, background=0)


def agrees_with_torchstain(image: np.ndarray, template: np.ndarray) -> None:
    theirs = NumpyReinhardNormalizer()
    theirs.fit(template)
    own, wanted = LIBRARY.measure(image), LIBRARY.measure(template)
    np.testing.assert_allclose(wanted.mean, theirs.target_means, atol=0.02)
    np.testing.assert_allclose(wanted.spread, theirs.target_stds, atol=0.02)
    found = LIBRARY.apply(image, own, wanted).astype(int)
    assert set(np.unique(found - theirs.normalize(image).astype(int))) <= {
        0,
        1,
    }  # they cut fractions off, here they are rounded
    assert np.abs(found - image).mean() > 3


def test_a_demo_tile_becomes_torchstains():
    agrees_with_torchstain(demo("P1a").stored_tiles[3], demo("Q1a").stored_tiles[7])


def test_a_real_tile_becomes_torchstains(her2st):
    agrees_with_torchstain(
        real_section(her2st, "B4").stored_tiles[50], real_section(her2st, "C2").stored_tiles[60]
    )


def test_a_slide_takes_the_look_of_the_template_and_white_stays_white():
    image, template = slide(np.array([H, E])), slide(OTHER, seed=1, strength=0.6)
    own, wanted = METHOD.measure(image), METHOD.measure(template)
    mapped = METHOD.apply(image, own, wanted)
    assert (mapped[image.min(axis=2) == 255] == 255).all()
    assert (METHOD.apply(WHITE, own, wanted) == 255).all()
    dark = lab(image)[..., 0] < METHOD.tissue
    found = lab(mapped[dark]).astype(float)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean, atol=2.5)
    np.testing.assert_allclose(found.std(axis=0), wanted.spread, rtol=0.2)


def test_lightness_is_standardised_before_it_is_measured():
    image = slide(np.array([H, E])) * 0.8
    found = METHOD.measure(image.astype(np.uint8))
    assert found.bright == pytest.approx(np.percentile(lab(image.astype(np.uint8))[..., 0], 90))
    wanted = METHOD.measure(slide(np.array([H, E]))).mean[0]
    assert (
        abs(found.mean[0] - wanted)
        < 1
        < 5
        < abs(Reinhard(bright=0).measure(image.astype(np.uint8)).mean[0] - wanted)
    )
    background = np.full((8, 8, 3), 204, dtype=np.uint8)
    assert (
        METHOD.apply(background, found, METHOD.measure(slide(OTHER))) == 255
    ).all()  # grey background of a dark slide becomes white


def test_tinted_background_becomes_light_and_keeps_as_much_of_its_tint_as_can_be_shown():
    image = slide(np.array([H, E]))
    image[:, :20] = tint = np.array([[222, 211, 226]], dtype=np.uint8)
    found = METHOD.apply(tint, METHOD.measure(image), METHOD.measure(slide(OTHER, seed=1)))
    np.testing.assert_array_equal(found, rgb(np.array([[100.0, *lab(tint)[0, 1:]]])))
    assert found.max() == 255 > found.min()


def test_only_tissue_is_measured():
    image = slide(np.array([H, E]))
    wide = np.concatenate([np.full_like(image, 255), image], axis=1)
    np.testing.assert_allclose(METHOD.measure(wide).mean, METHOD.measure(image).mean, atol=1e-6)


def test_a_channel_without_spread_is_moved_and_not_stretched():
    flat = np.full((8, 8, 3), [150, 90, 160], dtype=np.uint8)
    method = Reinhard(bright=0, background=0)
    mapped = method.apply(flat, method.measure(flat), method.measure(slide(OTHER)))
    np.testing.assert_allclose(
        lab(mapped).mean(axis=(0, 1)), method.measure(slide(OTHER)).mean, atol=1
    )


@pytest.mark.parametrize(("value", "says"), [(255, "it shows no tissue"), (0, "it is black")])
def test_a_slide_without_tissue_is_refused(value, says):
    assert refusal(lambda: METHOD.measure(np.full((30, 30, 3), value, dtype=np.uint8))) == says
