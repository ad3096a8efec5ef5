"""Partial correlation on cases with a known answer."""

import numpy as np
import pytest
from scipy import stats

from compendium.evaluation.correlation import partial_pcc, pcc

RNG = np.random.default_rng(3)
DEPTH = RNG.normal(9, 0.5, 60)
INSIDE = RNG.normal(size=(60, 3))
OTHER = RNG.normal(size=(60, 3))


def test_what_is_shared_with_depth_alone_has_nothing_given_depth():
    predicted, measured = 3 * DEPTH[:, None] + OTHER, 2 * DEPTH[:, None] + 0.1 * INSIDE
    assert pcc(predicted, measured).min() > 0.7
    assert np.abs(partial_pcc(predicted, measured, DEPTH)).max() < 0.3
    np.testing.assert_allclose(partial_pcc(INSIDE + predicted, INSIDE + predicted, DEPTH), 1)


def test_it_is_the_textbook_formula_for_one_covariate():
    predicted, measured = INSIDE + DEPTH[:, None], INSIDE + OTHER - DEPTH[:, None]
    for gene, found in enumerate(partial_pcc(predicted, measured, DEPTH)):
        xy = stats.pearsonr(predicted[:, gene], measured[:, gene]).statistic
        xz, yz = (stats.pearsonr(each[:, gene], DEPTH).statistic for each in (predicted, measured))
        expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
        assert found == pytest.approx(expected, abs=1e-9)


def test_a_constant_covariate_takes_nothing_away():
    found = partial_pcc(INSIDE, INSIDE + OTHER, np.full(60, 7.3))
    np.testing.assert_allclose(found, pcc(INSIDE, INSIDE + OTHER))


def test_classes_are_covariates_too():
    labels = np.repeat(["red", "pale", "blue"], 20)
    dummies = (labels[:, None] == ["red", "pale"]).astype(float)
    found = partial_pcc(INSIDE, INSIDE + OTHER, labels)
    np.testing.assert_allclose(found, partial_pcc(INSIDE, INSIDE + OTHER, dummies))


def test_no_residual_is_no_correlation():
    exact = np.column_stack([DEPTH, np.zeros(60), np.full(60, 5.0)]).astype(np.float32)
    assert np.isnan(partial_pcc(exact, INSIDE, DEPTH)).all()
    assert np.isnan(partial_pcc(INSIDE, exact, DEPTH)).all()
