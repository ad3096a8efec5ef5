"""Convert pixels to CIELAB and to optical density, and weight changes by distance from white."""

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from compendium.errors import BadInput

Image = UInt8[np.ndarray, "height width 3"]
Pixels = UInt8[np.ndarray, "*any 3"]
Density = Float64[np.ndarray, "*any 3"]


def lab(pixels: Pixels) -> Float32[np.ndarray, "*any 3"]:
    """Convert RGB to CIELAB (D65): L 0 to 100, a and b about -100 to 100, single precision."""
    from skimage.color import rgb2lab

    return rgb2lab(pixels.astype(np.float32) / 255)


def rgb(colours: Float[np.ndarray, "*any 3"]) -> Pixels:
    """Convert CIELAB to RGB; colours outside sRGB are clipped."""
    from skimage.color import lab2rgb

    light, a, b = np.moveaxis(colours, -1, 0)
    b = np.minimum(b, 199.99 / 116 * (light + 16))  # CIE Z >= 0; scikit-image clips too, and warns
    return np.round(lab2rgb(np.stack([light, a, b], axis=-1)) * 255).astype(np.uint8)


def brightness(image: Image, percentile: float) -> float:
    """Compute the lightness L that counts as white on a slide, a high percentile of its pixels.

    Raises
    ------
    BadInput
        The image is black.
    """
    bright = float(np.percentile(lab(image)[..., 0], percentile))
    if bright == 0:
        raise BadInput("it is black")
    return bright


def brightened(pixels: Pixels, bright: float) -> Float32[np.ndarray, "*any 3"]:
    """Convert RGB to CIELAB with L = min(100 L / bright, 100); a and b stay."""
    colours = lab(pixels)
    colours[..., 0] = np.minimum(colours[..., 0] * (100 / bright), 100)
    return colours


def optical_density(pixels: Pixels) -> Density:
    """Compute -ln(value / 255), at least 1e-6; a value of 0 counts as 1."""
    return np.maximum(-np.log(np.maximum(pixels, 1) / 255), 1e-6)


def tissue_weight(
    darkness: Float[np.ndarray, "*any"], background: float
) -> Float[np.ndarray, "*any 1"]:
    """Compute which share of a change a pixel takes: clip(darkness / background - 1, 0, 1).

    White stays white, slightly tinted background stays as it is, and no edge appears around the
    tissue. With background = 0 every pixel takes the whole change.
    """
    if not background:
        return np.ones_like(darkness)[..., None]
    return np.clip(darkness / background - 1, 0, 1)[..., None]
