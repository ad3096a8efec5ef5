"""Slides for tests of stains: of two known stains, of the demo cohort, and real ones.

Also sections that hold them.
"""

import dataclasses
from functools import cache

import numpy as np

from compendium.data import synthetic
from compendium.data.section import Section
from conftest import tiny_section

H, E = (
    np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29]),
    np.array([0.20, 0.95, 0.25]) / np.linalg.norm([0.20, 0.95, 0.25]),
)
OTHER = np.array([[0.80, 0.55, 0.24], [0.35, 0.90, 0.26]])
OTHER /= np.linalg.norm(OTHER, axis=1, keepdims=True)
WHITE = np.full((2, 16, 16, 3), 255, dtype=np.uint8)


def slide(stains: np.ndarray, seed: int = 0, side: int = 60, strength: float = 1.0) -> np.ndarray:
    """White glass on the left third, then tissue: a pixel is mostly of one stain."""
    rng = np.random.default_rng(seed)
    amount = (
        rng.gamma(2, 0.4, (side, side, 2))
        * np.where(rng.random((side, side, 1)) < 0.5, [1, 0.05], [0.05, 1])
        * strength
    )
    amount[:, : side // 3] = 0
    return np.round(255 * np.exp(-amount @ stains)).astype(np.uint8)


def pictured(name: str, image: np.ndarray, patient: str = "P1") -> Section:
    """A tiny section whose patches and thumbnail are of one slide; its first patch is white."""
    section = tiny_section(name, patient)
    rows, columns = np.random.default_rng(5).integers(0, 60, (2, 24, 16, 16))
    patches = image[rows, columns]
    patches[0] = 255
    return dataclasses.replace(
        section,
        stored_tiles=patches,
        thumbnail=image,
        thumbnail_scale=0.1,
        digest=f"{section.digest}-pictured-{image.sum()}",
    )


@cache
def demo(name: str) -> Section:
    """A section of the demo cohort, drawn once a session."""
    return synthetic.make(name)
