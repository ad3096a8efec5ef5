"""Choose spots on tissue by their pixels: the filters of STimage and of DeepSpaCE."""

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from compendium.data.section import Section
from compendium.errors import BadInput

Image, Tissue = UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]
Positions, Chosen = Float32[np.ndarray, "spot 2"], Bool[np.ndarray, "spot"]

EVERY = "all"
SPOTS = (EVERY, "stimage", "deepspace")
"""Values of the run parameter `spots`: which spots of its sections a run trains on."""

WHITE_PERCENTILE, WHITE_SHARE = 80, 0.5  # DeepSpaCE
WHITE_GREEN, GREY, TISSUE_SHARE = 240, 3, 0.7  # STimage
RADIUS = 320  # STimage, in px of the full image: 32 px of a slide shrunk ten times


def spots_kept(section: Section, name: str, px: int, um: float = 0.0) -> Chosen:
    """Select the spots of a section that a filter keeps for training.

    Parameters
    ----------
    section
        Section with an image.
    name
        One of SPOTS.
    px, um
        Side of a tile in pixels and in µm (see Section.tiles).

    Raises
    ------
    BadInput
        The filter keeps no spot, or the section has no image.
    """
    match name:
        case "stimage":
            scale, side = section.thumbnail_scale, section.side(px, um)
            kept = on_tissue(section.slide(), scale, section.pixels, side)
        case "deepspace":
            kept = not_white(section.tiles(px, um))
        case _:
            return np.ones(len(section), dtype=bool)
    if not kept.any():
        wrong = f"keeps none of the {len(section)} spots of {section.cohort} section {section.name}"
        cure = f"train without the section, or give spots={EVERY}"
        raise BadInput(f"spots={name} {wrong}; {cure}")
    return kept


def not_white(tiles: UInt8[np.ndarray, "spot px px 3"]) -> Chosen:
    """Select the tiles of one section of which at most half of the pixels are white (DeepSpaCE).

    A pixel is white if all three channels exceed the 80th percentile of the tiles' mean values.
    As in the original, the percentile is over the spots, not over positions off the tissue.

    References
    ----------
    Monjo et al., Scientific Reports 2022, authors' code.
    """
    threshold = np.percentile([tile.mean() for tile in tiles], WHITE_PERCENTILE)
    return np.array([(tile > threshold).all(axis=2).mean() <= WHITE_SHARE for tile in tiles])


def on_tissue(image: Image, scale: float, pixels: Positions, px: int) -> Chosen:
    """Select the spots whose tile is at least 70 % tissue (STimage).

    STimage shrinks the slide ten times; a thumbnail is as small or smaller, and the radius of the
    disc follows its scale.

    Parameters
    ----------
    image
        Thumbnail of the slide.
    scale
        Pixels of the thumbnail per pixel of the full image.
    pixels
        Position x, y of each spot on the full image, in pixels.
    px
        Side of a tile in pixels of the full image.

    References
    ----------
    Tan et al. 2023 (STimage), authors' code.
    """
    mask = tissue_mask(image, RADIUS * scale)
    return tissue_share(mask, pixels * scale, px * scale) >= TISSUE_SHARE


def tissue_mask(image: Image, radius: float) -> Tissue:
    """Find tissue on a thumbnail: green at most 240, channels more than 3 apart.

    The mask is then closed and opened by a disc of this radius in pixels; outside the image
    nothing is added or removed. STimage moves the border by GrabCut between the two. That step is
    left out, so that tinted background stays tissue where GrabCut may tell the two apart. STimage's
    bound on luminance, 250, is above that of any colour with green at most 240.
    """
    from skimage.morphology import isotropic_dilation, isotropic_erosion

    mask = (image[..., 1] <= WHITE_GREEN) & (np.ptp(image, axis=2) > GREY)
    for change in (isotropic_dilation, isotropic_erosion, isotropic_erosion, isotropic_dilation):
        if mask.all() or not mask.any():  # a distance needs both values
            return mask
        mask = change(mask, radius)
    return mask


def tissue_share(
    mask: Tissue, pixels: Float[np.ndarray, "spot 2"], px: float
) -> Float[np.ndarray, "spot"]:
    """Compute the share of tissue in a square of side `px` around each spot (x, y).

    Only the part of the square that lies on the image counts.
    """
    low = np.clip(np.floor(pixels - px / 2).astype(int), 0, np.array(mask.shape[::-1]) - 1)
    high = np.maximum(np.floor(pixels + px / 2).astype(int), low + 1)
    corners = np.hstack([low, high])
    return np.array([mask[top:bottom, left:right].mean() for left, top, right, bottom in corners])
