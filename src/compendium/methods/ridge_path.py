"""Ridge regression of many genes over a grid of penalties, and the penalty that each gene takes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int
from scipy.linalg import svd

from compendium.errors import BadInput

PENALTIES = np.logspace(-2, 8, 21)
"""Grid of penalties in half-decades; a gene that takes the last one is predicted by its mean."""
SIDE = 3  # blocks along each side of an array

Features = Float64[np.ndarray, "spot feature"]
Targets = Float64[np.ndarray, "spot gene"]
Penalties = Float64[np.ndarray, "gene"]
Errors = Float64[np.ndarray, "penalty gene"]
Folds = Int[np.ndarray, "spot"]


@dataclass(frozen=True)
class RidgePath:
    """Ridge regressions of all genes on standardised features Z, for any penalty a.

    Y = mean + Z W, with W = argmin |Y - mean - Z W|^2 + a |W|^2, squares summed over spots: with
    Z = U S V', W = V (S / (S^2 + a)) U'(Y - mean). The mean is not penalised.

    Parameters
    ----------
    centre, scale
        Mean and standard deviation of each feature; 1 for one that does not vary.
    mean
        Mean of each gene.
    axes, singular
        V and S.
    loads
        U'(Y - mean).
    """

    centre: Float64[np.ndarray, "feature"]
    scale: Float64[np.ndarray, "feature"]
    mean: Float64[np.ndarray, "gene"]
    axes: Float64[np.ndarray, "feature rank"]
    singular: Float64[np.ndarray, "rank"]
    loads: Float64[np.ndarray, "rank gene"]

    @classmethod
    def of(cls, x: Features, y: Targets) -> "RidgePath":
        """Decompose the features of the training spots once."""
        from sklearn.preprocessing import StandardScaler

        scaler, mean = StandardScaler().fit(x), y.mean(axis=0)
        u, singular, axes = svd(scaler.transform(x), full_matrices=False)
        return cls(scaler.mean_, scaler.scale_, mean, axes.T, singular, u.T @ (y - mean))

    def weights(self, penalties: Penalties) -> Float64[np.ndarray, "feature gene"]:
        """Return W, each gene with its own penalty."""
        return self.axes @ self._shrunk(penalties)

    def predictions(self, x: Features) -> Iterator[Targets]:
        """Predict spots with each penalty of the grid in turn, the same for all genes."""
        rotated = (x - self.centre) / self.scale @ self.axes
        for penalty in PENALTIES:
            yield self.mean + rotated @ self._shrunk(penalty)

    def _shrunk(self, penalties: Penalties | float) -> Float64[np.ndarray, "rank gene"]:
        s = self.singular[:, None]
        return s / (s**2 + penalties) * self.loads


def chosen_penalties(x: Features, y: Targets, folds: Folds) -> Penalties:
    """Choose the penalty with the least squared error on folds left out, for each gene apart.

    Parameters
    ----------
    x, y
        Features and targets of the training spots.
    folds
        Fold of each spot.

    Returns
    -------
    Values of PENALTIES; of equally good ones the largest.
    """
    errors = left_out_errors(x, y, folds)
    return PENALTIES[len(errors) - 1 - errors[::-1].argmin(axis=0)]


def left_out_errors(x: Features, y: Targets, folds: Folds) -> Errors:
    """Sum the squared errors over all spots, each predicted from the other folds."""
    total = np.zeros((len(PENALTIES), y.shape[1]))
    for fold in np.unique(folds):
        out = folds == fold
        path = RidgePath.of(x[~out], y[~out])
        for row, predicted in zip(total, path.predictions(x[out]), strict=True):
            row += np.square(predicted - y[out]).sum(axis=0)
    return total


def fold_of(section: Folds, grid: Int[np.ndarray, "spot 2"], by: str) -> Folds:
    """Assign training spots to folds that lie apart in the tissue.

    Parameters
    ----------
    section
        Number of the section of each spot.
    grid
        Array positions.
    by
        "sections": a fold is a section, or one of 3 x 3 blocks of the array where there is one
        section only. "blocks": a fold is the same block of every section.

    Raises
    ------
    BadInput
        Where all spots are in one fold.
    """
    folds = section
    if by == "blocks" or len(np.unique(section)) == 1:
        folds = np.zeros_like(section)
        for each in np.unique(section):
            folds[section == each] = _blocks(grid[section == each])
    if len(np.unique(folds)) < 2:
        raise BadInput("one training spot has no other to choose a penalty by; give more spots")
    return folds


def _blocks(grid: Int[np.ndarray, "spot 2"]) -> Folds:
    """Return the block of each spot; blocks have equal sides and may be empty."""
    low = grid.min(axis=0)
    x, y = (SIDE * (grid - low) // (grid.max(axis=0) - low + 1)).T
    return SIDE * x + y
