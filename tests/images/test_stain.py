"""Vahadane's stains: every step against a textbook or a library, white that stays white, slides that take each other's look, and what cannot be measured."""

import dataclasses
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from compendium.data.section import Section
from compendium.images import stain
from compendium.images.features import cache_path
from compendium.images.stain import STAINS, Vahadane, brightened, concentrations, dictionary, look, optical_density, restained
from conftest import tiny_section
from raw_files import real_section, refusal

H, E = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29]), np.array([0.20, 0.95, 0.25]) / np.linalg.norm([0.20, 0.95, 0.25])
OTHER = np.array([[0.80, 0.55, 0.24], [0.35, 0.90, 0.26]])
OTHER /= np.linalg.norm(OTHER, axis=1, keepdims=True)


def slide(stains: np.ndarray, seed: int = 0, side: int = 60, strength: float = 1.0) -> np.ndarray:
    """White glass on the left third, then tissue: each pixel mostly of one stain, little of the other."""
    rng = np.random.default_rng(seed)
    amount = rng.gamma(2, 0.4, (side, side, 2)) * np.where(rng.random((side, side, 1)) < 0.5, [1, 0.05], [0.05, 1]) * strength
    amount[:, : side // 3] = 0
    return np.round(255 * np.exp(-amount @ stains)).astype(np.uint8)


def pictured(name: str, image: np.ndarray) -> Section:
    section = tiny_section(name)
    rng = np.random.default_rng(5)
    rows, columns = rng.integers(0, 60, (2, 24, 16, 16))
    return dataclasses.replace(section, patches=image[rows, columns], thumbnail=image, thumbnail_scale=0.1)


# ---- the steps


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1, 3), min_size=3, max_size=3), st.sampled_from([0.0, 0.01, 0.1, 0.7]))
def test_concentrations_are_the_non_negative_lassos(density, penalty):
    """The lasso with penalty p is least squares with one more row: its normal equations are those of D D' c = D x - p."""
    stains = np.array([H, E])
    root = np.linalg.cholesky(stains @ stains.T).T
    expected, _ = nnls(root, np.linalg.solve(root.T, stains @ density - penalty))
    np.testing.assert_allclose(concentrations(np.array(density), stains, penalty), expected, atol=1e-7)


@pytest.mark.filterwarnings("ignore:Objective did not converge")  # its inner solver stops early on many pixels
def test_the_dictionary_is_scikit_learns():
    from sklearn.decomposition import DictionaryLearning

    density = optical_density(slide(np.array([H, E]))[:, 20:].reshape(-1, 3))[::24]
    theirs = DictionaryLearning(
        2, alpha=0.1, fit_algorithm="cd", transform_algorithm="lasso_cd", positive_dict=True, positive_code=True, random_state=0, dict_init=stain.START.copy(),
        code_init=np.ones((len(density), 2)), max_iter=60, tol=0, transform_max_iter=100,
    )
    theirs.fit(density)
    ours = dictionary(density)
    np.testing.assert_allclose(ours, theirs.components_ / np.linalg.norm(theirs.components_, axis=1, keepdims=True), atol=0.02)
    assert loss(density, ours) <= loss(density, theirs.components_) + 1e-6


def loss(density: np.ndarray, stains: np.ndarray) -> float:
    amount = concentrations(density, stains, 0.1)
    return float((((density - amount @ stains) ** 2).sum(axis=1) / 2 + 0.1 * amount.sum(axis=1)).mean())


def test_the_dictionary_finds_the_stains_that_made_a_slide_haematoxylin_first():
    for pair in ([H, E], [E, H]):
        found = Vahadane.of(slide(np.array(pair))).stains
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
        assert (found >= 0).all()
        assert (found * [H, E]).sum(axis=1).min() > 0.995


def test_brightening_divides_lightness_and_leaves_the_colour():
    from skimage.color import rgb2lab

    pixels = np.random.default_rng(0).integers(90, 170, (50, 3), dtype=np.uint8)
    before, after = (rgb2lab(each) for each in (pixels, brightened(pixels, 80.0)))
    np.testing.assert_allclose(after[:, 0], before[:, 0] / 0.8, atol=0.5)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1.5)
    assert (brightened(np.array([[250, 250, 250]], dtype=np.uint8), 60.0) == 255).all()


def test_optical_density_is_the_logarithm_with_its_two_guards():
    np.testing.assert_allclose(optical_density(np.array([[0, 1, 255]], dtype=np.uint8)), [[np.log(255), np.log(255), 1e-6]])


def test_strong_is_the_99th_percentile_over_tissue_whatever_the_glass():
    image = slide(np.array([H, E]))
    wide = np.concatenate([np.full_like(image, 255), image], axis=1)
    np.testing.assert_allclose(Vahadane.of(wide).strong, Vahadane.of(image).strong, rtol=1e-6)
    assert (Vahadane.of(slide(np.array([H, E]), strength=0.5)).strong < 0.6 * Vahadane.of(image).strong).all()


# ---- mapping


def test_a_slide_takes_the_look_of_the_template_and_white_stays_white():
    image, template = slide(np.array([H, E])), slide(OTHER, seed=1, strength=0.6)
    own, wanted = Vahadane.of(image), Vahadane.of(template)
    mapped = own.mapped(image, wanted)
    assert (mapped[image.min(axis=2) == 255] == 255).all()
    assert (own.mapped(np.full((4, 8, 8, 3), 255, dtype=np.uint8), wanted) == 255).all()
    tissue = mapped[:, 20:].reshape(-1, 3).astype(float)
    there, here = (each[:, 20:].reshape(-1, 3).astype(float) for each in (template, image))
    assert np.abs(tissue.mean(axis=0) - there.mean(axis=0)).max() < 6 < np.abs(here.mean(axis=0) - there.mean(axis=0)).max()
    again = Vahadane.of(mapped)
    np.testing.assert_allclose(again.stains, wanted.stains, atol=0.02)
    np.testing.assert_allclose(again.strong, wanted.strong, rtol=0.1)


def test_mapping_is_the_formula():
    image = slide(np.array([H, E]))
    own, wanted = Vahadane.of(image), Vahadane.of(slide(OTHER, seed=1))
    amount = concentrations(optical_density(brightened(image, own.bright)), own.stains)
    np.testing.assert_array_equal(own.mapped(image, wanted), np.round(255 * np.exp(-(amount * wanted.strong / own.strong) @ wanted.stains)).astype(np.uint8))


def test_a_stain_that_a_slide_does_not_hold_is_not_scaled_to_infinity():
    own = dataclasses.replace(Vahadane.of(slide(np.array([H, E]))), strong=np.array([1.0, 0.0]))
    assert own.mapped(slide(np.array([H, E])), own).max() <= 255


# ---- sections


def test_a_restained_section_is_another_section_with_its_own_features_computed_once(home, monkeypatch):
    one, two = pictured("S1", slide(np.array([H, E]))), pictured("S2", slide(OTHER, seed=1))
    first = restained(one, two, "vahadane")
    assert first.digest not in (one.digest, two.digest)
    assert cache_path(first, "colour", 16, "", "cpu") != cache_path(one, "colour", 16, "", "cpu")
    np.testing.assert_array_equal(first.patches, look(one, "vahadane").mapped(one.patches, look(two, "vahadane")))
    assert not list(home.rglob("*.lock"))
    monkeypatch.setattr(stain, "_write", lambda *given: pytest.fail("mapped again"))
    np.testing.assert_array_equal(restained(one, two, "vahadane").patches, first.patches)


def test_damaged_patches_are_reported_and_made_again(home, caplog):
    one, two = pictured("S1", slide(np.array([H, E]))), pictured("S2", slide(OTHER, seed=1))
    first = np.array(restained(one, two, "vahadane").patches)
    (path,) = home.rglob("*.npy")
    for content in (b"", path.read_bytes()[:-100]):
        path.write_bytes(content)
        with caplog.at_level(logging.WARNING):
            np.testing.assert_array_equal(restained(one, two, "vahadane").patches, first)
        assert "damaged" in caplog.text


@pytest.mark.parametrize(("image", "says"), [
    (np.full((30, 30, 3), 255), "it shows no tissue"),
    (np.full((30, 30, 3), 0), "it is black"),
    (np.where(np.arange(900).reshape(30, 30, 1) < 400, 255, [150, 90, 160]), "its tissue has one colour, not two"),
])
def test_a_slide_without_stains_is_refused_in_one_line(image, says, home):
    section, other = pictured("S1", slide(np.array([H, E]))), dataclasses.replace(tiny_section("S2"), thumbnail=image.astype(np.uint8))
    for pair in ((section, other), (other, section)):
        message = refusal(lambda pair=pair: restained(*pair, "vahadane"))
        assert f"stain=vahadane cannot be measured on the image of tiny section S2: {says}" in message
    assert not list(home.rglob("*.npy"))


def test_a_section_without_image_is_refused(home):
    assert "tiny section S1 has no image" in refusal(lambda: restained(tiny_section("S1"), tiny_section("S2"), "vahadane"))


def test_every_word_measures_and_maps():
    assert list(STAINS) == ["vahadane"]
    assert all(dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen for kind in STAINS.values())


def test_a_real_slide_takes_the_others_stains_and_tinted_glass_turns_white(her2st, home):
    """B4 is on pinker glass than C2; in the stains of C2 it is on white, and what its tissue is coloured like is what the tissue of C2 is."""
    c2, b4 = (real_section(her2st, name) for name in ("C2", "B4"))
    own, wanted = look(b4, "vahadane"), look(c2, "vahadane")
    corner = b4.thumbnail[:60, :60]
    assert corner.mean(axis=(0, 1)).min() < 215
    assert own.mapped(corner, wanted).mean(axis=(0, 1)).min() > 235
    again = Vahadane.of(own.mapped(b4.thumbnail, wanted))
    assert np.abs(again.stains - wanted.stains).max() < np.abs(own.stains - wanted.stains).max() / 2
