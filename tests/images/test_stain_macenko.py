"""Macenko's stains: equal to torchstain under its rules, independent of background otherwise."""

import dataclasses

import numpy as np
import pytest
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer

from compendium.images.stain.colour_spaces import optical_density
from compendium.images.stain.two_stains import Macenko
from raw_files import real_section, refusal
from stained_slides import OTHER, WHITE, E, H, demo, slide

METHOD, LIBRARY = Macenko(), Macenko(everywhere=True, background=0)


def agrees_with_torchstain(image: np.ndarray, template: np.ndarray) -> None:
    theirs = NumpyMacenkoNormalizer()
    theirs.fit(template)
    own, wanted = LIBRARY.measure(image), LIBRARY.measure(template)
    np.testing.assert_allclose(wanted.stains, theirs.HERef.T, atol=1e-9)
    np.testing.assert_allclose(wanted.strong, theirs.maxCRef, rtol=1e-9)
    cut = theirs.normalize(image, stains=False)[0].astype(int)
    found = LIBRARY.apply(image, own, wanted).astype(int)
    assert set(np.unique(found - cut)) == {0, 1}  # they cut fractions off, here they are rounded
    assert np.abs(found - image).mean() > 2


def test_a_demo_tile_becomes_torchstains():
    agrees_with_torchstain(demo("P1a").stored_tiles[3], demo("Q1a").stored_tiles[7])


def test_a_real_tile_becomes_torchstains(her2st):
    agrees_with_torchstain(
        real_section(her2st, "B4").stored_tiles[50], real_section(her2st, "C2").stored_tiles[60]
    )


def test_the_stains_that_made_a_slide_are_found_haematoxylin_first():
    for pair in ([H, E], [E, H]):
        found = METHOD.measure(slide(np.array(pair))).stains
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
        assert (found * [H, E]).sum(axis=1).min() > 0.99


def test_amounts_are_measured_over_tissue_whatever_the_background():
    image = slide(np.array([H, E]))
    wide = np.concatenate([np.full_like(image, 255)] * 5 + [image], axis=1)
    np.testing.assert_allclose(METHOD.measure(wide).strong, METHOD.measure(image).strong, rtol=1e-9)
    assert (LIBRARY.measure(wide).strong < 0.9 * METHOD.measure(image).strong).all()


def test_a_slide_takes_the_look_of_the_template_and_white_stays_white():
    image, template = slide(np.array([H, E])), slide(OTHER, seed=1, strength=0.6)
    own, wanted = METHOD.measure(image), METHOD.measure(template)
    mapped = METHOD.apply(image, own, wanted)
    assert (mapped[image.min(axis=2) == 255] == 255).all()
    assert (METHOD.apply(WHITE, own, wanted) == 255).all()
    tissue, there, here = (
        each[:, 20:].reshape(-1, 3).mean(axis=0) for each in (mapped, template, image)
    )
    assert np.abs(tissue - there).max() < np.abs(here - there).max() / 3
    again = METHOD.measure(mapped)
    np.testing.assert_allclose(again.stains, wanted.stains, atol=0.05)
    np.testing.assert_allclose(again.strong, wanted.strong, rtol=0.15)


def test_background_that_is_darker_than_the_guard_is_changed_in_part():
    own, wanted = METHOD.measure(slide(np.array([H, E]))), METHOD.measure(slide(OTHER, seed=1))
    tint = np.array([[222, 211, 226]], dtype=np.uint8)
    part, whole = (
        dataclasses.replace(METHOD, background=background).apply(tint, own, wanted)
        - tint.astype(float)
        for background in (METHOD.background, 0)
    )
    share = optical_density(tint).mean() / METHOD.background - 1
    assert 0.4 < share < 0.6 and np.abs(whole).max() > 5
    np.testing.assert_allclose(part, share * whole, atol=1)


def test_a_stain_that_a_slide_does_not_hold_is_not_scaled_to_infinity():
    image = slide(np.array([H, E]))
    own = dataclasses.replace(METHOD.measure(image), strong=np.array([1.0, 0.0]))
    assert np.isfinite(own.density(np.ones((4, 2)), own)).all()


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.full((30, 30, 3), 255), "it shows no tissue"),
        (
            np.where(np.arange(900).reshape(30, 30, 1) < 400, 255, [150, 90, 160]),
            "its tissue has one colour, not two",
        ),
        (np.full((30, 30, 3), 0), "its tissue has one colour, not two"),
    ],
)
def test_a_slide_without_stains_is_refused(image, says):
    assert refusal(lambda: METHOD.measure(image.astype(np.uint8))) == says
