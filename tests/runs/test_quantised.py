"""Predictions and scores as integers: how far a PCC moves, and what stays as it is."""

import numpy as np
import pytest

from compendium.evaluation.scores import pcc
from compendium.runs.quantised import coded, joined, planes, quantised

GENES = 600


def drawn(kind: str, spots: int, rng: np.random.Generator) -> np.ndarray:
    """Predictions of a section."""
    smooth = rng.normal(size=(spots, 5)) @ rng.normal(size=(5, GENES))
    return {
        "normal": rng.normal(size=(spots, GENES)),
        "smooth": 100 + 1e-3 * smooth,
        "heavy tails": rng.lognormal(sigma=1.5, size=(spots, GENES)),
        "counts": rng.negative_binomial(1, 0.05, (spots, GENES)).astype(float),
    }[kind].astype(np.float32)


@pytest.mark.parametrize("spots", [60, 187, 700, 3000])
@pytest.mark.parametrize("kind", ["normal", "smooth", "heavy tails", "counts"])
def test_no_pcc_moves_by_above_3_thousandths(kind, spots):
    rng = np.random.default_rng(0)
    predicted = drawn(kind, spots, rng)
    own = (predicted - predicted.mean(axis=0)) / predicted.std(axis=0)
    measured = rng.normal(size=predicted.shape) + rng.uniform(0, 2, GENES) * own
    moved = pcc(quantised(predicted).values, measured) - pcc(predicted, measured)
    assert np.abs(moved).max() <= 0.003


@pytest.mark.parametrize(("spots", "steps"), [(150, 36), (600, 18), (15000, 3.6)])
def test_more_spots_take_fewer_steps(spots, steps):
    predicted = np.random.default_rng(0).normal(size=(spots, 3)).astype(np.float32)
    np.testing.assert_allclose(predicted.std(axis=0) / quantised(predicted).step, steps, rtol=1e-5)


def test_a_constant_gene_stays_constant_and_any_other_varies():
    values = np.full((50, 3), 0.1, np.float32)
    values[7, 1] = np.nextafter(np.float32(0.1), np.float32(1))
    values[:, 2] = np.linspace(5e3, 5e3 + 0.01, 50)
    restored = quantised(values).values
    assert (restored[:, 0] == values[:, 0]).all()
    assert np.ptp(restored[:, 1]) > 0 and np.ptp(restored[:, 2]) > 0


def test_scores_are_kept_within_two_thousandths_and_missing_ones_stay_missing():
    rng = np.random.default_rng(0)
    scores = rng.uniform(-1, 1, (4, 3, 500))
    scores[2] = 1000 ** scores[2]
    scores[3] = -50 * scores[2]
    scores[0, 0, 7] = scores[1, 2, 8] = scores[2, 1, 9] = np.nan
    scores[2, 0, 0] = 0
    kept = coded(scores)
    assert list(kept.correlations) == [True, True, False, False]
    np.testing.assert_allclose(kept.values[:2], scores[:2], atol=0.002)
    np.testing.assert_allclose(kept.values[2:], scores[2:], rtol=0.002)
    assert not coded(scores[[0, 0]]).codes[1].any(), "a kind that is the first again"


def test_scores_none_of_which_is_there():
    missing = np.full((2, 1, 5), np.nan)
    assert np.isnan(coded(missing).values).all()


@pytest.mark.parametrize(("kind", "factors"), [("normal", 0), ("smooth", 6)])
def test_what_few_factors_explain_leaves_small_codes(kind, factors):
    kept = quantised(drawn(kind, 200, np.random.default_rng(0)))
    assert kept.left.shape[1] == len(kept.right) == factors
    assert (np.abs(kept.codes).max() <= 1) == (kind == "smooth")


@pytest.mark.parametrize("dtype", [np.int32, np.uint16])
def test_bytes_of_integers_are_put_together_again(dtype):
    codes = np.array([[0, 1, 255, 256], [70, 65535, 3, 9]]).astype(dtype)
    codes[0] *= 1 if dtype == np.uint16 else -1
    split = planes(codes)
    assert len(split) == (2 if dtype == np.uint16 else 3)
    assert (joined(split, dtype) == codes).all()
