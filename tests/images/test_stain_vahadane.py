"""Vahadane's stains: every step against a textbook or a library; white stays white."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from compendium.images.stain import two_stains
from compendium.images.stain.colour_spaces import brightened, optical_density, rgb
from compendium.images.stain.two_stains import Vahadane, concentrations, dictionary
from raw_files import real_section
from stained_slides import OTHER, WHITE, E, H, slide

METHOD = Vahadane()


# ---- the steps


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1, 3), min_size=3, max_size=3), st.sampled_from([0.0, 0.01, 0.1, 0.7]))
def test_concentrations_are_the_non_negative_lassos(density, penalty):
    """The lasso with penalty p has the normal equations D D' c = D x - p."""
    stains = np.array([H, E])
    root = np.linalg.cholesky(stains @ stains.T).T
    expected, _ = nnls(root, np.linalg.solve(root.T, stains @ density - penalty))
    np.testing.assert_allclose(
        concentrations(np.array(density), stains, penalty), expected, atol=1e-7
    )


@pytest.mark.filterwarnings(
    "ignore:Objective did not converge"
)  # its inner solver stops early on many pixels
def test_the_dictionary_is_scikit_learns():
    from sklearn.decomposition import DictionaryLearning

    density = optical_density(slide(np.array([H, E]))[:, 20:].reshape(-1, 3))[::24]
    theirs = DictionaryLearning(
        2,
        alpha=0.1,
        fit_algorithm="cd",
        transform_algorithm="lasso_cd",
        positive_dict=True,
        positive_code=True,
        random_state=0,
        dict_init=two_stains.START.copy(),
        code_init=np.ones((len(density), 2)),
        max_iter=60,
        tol=0,
        transform_max_iter=100,
    )
    theirs.fit(density)
    ours = dictionary(density, METHOD.sparse)
    np.testing.assert_allclose(
        ours,
        theirs.components_ / np.linalg.norm(theirs.components_, axis=1, keepdims=True),
        atol=0.02,
    )
    assert loss(density, ours) <= loss(density, theirs.components_) + 1e-6


def loss(density: np.ndarray, stains: np.ndarray) -> float:
    amount = concentrations(density, stains, 0.1)
    return float(
        (((density - amount @ stains) ** 2).sum(axis=1) / 2 + 0.1 * amount.sum(axis=1)).mean()
    )


def test_the_dictionary_finds_the_stains_that_made_a_slide_haematoxylin_first():
    for pair in ([H, E], [E, H]):
        found = METHOD.measure(slide(np.array(pair))).stains
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
        assert (found >= 0).all()
        assert (found * [H, E]).sum(axis=1).min() > 0.995


def test_strong_is_the_99th_percentile_over_tissue_whatever_the_background():
    image = slide(np.array([H, E]))
    wide = np.concatenate([np.full_like(image, 255), image], axis=1)
    np.testing.assert_allclose(METHOD.measure(wide).strong, METHOD.measure(image).strong, rtol=1e-6)
    assert (
        METHOD.measure(slide(np.array([H, E]), strength=0.5)).strong
        < 0.6 * METHOD.measure(image).strong
    ).all()


# ---- mapping


def test_a_slide_takes_the_look_of_the_template_and_white_stays_white():
    image, template = slide(np.array([H, E])), slide(OTHER, seed=1, strength=0.6)
    own, wanted = METHOD.measure(image), METHOD.measure(template)
    mapped = METHOD.apply(image, own, wanted)
    assert (mapped[image.min(axis=2) == 255] == 255).all()
    assert (METHOD.apply(WHITE, own, wanted) == 255).all()
    tissue = mapped[:, 20:].reshape(-1, 3).astype(float)
    there, here = (each[:, 20:].reshape(-1, 3).astype(float) for each in (template, image))
    assert (
        np.abs(tissue.mean(axis=0) - there.mean(axis=0)).max()
        < 6
        < np.abs(here.mean(axis=0) - there.mean(axis=0)).max()
    )
    again = METHOD.measure(mapped)
    np.testing.assert_allclose(again.stains, wanted.stains, atol=0.02)
    np.testing.assert_allclose(again.strong, wanted.strong, rtol=0.1)


def test_mapping_is_the_formula():
    image = slide(np.array([H, E]))
    own, wanted = METHOD.measure(image), METHOD.measure(slide(OTHER, seed=1))
    amount = concentrations(
        optical_density(rgb(brightened(image, own.bright))), own.stains, METHOD.code
    )
    np.testing.assert_array_equal(
        METHOD.apply(image, own, wanted),
        np.round(255 * np.exp(-(amount * wanted.strong / own.strong) @ wanted.stains)).astype(
            np.uint8
        ),
    )


def test_a_stain_that_a_slide_does_not_hold_is_not_scaled_to_infinity():
    own = dataclasses.replace(METHOD.measure(slide(np.array([H, E]))), strong=np.array([1.0, 0.0]))
    assert METHOD.apply(slide(np.array([H, E])), own, own).max() <= 255


def test_a_real_slide_takes_the_others_stains_and_tinted_background_turns_white(her2st):
    """B4 has a pinker background than C2; in the stains of C2 it is white."""
    c2, b4 = (real_section(her2st, name) for name in ("C2", "B4"))
    own, wanted = METHOD.measure(b4.thumbnail), METHOD.measure(c2.thumbnail)
    corner = b4.thumbnail[:60, :60]
    assert corner.mean(axis=(0, 1)).min() < 215
    assert METHOD.apply(corner, own, wanted).mean(axis=(0, 1)).min() > 235
    again = METHOD.measure(METHOD.apply(b4.thumbnail, own, wanted))
    assert np.abs(again.stains - wanted.stains).max() < np.abs(own.stains - wanted.stains).max() / 2
