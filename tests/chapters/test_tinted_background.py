"""Stain maps make of tinted background what their table says, below and above the threshold."""

import numpy as np
import pytest

from compendium.chapters.augmentation import catalogue
from compendium.images.stain.colour_spaces import lab, optical_density
from compendium.images.stain.store import AUGMENTERS, NORMALISERS, STAINS, measure
from raw_files import real_section
from stained_slides import OTHER, E, H, pictured, slide

PALE, B4 = np.array([238, 232, 236], dtype=np.uint8), np.array([222, 211, 226], dtype=np.uint8)
TEMPLATE = pictured("S2", slide(OTHER, seed=1))
EXPECTED = catalogue.stain_maps().set_index("name")["tinted background"].to_dict()


def on_tinted_background(tint):
    image = slide(np.array([H, E]))
    image[:, :20] = tint
    return pictured("S1", image)


def background_after(word, tint):
    """Tinted background beside tissue, after mapping to a template or after each of 40 draws."""
    section = on_tinted_background(tint)
    tile = np.concatenate(
        [np.broadcast_to(tint, (16, 8, 3)), section.thumbnail[20:36, 30:38]], axis=1
    )
    if word in NORMALISERS:
        return NORMALISERS[word].apply(tile[None], measure(section, word), measure(TEMPLATE, word))[
            0, 0, :1
        ]
    drawing = AUGMENTERS[word].fitted([section, TEMPLATE])
    return np.array([drawing.apply(tile, np.random.default_rng(seed))[0, 0] for seed in range(40)])


@pytest.mark.parametrize("tint", [PALE, B4], ids=["pale", "B4"])
@pytest.mark.parametrize("word", STAINS)
def test_tinted_background_becomes_what_the_table_says(word, tint):
    found, darker = background_after(word, tint), tint is B4
    match EXPECTED[word]:
        case "stays if no darker than the threshold":
            assert (found != tint).any(axis=1).mean() > 0.9 if darker else (found == tint).all()
        case "brightened, a trace of tint left":
            (lightness, *colour), (_, *before) = lab(found)[0], lab(tint)
            assert lightness > 98 and 0.1 < np.linalg.norm(colour) / np.linalg.norm(before) < 0.6
            assert np.dot(colour, before) > 0.95 * np.linalg.norm(colour) * np.linalg.norm(
                before
            ), "the same tint"
        case "nearly white":
            assert found.min() > 245
        case "takes the factor; if darker than the threshold, the offset too":
            density, reach = (
                optical_density(found).sum(axis=1) / optical_density(tint).sum(),
                AUGMENTERS[word].strength,
            )
            assert density.min() < 1 - reach / 3 and density.max() > 1 + reach / 3, (
                "it is moved, either way"
            )
            by_factor_alone = (
                1 - reach - 0.1 <= density.min() and density.max() <= 1 + reach + 0.1
            )  # an offset of this strength moves it farther
            assert by_factor_alone is not darker
        case other:
            pytest.fail(f"nothing checks {other}")


def test_the_background_of_a_real_slide_is_darker_than_the_thresholds(her2st):
    colour = np.median(real_section(her2st, "B4").thumbnail[:60, :60], axis=(0, 1))
    assert (colour == B4).all()
    assert (
        100 - lab(B4)[0] > STAINS["randstainna"].background
        and optical_density(B4).mean()
        > STAINS["macenko"].background
        == STAINS["hed-light"].background
    )
