"""Predictions from sibling sections and from depth, on sections small enough to compute by hand."""

import numpy as np
import pytest

from compendium.evaluation import depth as depths
from compendium.evaluation import without_images as counts


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def line(*x: float) -> np.ndarray:
    return np.array([[each, 0.0] for each in x])


def test_a_copy_averages_within_each_sibling_first():
    targets = [column(0, 2, 100), column(10)]
    places = [line(0, 1, 50), line(0)]
    assert counts.copy(targets, places, line(0), k=2) == pytest.approx(5.5)  # pooled: 4


def test_a_copy_takes_eight_spots_of_each_sibling():
    values = np.arange(12, dtype=np.float32)
    predicted = counts.copy([values[:, None]], [line(*values)], line(0))
    assert predicted == pytest.approx(np.mean(range(8)))


@pytest.mark.parametrize(("siblings", "used"), [(1, 10), (2, 20), (3, 30), (5, 30)])
def test_positions_pool_all_siblings(siblings, used):
    targets = [column(*range(i * 40, i * 40 + 40)) for i in range(siblings)]
    # spot j of sibling i lies at j + i / 10: in rising order they alternate between siblings
    places = [line(*(np.arange(40) + i / 10)) for i in range(siblings)]
    order = sorted(
        (x, value)
        for t, p in zip(targets, places, strict=True)
        for value, (x, _) in zip(t.ravel(), p, strict=True)
    )
    expected = np.mean([value for _, value in order[:used]])
    assert counts.from_positions(targets, places, line(0)) == pytest.approx(expected)


def test_the_average_is_taken_after_the_transform():
    raw = column(0, np.e**4 - 1)
    predicted = counts.copy([np.log1p(raw)], [line(0, 0)], line(0), k=2)
    assert predicted == pytest.approx(2)
    assert np.log1p(raw.mean()) > 3


def test_ties_are_broken_by_the_order_of_the_spots():
    places = line(1, -1, 0, 1)
    assert counts.nearest(line(0), places, 2).tolist() == [[0, 2]]
    assert counts.nearest(line(0), places[::-1], 2).tolist() == [[0, 1]]
    assert counts.nearest(line(0), places, 9).tolist() == [[0, 1, 2, 3]]


def test_a_tie_survives_rounding():
    thirds = np.array([[0.1 + 0.2, 0], [-0.3, 0]])  # 0.30000000000000004 and 0.3
    assert counts.nearest(line(0), thirds, 1).tolist() == [[0]]


def test_each_axis_is_scaled_over_the_spots_of_its_section():
    grid = np.array([[10, 4], [20, 4], [15, 8]], dtype=np.int32)
    assert counts.unit_square(grid).tolist() == [[0, 0], [1, 0], [0.5, 1]]
    assert counts.unit_square(grid[:2]).tolist() == [[0, 0], [1, 0]]


def test_depth_is_transformed_as_the_target_is():
    total = np.array([0, 1, 100], dtype=np.float32)
    assert depths.depth(total, "raw").tolist() == [1, 1, 100]
    for transform in ("log1p", "scprep", "wide"):
        assert depths.depth(total, transform) == pytest.approx([0, 0, np.log(100)])


def test_the_sign_of_depth_is_that_within_training_sections():
    depth = np.array([1.0, 2.0, 3.0])
    # within each section expression falls with depth, between them it rises
    shallow, deep = column(3, 2, 1), column(13, 12, 11)
    training = [
        depths.shared_with_depth(shallow, depth),
        depths.shared_with_depth(deep, depth + 10),
    ]
    assert depths.from_depth(depth, training).ravel().tolist() == [-1, -2, -3]
    pooled = np.concatenate([shallow, deep]).ravel()
    assert np.corrcoef(pooled, np.concatenate([depth, depth + 10]))[0, 1] > 0.9


def test_the_lowest_share_of_spots_is_left_out():
    total = np.r_[5, 1, np.full(198, 9)]
    assert np.flatnonzero(~depths.lowest_left_out(total)).tolist() == [0, 1]
    assert np.flatnonzero(~depths.lowest_left_out(total[:10])).tolist() == [1]


def test_a_constant_gene_is_missing_and_never_zero():
    rising = np.arange(4.0)
    rounded = np.full(4, 1 / 3) + [0, 1e-17, 1e-12, 0]
    measured = np.column_stack([rising, rising, rising, np.zeros(4), rising])
    predicted = np.column_stack([rising, rounded, np.zeros(4), rising, -rising])
    found = counts.pcc_of_varying(predicted, measured)
    assert found[[0, 4]] == pytest.approx([1, -1])
    assert np.isnan(found[[1, 2, 3]]).all()
    assert not np.isnan(
        counts.pcc_of_varying(predicted[:, [1]] * 0 + rising[:, None] * 1e-8, measured[:, [0]])
    )
