"""Predictions of a section without its image: from sibling sections.

Siblings are other sections of the same patient. Their transformed expression is averaged, so the
average is taken after the transform.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Num, Shaped
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from compendium.evaluation.correlation import pcc

COPIED = 8
"""Nearest spots of each sibling section that a copy averages."""
POOLED, POOLED_OF_EACH = 30, 10
"""Nearest spots of all siblings that a position averages: at most, and for each sibling."""
CONSTANT = 1e-9
"""A gene whose standard deviation is below this share of its mean is constant."""
DECIMALS = 9  # of a distance: equal ones stay equal in spite of rounding


def unit_square(grid: Num[np.ndarray, "spot 2"]) -> Float64[np.ndarray, "spot 2"]:
    """Scale array positions to 0-1, x and y each over the spots; an axis of one value is 0."""
    low, span = grid.min(axis=0), np.ptp(grid, axis=0)
    return (grid - low) / np.where(span > 0, span, 1)


def nearest(
    at: Num[np.ndarray, "spot 2"], places: Num[np.ndarray, "other 2"], k: int
) -> Int[np.ndarray, "spot k"]:
    """Return the rows of the `k` nearest places of each spot, all where there are fewer.

    Of places at the same distance those that stand first are taken; a row is in rising order.
    """
    k = min(k, len(places))
    apart = cdist(at, places).round(DECIMALS)
    farthest = np.partition(apart, k - 1, axis=1)[:, k - 1 : k]
    nearer, tied = apart < farthest, apart == farthest
    room = k - nearer.sum(axis=1, keepdims=True)
    chosen = nearer | (tied & (tied.cumsum(axis=1) <= room))
    return np.nonzero(chosen)[1].reshape(len(at), k)


def copy(
    targets: Sequence[Float[np.ndarray, "_ gene"]],
    places: Sequence[Num[np.ndarray, "_ 2"]],
    at: Num[np.ndarray, "spot 2"],
    k: int = COPIED,
) -> Float64[np.ndarray, "spot gene"]:
    """Predict from the nearest spots of each sibling section in a common frame.

    Parameters
    ----------
    targets, places
        Transformed expression and places of the spots of each sibling.
    at
        Places of the spots to predict, in the same frame.
    k
        Number of spots of a sibling that are averaged.

    Returns
    -------
    Mean over the siblings of the mean over the `k` nearest spots of each.
    """
    pairs = zip(targets, places, strict=True)
    return np.mean([_averaged(target, nearest(at, place, k)) for target, place in pairs], axis=0)


def from_positions(
    targets: Sequence[Float[np.ndarray, "_ gene"]],
    places: Sequence[Num[np.ndarray, "_ 2"]],
    at: Num[np.ndarray, "spot 2"],
) -> Float64[np.ndarray, "spot gene"]:
    """Predict from the nearest spots of all sibling sections pooled, without an alignment.

    Parameters
    ----------
    targets, places
        Transformed expression and positions (see `unit_square`) of the spots of each sibling.
    at
        Positions of the spots to predict.

    Returns
    -------
    Mean over the min(30, 10 x siblings) nearest spots.
    """
    k = min(POOLED, POOLED_OF_EACH * len(targets))
    return _averaged(np.concatenate(targets), nearest(at, np.concatenate(places), k))


def _averaged(
    target: Float[np.ndarray, "other gene"], rows: Int[np.ndarray, "spot k"]
) -> Float64[np.ndarray, "spot gene"]:
    """Return the mean of the named rows of a target; equal values keep their value."""
    spots, k = rows.shape
    ends = np.arange(0, spots * k + 1, k)
    chosen = csr_matrix((np.ones(rows.size), rows.ravel(), ends), shape=(spots, len(target)))
    return chosen @ target.astype(np.float64) / k


def constant(values: Shaped[np.ndarray, "spot gene"]) -> Bool[np.ndarray, "gene"]:
    """Return which genes are constant: the standard deviation is 0 or below 1e-9 of the mean."""
    values = values.astype(np.float64)
    return values.std(axis=0) <= CONSTANT * np.abs(values.mean(axis=0))


def pcc_of_varying(
    predicted: Float[np.ndarray, "spot gene"], measured: Float[np.ndarray, "spot gene"]
) -> Float64[np.ndarray, "gene"]:
    """Return the PCC of each gene over spots; missing where prediction or measurement is constant.

    Unlike the exact test of `scores.pcc`, this one takes the rounding of an average for none.
    """
    missing = constant(predicted) | constant(measured)
    return np.where(missing, np.nan, pcc(predicted, measured))
