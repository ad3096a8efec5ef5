"""Colour of synthetic images: dye amounts turned into RGB."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

from compendium.data.synthetic.textures import spread

SHRINK = 6  # image px a thumbnail px
Dye = Float32[np.ndarray, "side side"]
STEPS = (64, 128)  # steps of a unit of haematoxylin and of eosin


@dataclass(frozen=True)
class Stain:
    """Appearance of the slides of a laboratory."""

    haematoxylin: tuple[float, float, float]
    """Optical density (R, G, B) of one unit of haematoxylin."""

    eosin: tuple[float, float, float]
    """Optical density (R, G, B) of one unit of eosin."""

    background: tuple[float, float, float]
    """RGB of the empty slide."""

    strength: tuple[float, float] = (1.0, 1.0)
    """Amount of each dye on this section, relative to the drawn amount."""

    def table(self) -> UInt8[np.ndarray, "haematoxylin eosin 3"]:
        """Return the RGB of 256 x 256 amounts of dye, in STEPS (law of Beer and Lambert)."""
        amounts = np.arange(256)[:, None] / STEPS * self.strength
        blue, pink = amounts[:, :1] * self.haematoxylin, amounts[:, 1:] * self.eosin
        light = np.exp(-blue[:, None] - pink[None])
        return np.round(np.array(self.background) * light).astype(np.uint8)


def colour(
    haematoxylin: Dye, eosin: Dye, stain: Stain, rng: Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Turn the drawn amounts of dye into an image of twice the size, with blur and grain."""
    grain = spread("grain", rng)
    amounts = []
    for layer, rough, steps in zip((haematoxylin, eosin), (0.14, 0.08), STEPS, strict=True):
        blurred = gaussian_filter(layer, 0.6, truncate=2)
        grained = (blurred * (1 + rough * grain) + 0.01) * steps + 0.5
        amounts.append(doubled(np.clip(grained, 0, 255).astype(np.uint8)))
    return stain.table().reshape(-1, 3)[amounts[0].astype(np.uint16) * 256 + amounts[1]]


def doubled(layer: UInt8[np.ndarray, "side side"]) -> UInt8[np.ndarray, "large large"]:
    """Enlarge a layer bilinearly by two, in integer arithmetic."""
    large = layer.astype(np.uint16)
    for _ in range(2):  # rows, then columns
        padded = np.pad(large, ((1, 1), (0, 0)), mode="edge")
        pair = np.stack([3 * large + padded[:-2], 3 * large + padded[2:]], axis=1)
        large = pair.reshape(-1, large.shape[1]).T
    return ((large + 8) >> 4).astype(np.uint8)


def thumbnail(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "low narrow 3"]:
    """Reduce an image to 1 / SHRINK of its size by averaging."""
    from skimage.measure import block_reduce

    return block_reduce(image, (SHRINK, SHRINK, 1), np.mean).astype(np.uint8)
