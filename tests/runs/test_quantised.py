"""Rounding of predictions and scores: how far it moves a PCC, and what it leaves as it is."""

import numpy as np
import pytest

from compendium.evaluation.scores import pcc
from compendium.runs.quantised import quantised, rounded

SPOTS, GENES = 187, 2000


def drawn(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Predictions of a section, with as few spots as the smallest imaged one."""
    smooth = rng.normal(size=(SPOTS, 5)) @ rng.normal(size=(5, GENES))
    return {
        "normal": rng.normal(size=(SPOTS, GENES)),
        "smooth": 100 + 1e-3 * smooth,
        "heavy tails": rng.lognormal(sigma=1.5, size=(SPOTS, GENES)),
        "counts": rng.negative_binomial(1, 0.05, (SPOTS, GENES)).astype(float),
    }[kind].astype(np.float32)


@pytest.mark.parametrize("kind", ["normal", "smooth", "heavy tails", "counts"])
def test_no_pcc_moves_by_above_3_thousandths(kind):
    rng = np.random.default_rng(0)
    predicted = drawn(kind, rng)
    own = (predicted - predicted.mean(axis=0)) / predicted.std(axis=0)
    measured = rng.normal(size=predicted.shape) + rng.uniform(0, 2, GENES) * own
    moved = pcc(quantised(predicted).values, measured) - pcc(predicted, measured)
    assert np.abs(moved).max() <= 0.003


def test_a_constant_gene_stays_constant_and_any_other_varies():
    values = np.full((50, 3), 0.1, np.float32)
    values[7, 1] = np.nextafter(np.float32(0.1), np.float32(1))
    values[:, 2] = np.linspace(5e3, 5e3 + 0.01, 50)
    restored = quantised(values).values
    assert (restored[:, 0] == values[:, 0]).all()
    assert np.ptp(restored[:, 1]) > 0 and np.ptp(restored[:, 2]) > 0


def test_scores_are_rounded_within_a_thousandth_and_missing_ones_stay_missing():
    correlations = np.random.default_rng(0).uniform(-1, 1, 5000)
    correlations[3] = np.nan
    kept = rounded(correlations)
    assert np.nanmax(np.abs(kept - correlations)) <= 0.001
    assert np.isnan(kept).nonzero()[0].tolist() == [3]
    assert len(np.unique(kept[np.isfinite(kept)])) <= 1025
    errors = np.array([3e-7, 0.0, 0.25, 812.3, 1.153854, 2.378949, np.nan])
    np.testing.assert_allclose(rounded(errors), errors, rtol=1e-3)
