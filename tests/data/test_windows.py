"""Windows of a slide: as published, some spots twice, some lost; half-open, every spot once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compendium.data.windows import (
    CLEAN,
    FEWEST,
    MARGIN_PX,
    PUBLISHED,
    WHOLE,
    half_open,
    published,
    windows,
)
from conftest import tiny_section
from raw_files import refusal

# Any layout, in quarters of a pixel: crowded, far apart, on borders.
LAYOUTS = st.integers(1, 120).flatmap(
    lambda n: arrays(
        np.float32, (n, 2), elements=st.integers(0, 4000).map(lambda quarter: quarter / 4)
    )
)
SIDES = st.sampled_from([100, 128, 250, 4000])


def array(columns: int, rows: int, pitch: float) -> np.ndarray:
    """A square array of spots."""
    return np.array(
        [(x * pitch, y * pitch) for y in range(rows) for x in range(columns)], dtype=np.float32
    )


@settings(deadline=None)
@given(pixels=LAYOUTS, side=SIDES)
def test_half_open_windows_have_every_spot_once(pixels, side):
    found = half_open(pixels, side)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(pixels)))
    assert all(len(rows) > FEWEST for rows in found) or len(found) == 1
    assert all((np.diff(rows) > 0).all() for rows in found)


@settings(deadline=None)
@given(pixels=LAYOUTS, side=SIDES)
def test_published_windows_double_the_spots_on_inner_borders_and_drop_small_windows(pixels, side):
    """Against one spot and one square at a time."""
    low, high = pixels.min(axis=0) - MARGIN_PX, pixels.max(axis=0) + MARGIN_PX
    expected = []
    for top in np.arange(low[1], high[1], side):
        for left in np.arange(low[0], high[0], side):
            rows = [
                i
                for i, (x, y) in enumerate(pixels.tolist())
                if left <= x <= left + side and top <= y <= top + side
            ]
            expected += [rows] if len(rows) > FEWEST else []
    found = published(pixels, side)
    assert [rows.tolist() for rows in found] == expected
    inner = [
        0 < x - low[0] < high[0] - low[0] and ((x - low[0]) % side == 0 or (y - low[1]) % side == 0)
        for x, y in pixels.tolist()
    ]
    times = np.bincount(np.concatenate([np.zeros(0, int), *found]), minlength=len(pixels))
    assert all(border for border, count in zip(inner, times, strict=True) if count > 1), (
        "only spots on a border are twice"
    )


@settings(deadline=None)
@given(pixels=LAYOUTS)
def test_a_slide_within_one_window_is_whole(pixels):
    assert [rows.tolist() for rows in half_open(pixels, 2000)] == [list(range(len(pixels)))]
    assert [rows.tolist() for rows in published(pixels, 2000)] == (
        [list(range(len(pixels)))] if len(pixels) > FEWEST else []
    )


def test_a_spot_on_the_border_of_two_windows_is_in_both_and_one_on_a_corner_in_four():
    pixels = array(21, 21, 20)  # 0 to 400; windows of 312 px from -112 on: the border is at 200
    found = published(pixels, 312)
    assert [len(rows) for rows in found] == [11 * 11, 11 * 11, 11 * 11, 11 * 11]
    times = np.bincount(np.concatenate(found))
    assert times[10 * 21 + 10] == 4
    assert (times == 2).sum() == 2 * 20 and (times == 1).sum() == 400
    assert [len(rows) for rows in half_open(pixels, 312)] == [10 * 10, 10 * 11, 11 * 10, 11 * 11]


def test_windows_come_row_by_row_from_the_top_left():
    found = published(array(20, 20, 50), 600)
    middles = [array(20, 20, 50)[rows].mean(axis=0) for rows in found]
    assert len(found) == 4
    assert [(x > 500, y > 500) for x, y in middles] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


def test_a_window_of_ten_spots_is_dropped_as_published_and_joins_its_neighbour_when_clean():
    body, strip = (
        array(10, 10, 20),
        np.array([(388.0, 20 * i) for i in range(FEWEST)], dtype=np.float32),
    )  # beyond the border, which is at 388 - 0.5
    pixels = np.concatenate([body, strip])
    assert [len(rows) for rows in published(pixels, 499)] == [100]
    assert [rows.tolist() for rows in half_open(pixels, 499)] == [list(range(110))]
    more = np.concatenate([pixels, [[388.0, 300.0]]]).astype(np.float32)
    assert (
        [len(rows) for rows in published(more, 499)]
        == [100, 11]
        == [len(rows) for rows in half_open(more, 499)]
    )


def test_a_small_window_joins_the_nearest_one():
    left, right = array(5, 5, 10), array(5, 5, 10) + np.float32([1000, 0])
    lonely = np.float32([[700, 0], [701, 5]])
    found = half_open(np.concatenate([left, lonely, right]), 300)
    assert [rows.tolist() for rows in found] == [list(range(25)), list(range(25, 52))]


def test_the_words():
    section = replace(tiny_section(), pixels=tiny_section().pixels * 40)
    assert [rows.tolist() for rows in windows(section, WHOLE)] == [list(range(24))]
    line = refusal(lambda: windows(section, PUBLISHED))
    assert (
        line == "windows=published drops all 24 spots of tiny section S1; "
        "leave the section out, or give windows=clean"
    )
    assert sorted(np.concatenate(windows(section, CLEAN)).tolist()) == list(range(24))


@pytest.mark.parametrize("word", [PUBLISHED, CLEAN])
def test_a_full_slide_of_either_resolution(word):
    """55 µm spots, 100 µm apart, on a slide of 6.5 mm.

    At 0.37 µm/px it is cut into 25 windows, at 0.74 into 9.
    """
    places = np.array(
        [(col / 2, row * np.sqrt(3) / 2) for row in range(78) for col in range(row % 2, 128, 2)]
    )
    for um_per_px, count in ((0.37, 25), (0.74, 9)):
        found = windows(
            replace(
                tiny_section(spots=len(places)),
                pixels=(places * 100 / um_per_px).astype(np.float32),
            ),
            word,
        )
        assert len(found) == count
        assert len(places) <= sum(map(len, found)) <= len(places) + 4
