"""What the table of stain maps says of tinted glass is what the maps make of it."""

import numpy as np
import pytest

from compendium.evidence import image_names
from compendium.images.stain import AUGMENTERS, NORMALISERS, STAINS, look
from stained_slides import OTHER, E, H, pictured, slide

TINT = np.array([238, 232, 236], dtype=np.uint8)
TEMPLATE = pictured("S2", slide(OTHER, seed=1))
WORDS = {row["word"]: row["tinted glass"] for row in image_names.maps()}


def on_tinted_glass():
    image = slide(np.array([H, E]))
    image[:, :20] = TINT
    return pictured("S1", image)


def glass_after(word: str) -> np.ndarray:
    """Tinted glass beside tissue, after mapping to a template or after each of 40 draws."""
    section = on_tinted_glass()
    tile = np.concatenate([np.broadcast_to(TINT, (16, 8, 3)), section.thumbnail[20:36, 30:38]], axis=1)
    if word in NORMALISERS:
        return NORMALISERS[word].mapped(tile[None], look(section, word), look(TEMPLATE, word))[0, 0, :1].astype(int)
    drawing = AUGMENTERS[word].fitted([section, TEMPLATE])
    return np.array([drawing.drawn(tile, np.random.default_rng(seed))[0, 0] for seed in range(40)], dtype=int)


@pytest.mark.parametrize("word", STAINS)
def test_tinted_glass_becomes_what_the_table_says(word):
    found = glass_after(word)
    if WORDS[word] == "stays":
        assert (found == TINT).all()
    elif WORDS[word] == "brightened to white":
        assert found.min() >= 250
    else:
        assert WORDS[word] == "takes the factor, not the offset"
        density = np.log(found / 255).sum(axis=1) / np.log(TINT / 255).sum()
        reach = AUGMENTERS[word].strength
        assert density.min() < 1 - reach / 3 and density.max() > 1 + reach / 3  # it is moved, either way
        assert 1 - reach - 0.1 <= density.min() and density.max() <= 1 + reach + 0.1  # by the factor alone: an offset of this strength would be far larger
