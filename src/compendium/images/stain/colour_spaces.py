"""Pixels as lightness and colour (CIELAB) and as optical density, and how far a pixel is from glass."""

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from compendium.errors import BadInput


def lab(pixels: UInt8[np.ndarray, "*any 3"]) -> Float32[np.ndarray, "*any 3"]:
    """CIELAB, white point D65: L 0-100, a and b about -100 to 100."""
    from skimage.color import rgb2lab

    return rgb2lab(
        pixels.astype(np.float32) / 255
    )  # in single precision, which takes half the time


def rgb(colours: Float[np.ndarray, "*any 3"]) -> UInt8[np.ndarray, "*any 3"]:
    """Back from CIELAB; what no screen can show is cut."""
    from skimage.color import lab2rgb

    bluest = (
        199.99 / 116 * (colours[..., 0] + 16)
    )  # a larger b is no light (CIE Z below 0); scikit-image cuts it too, and warns
    return np.round(
        lab2rgb(
            np.stack(
                [colours[..., 0], colours[..., 1], np.minimum(colours[..., 2], bluest)], axis=-1
            )
        )
        * 255
    ).astype(np.uint8)


def brightness(image: UInt8[np.ndarray, "height width 3"], percentile: float) -> float:
    """The lightness that is white on a slide: a high percentile of L. BadInput where all is black."""
    bright = float(np.percentile(lab(image)[..., 0], percentile))
    if bright == 0:
        raise BadInput("it is black")
    return bright


def brightened(pixels: UInt8[np.ndarray, "*any 3"], bright: float) -> Float32[np.ndarray, "*any 3"]:
    """CIELAB with the lightness divided by `bright` and cut at 100, colour kept."""
    colours = lab(pixels)
    colours[..., 0] = np.minimum(colours[..., 0] * (100 / bright), 100)
    return colours


def optical_density(pixels: UInt8[np.ndarray, "*any 3"]) -> Float64[np.ndarray, "*any 3"]:
    """-ln(value / 255), at least 1e-6; a value of 0 counts as 1."""
    return np.maximum(-np.log(np.maximum(pixels, 1) / 255), 1e-6)


def off_glass(darkness: Float[np.ndarray, "*any"], glass: float) -> Float[np.ndarray, "*any 1"]:
    """How much of a change a pixel takes: nothing up to the darkness of glass, all of it from twice that on; everywhere all with glass = 0.

    So white stays white, glass that is a little tinted stays as it is, and no edge is drawn around the tissue.
    """
    return (np.clip(darkness / glass - 1, 0, 1) if glass else np.ones_like(darkness))[..., None]
