"""Pearson correlation of each gene over spots, plain and given depth or tissue classes."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import orth
from scipy.stats import pearsonr

CONSTANT = 1e-6
"""Largest residual, as a share of the largest value, that is taken for rounding."""
PerSpot = Float[np.ndarray, "spot gene"]


def pcc(predicted: PerSpot, measured: PerSpot) -> Float[np.ndarray, "gene"]:
    """Return the Pearson correlation of each gene over spots, in double precision.

    NaN where prediction or measurement is constant.
    """
    predicted, measured = predicted.astype(np.float64), measured.astype(np.float64)
    varies = (np.ptp(predicted, axis=0) > 0) & (np.ptp(measured, axis=0) > 0)
    result = np.full(predicted.shape[1], np.nan)
    if varies.any() and len(predicted) > 1:
        result[varies] = pearsonr(predicted[:, varies], measured[:, varies], axis=0).statistic
    return result


def partial_pcc(
    predicted: PerSpot, measured: PerSpot, given: np.ndarray
) -> Float[np.ndarray, "gene"]:
    """Return the partial correlation of each gene over spots.

    Parameters
    ----------
    predicted, measured
        Values of the same spots and genes.
    given
        What is held fixed: covariates [spot] or [spot, covariate], or the class of each spot as
        text. Every spot counts once.

    Returns
    -------
    The correlation of the residuals of both sides; NaN where one side has none, up to rounding.
    """
    basis = _basis(given)
    rest = [_residuals(side.astype(np.float64), basis) for side in (predicted, measured)]
    return pcc(*rest)


def _basis(given: np.ndarray) -> Float[np.ndarray, "spot term"]:
    """Return an orthonormal basis of class means, or of a constant and the covariates."""
    if given.dtype.kind in "UO":
        return orth((given[:, None] == np.unique(given)).astype(np.float64))
    centred = given - given.mean(axis=0)
    return orth(np.column_stack([np.ones(len(given)), centred]), rcond=1e-10)


def _residuals(
    values: Float[np.ndarray, "spot gene"], basis: Float[np.ndarray, "spot term"]
) -> Float[np.ndarray, "spot gene"]:
    """Return what the basis does not explain; NaN for genes of which nothing is left."""
    rest = values - basis @ (basis.T @ values)
    size = [np.abs(each).max(axis=0, initial=0) for each in (rest, values)]
    return np.where(size[0] <= CONSTANT * size[1], np.nan, rest)
