"""Texture of tiles: statistics of grey-level co-occurrence matrices."""

import numpy as np
from jaxtyping import Float32, UInt8

DISTANCES = (1, 2, 4, 8)
"""Distances in pixels between the two pixels of a pair."""
DIRECTIONS = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
LEVELS = 16
STATISTICS = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")


def texture(tile: UInt8[np.ndarray, "px px 3"]) -> Float32[np.ndarray, "20"]:
    """Compute five statistics of grey-level co-occurrence at each of four distances.

    Grey levels are cut at the tile's own quantiles, so that neither colour, brightness nor contrast
    is left. Matrices are symmetric and averaged over four directions: a mirrored tile, or one
    turned by 90 degrees, has the same texture.

    Returns
    -------
    Contrast at each distance in `DISTANCES`, then the other `STATISTICS` likewise.

    References
    ----------
    Haralick, Shanmugam and Dinstein, IEEE Trans. Systems, Man, and Cybernetics 1973.
    """
    from skimage.feature import graycomatrix, graycoprops

    pairs = graycomatrix(
        _levels(tile), DISTANCES, DIRECTIONS, levels=LEVELS, symmetric=True, normed=True
    )
    mean = pairs.mean(axis=3, keepdims=True)
    rows = [graycoprops(mean, statistic)[:, 0] for statistic in STATISTICS]
    return np.concatenate(rows).astype(np.float32)


def _levels(tile: UInt8[np.ndarray, "px px 3"]) -> UInt8[np.ndarray, "px px"]:
    """Cut grey into LEVELS of equally many pixels, as far as ties allow."""
    from skimage.color import rgb2gray

    grey = rgb2gray(tile)
    cuts = np.quantile(grey, np.arange(1, LEVELS) / LEVELS)
    return np.searchsorted(cuts, grey, side="right").astype(np.uint8)
