"""Which spots lie on tissue: STimage's and DeepSpaCE's filters, as functions of pixels. Each gives a mask of the spots that are kept."""

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.ndimage import distance_transform_edt

WHITE_PERCENTILE, WHITE_SHARE = 80, 0.5  # DeepSpaCE
SHRINK, WHITE_GREEN, GREY, RADIUS, TISSUE_SHARE = 10, 240, 3, 32, 0.7  # STimage


def not_white(tiles: UInt8[np.ndarray, "spot px px 3"]) -> Bool[np.ndarray, "spot"]:
    """DeepSpaCE's filter of one section: a tile goes if more than half of its pixels are white, all three channels above the section's threshold.

    The threshold is the 80th percentile of the tiles' mean values, of the spots alone as in the original, not of positions off the tissue.
    """
    threshold = np.percentile([tile.mean() for tile in tiles], WHITE_PERCENTILE)
    return np.array([(tile > threshold).all(axis=2).mean() <= WHITE_SHARE for tile in tiles])


def on_tissue(image: UInt8[np.ndarray, "height width 3"], pixels: Float32[np.ndarray, "spot 2"], px: int) -> Bool[np.ndarray, "spot"]:
    """STimage's filter: a spot goes if less than 70 % of its tile of `px` x `px` is tissue. image: the slide at full resolution; pixels: x, y on it."""
    height, width = (side // SHRINK * SHRINK for side in image.shape[:2])
    small = image[:height, :width].reshape(height // SHRINK, SHRINK, width // SHRINK, SHRINK, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    return tissue_share(tissue_mask(small), pixels / SHRINK, px / SHRINK) >= TISSUE_SHARE


def tissue_mask(image: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Tissue on a slide shrunk ten times: green at most 240 and not grey (channels within 3), then closed and opened by a disc of 64 px.

    Between the two STimage moves the mask's border by GrabCut, for which the package has no library; that step is left out, so that tinted
    glass stays tissue here where its colour mixtures may tell the two apart. STimage's bound on luminance, 250, is above that of any colour
    with green at most 240.
    """
    closed = shrunk(grown((image[..., 1] <= WHITE_GREEN) & (np.ptp(image, axis=2) > GREY)))
    return grown(shrunk(closed))


def grown(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Dilation by a disc: the mask and everything within 32 px of it; nothing grows in from outside the image."""
    return distance_transform_edt(~mask) <= RADIUS if mask.any() else mask


def shrunk(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Erosion by the same disc."""
    return ~grown(~mask)


def tissue_share(mask: Bool[np.ndarray, "height width"], pixels: Float[np.ndarray, "spot 2"], px: float) -> Float[np.ndarray, "spot"]:
    """Share of tissue in a square of side `px` around each spot (x, y), of the part of it that lies on the image."""
    low = np.clip(np.floor(pixels - px / 2).astype(int), 0, np.array(mask.shape[::-1]) - 1)
    high = np.maximum(np.floor(pixels + px / 2).astype(int), low + 1)
    return np.array([mask[y0:y1, x0:x1].mean() for (x0, y0), (x1, y1) in zip(low, high, strict=True)])
