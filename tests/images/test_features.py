"""The cache of features: computed once, by one process, and never trusted where its bytes have changed."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from compendium.disk import lock_of
from compendium.images.features import COLOUR, cache_path, features, six_colours
from conftest import tiny_section

SECTION = tiny_section(spots=6)


@pytest.fixture
def path(home):
    """The file of the section's colours, which lies there."""
    features(SECTION, COLOUR, 32)
    return cache_path(SECTION, COLOUR, 32, "", "cpu")


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [
    lambda path: os.truncate(path, 100),
    lambda path: os.truncate(path, 0),
    lambda path: flip(path, 60),
    lambda path: flip(path, 200),
    lambda path: flip(path, -1),
])
def test_damaged_features_are_reported_and_computed_again(path, caplog, damage):
    good = path.read_bytes()
    damage(path)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(features(SECTION, COLOUR, 32), six_colours(SECTION, 32))
    assert caplog.text.count("are damaged") == 1
    assert path.read_bytes() == good and [each.name for each in path.parent.iterdir()] == [path.name]
    caplog.clear()
    features(SECTION, COLOUR, 32)
    assert not caplog.text


def test_features_wanted_by_many_at_once_are_computed_by_one(home, monkeypatch):
    path, began, calls = cache_path(SECTION, COLOUR, 32, "", "cpu"), Event(), []

    def slow(section, tile_px, view):
        calls.append(section.name)
        began.wait(0.3)  # the others come meanwhile
        return six_colours(section, tile_px)

    monkeypatch.setattr("compendium.images.features.six_colours", slow)
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: features(SECTION, COLOUR, 32), range(4))
    assert calls == [SECTION.name]
    assert all(np.array_equal(first, other) for other in others)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_a_killed_process_left_goes_when_the_features_are_read(path):
    lock_of(path).touch()
    (path.parent / f".{path.name}.abcdefgh").mkdir()
    features(SECTION, COLOUR, 32)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
