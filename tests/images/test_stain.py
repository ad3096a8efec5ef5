"""Sections whose stains are normalised or augmented: values, identity, store and errors."""

import dataclasses
import logging

import numpy as np
import pytest

from compendium.images.features import Encoding, cache_path
from compendium.images.stain import store as stain
from compendium.images.stain.store import (
    AUGMENTERS,
    NORMALISERS,
    STAINS,
    changes,
    fitted,
    measure,
    restained,
)
from conftest import tiny_section
from raw_files import refusal
from stained_slides import OTHER, E, H, pictured, slide

COLOUR = Encoding("colour", 16)
ONE, TWO = pictured("S1", slide(np.array([H, E]))), pictured("S2", slide(OTHER, seed=1))


def test_every_stain_method_is_frozen_and_has_its_functions():
    for method in STAINS.values():
        assert method.__dataclass_params__.frozen
    assert all(
        hasattr(method, verb) for method in NORMALISERS.values() for verb in ("measure", "apply")
    )
    assert all(
        hasattr(method, verb) for method in AUGMENTERS.values() for verb in ("fitted", "apply")
    )
    assert not NORMALISERS.keys() & AUGMENTERS.keys() and "none" not in STAINS


@pytest.mark.parametrize("word", NORMALISERS)
def test_a_normalised_section_looks_like_the_first_training_section(word, home):
    method = NORMALISERS[word]
    found = restained(ONE, [TWO, ONE], word)
    np.testing.assert_array_equal(
        found.stored_tiles, method.apply(ONE.stored_tiles, measure(ONE, word), measure(TWO, word))
    )
    assert np.abs(found.stored_tiles.astype(int) - ONE.stored_tiles).mean() > 3
    assert (
        restained(ONE, [TWO], word).digest == found.digest
    )  # other training sections do not matter
    assert restained(ONE, [ONE, TWO], word).digest != found.digest


@pytest.mark.parametrize("word", AUGMENTERS)
def test_every_tile_gets_one_draw_that_follows_from_section_word_and_spot(word, home):
    found = restained(ONE, [ONE, TWO], word)
    assert (found.stored_tiles[0] == 255).all()  # which was white
    draw = changes(ONE, [ONE, TWO], word)
    np.testing.assert_array_equal(draw(slice(5, 7)), found.stored_tiles[5:7])
    same = dataclasses.replace(
        ONE, stored_tiles=np.repeat(ONE.stored_tiles[1:2], 24, axis=0), thumbnail=None
    )
    drawn = changes(same, [ONE, TWO], word)(slice(None))
    assert len(np.unique(drawn.reshape(24, -1), axis=0)) > (
        12 if word == "hed-strong" else 23
    )  # one tile, 24 spots; the strong draws end in white or black
    other = changes(dataclasses.replace(same, digest="another"), [ONE, TWO], word)(slice(None))
    assert not np.array_equal(other, drawn)


def test_only_what_is_fitted_rests_on_the_other_training_sections(home):
    alone, both = (
        {word: restained(ONE, train, word).digest for word in AUGMENTERS}
        for train in ([ONE], [ONE, TWO])
    )
    assert {word for word in AUGMENTERS if alone[word] != both[word]} == {
        "randstainna",
        "randstainna-laplace",
    }
    assert fitted([ONE, TWO], "randstainna").spread != fitted([ONE], "randstainna").spread


def test_a_restained_section_is_another_section_with_its_own_features_computed_once(
    home, monkeypatch
):
    first = restained(ONE, [TWO], "vahadane")
    assert first.digest not in (ONE.digest, TWO.digest)
    assert cache_path(first, COLOUR) != cache_path(ONE, COLOUR)
    assert not list(home.rglob("*.lock"))
    monkeypatch.setattr(stain, "_write", lambda *given: pytest.fail("mapped again"))
    np.testing.assert_array_equal(
        restained(ONE, [TWO], "vahadane").stored_tiles, first.stored_tiles
    )


def test_damaged_patches_are_reported_and_made_again(home, caplog):
    first = np.array(restained(ONE, [TWO], "vahadane").stored_tiles)
    (path,) = home.rglob("*.npy")
    for content in (b"", path.read_bytes()[:-100]):
        path.write_bytes(content)
        with caplog.at_level(logging.WARNING):
            np.testing.assert_array_equal(restained(ONE, [TWO], "vahadane").stored_tiles, first)
        assert caplog.text.count("are damaged") == 1
        caplog.clear()


@pytest.mark.parametrize(
    ("word", "image", "says"),
    [
        *((word, np.full((30, 30, 3), 255), "it shows no tissue") for word in NORMALISERS),
        ("vahadane", np.full((30, 30, 3), 0), "it is black"),
        (
            "vahadane",
            np.where(np.arange(900).reshape(30, 30, 1) < 400, 255, [150, 90, 160]),
            "its tissue has one colour, not two",
        ),
    ],
)
def test_a_slide_without_stains_is_refused_in_one_line(word, image, says, home):
    other = dataclasses.replace(tiny_section("S2"), thumbnail=image.astype(np.uint8))
    for section, train in ((ONE, [other]), (other, [ONE])):
        message = refusal(lambda section=section, train=train: restained(section, train, word))
        assert f"stain={word} cannot be measured" in message
        assert f"tiny section S2: {says}; leave the section out" in message
    assert not list(home.rglob("*.npy"))


def test_white_training_tiles_are_refused_in_one_line(home):
    white = dataclasses.replace(ONE, stored_tiles=np.full_like(ONE.stored_tiles, 255))
    message = refusal(lambda: restained(white, [white], "randstainna"))
    assert message.startswith("stain=randstainna cannot be fitted on tiny training sections S1:")
    assert "no tile shows tissue" in message and "\n" not in message
    assert not list(home.rglob("*.npy"))


@pytest.mark.parametrize("word", STAINS)
def test_a_section_without_image_is_refused(word, home):
    bare = dataclasses.replace(tiny_section("S3"), stored_tiles=None)
    assert f"tiny section S3 has no image, and stain={word} changes images" in refusal(
        lambda: restained(bare, [ONE], word)
    )
    if word in NORMALISERS:
        assert "tiny section S1 has no image" in refusal(
            lambda: restained(ONE, [tiny_section("S1")], word)
        )
