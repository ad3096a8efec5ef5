"""Which spots lie on tissue: STimage's and DeepSpaCE's filters, as functions of pixels. Each gives a mask of the spots that are kept."""

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy.ndimage import distance_transform_edt

from compendium.data.section import Section
from compendium.errors import BadInput

EVERY = "all"
SPOTS = (
    EVERY,
    "stimage",
    "deepspace",
)  # words of a run: which spots of its training sections are trained on
WHITE_PERCENTILE, WHITE_SHARE = 80, 0.5  # DeepSpaCE
WHITE_GREEN, GREY, RADIUS, TISSUE_SHARE = (
    240,
    3,
    320,
    0.7,
)  # STimage; the radius in px of the full image, 32 where it is shrunk ten times


def spots_kept(section: Section, word: str, px: int, um: float = 0.0) -> Bool[np.ndarray, "spot"]:
    """The spots of a section that a filter keeps for training, by their tiles (see Section.tiles); BadInput where that is none."""
    match word:
        case "stimage":
            kept = on_tissue(
                section.slide(), section.thumbnail_scale, section.pixels, section.side(px, um)
            )
        case "deepspace":
            kept = not_white(section.tiles(px, um))
        case _:
            return np.ones(len(section), dtype=bool)
    if not kept.any():
        raise BadInput(
            f"spots={word} keeps none of the {len(section)} spots of {section.cohort} section {section.name}; train without the section, or give spots={EVERY}"
        )
    return kept


def not_white(tiles: UInt8[np.ndarray, "spot px px 3"]) -> Bool[np.ndarray, "spot"]:
    """DeepSpaCE's filter of one section: a tile goes if more than half of its pixels are white, all three channels above the section's threshold.

    The threshold is the 80th percentile of the tiles' mean values, of the spots alone as in the original, not of positions off the tissue.
    """
    threshold = np.percentile([tile.mean() for tile in tiles], WHITE_PERCENTILE)
    return np.array([(tile > threshold).all(axis=2).mean() <= WHITE_SHARE for tile in tiles])


def on_tissue(
    image: UInt8[np.ndarray, "height width 3"],
    scale: float,
    pixels: Float32[np.ndarray, "spot 2"],
    px: int,
) -> Bool[np.ndarray, "spot"]:
    """STimage's filter: a spot goes if less than 70 % of its tile of `px` x `px` is tissue. image: the slide at `scale` (px of it per px of the full image).

    pixels: x, y on the full image. STimage looks at the slide shrunk ten times; a thumbnail is as small or smaller, and the disc shrinks with it.
    """
    return (
        tissue_share(tissue_mask(image, RADIUS * scale), pixels * scale, px * scale) >= TISSUE_SHARE
    )


def tissue_mask(
    image: UInt8[np.ndarray, "height width 3"], radius: float
) -> Bool[np.ndarray, "height width"]:
    """Tissue on a shrunk slide: green at most 240 and not grey (channels within 3), then closed and opened by a disc.

    Between the two STimage moves the mask's border by GrabCut, for which the package has no library; that step is left out, so that tinted
    glass stays tissue here where its colour mixtures may tell the two apart. STimage's bound on luminance, 250, is above that of any colour
    with green at most 240.
    """
    closed = shrunk(
        grown((image[..., 1] <= WHITE_GREEN) & (np.ptp(image, axis=2) > GREY), radius), radius
    )
    return grown(shrunk(closed, radius), radius)


def grown(
    mask: Bool[np.ndarray, "height width"], radius: float
) -> Bool[np.ndarray, "height width"]:
    """Dilation by a disc: the mask and everything within the radius of it; nothing grows in from outside the image."""
    return distance_transform_edt(~mask) <= radius if mask.any() else mask


def shrunk(
    mask: Bool[np.ndarray, "height width"], radius: float
) -> Bool[np.ndarray, "height width"]:
    """Erosion by the same disc."""
    return ~grown(~mask, radius)


def tissue_share(
    mask: Bool[np.ndarray, "height width"], pixels: Float[np.ndarray, "spot 2"], px: float
) -> Float[np.ndarray, "spot"]:
    """Share of tissue in a square of side `px` around each spot (x, y), of the part of it that lies on the image."""
    low = np.clip(np.floor(pixels - px / 2).astype(int), 0, np.array(mask.shape[::-1]) - 1)
    high = np.maximum(np.floor(pixels + px / 2).astype(int), low + 1)
    return np.array(
        [mask[y0:y1, x0:x1].mean() for (x0, y0), (x1, y1) in zip(low, high, strict=True)]
    )
