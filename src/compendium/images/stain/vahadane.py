"""Vahadane's stains: a sparse non-negative dictionary of optical densities (Vahadane et al. 2016), after STimage's brightening."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import brightened, brightness, lab, optical_density, rgb
from compendium.images.stain.stain_pair import StainPair, ordered

ROUNDS, PIXELS = (
    200,
    20_000,
)  # of the dictionary's search, where the last digits have long stopped to move
START = np.array(
    [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]]
)  # haematoxylin and eosin as Ruifrok and Johnston measured them (2001)


@dataclass(frozen=True)
class Vahadane:
    """Two stains by a sparse non-negative dictionary; pixels of one slide become 255 exp(-amount x stain) with the stains of the template. White stays white.

    bright: percentile of the lightness L (CIELAB, 0-100) of the slide that becomes 100, with all that is lighter. tissue: the L below which a pixel is tissue.
    strong: percentile of how much of each stain the tissue holds. sparse, code: penalties of the dictionary's search and of the amounts.
    """

    bright: float = 95.0
    tissue: float = 80.0
    strong: float = 99.0
    sparse: float = 0.1
    code: float = 0.01

    def of(self, image: UInt8[np.ndarray, "height width 3"]) -> StainPair:
        """The stains of a slide, shrunk as a thumbnail is. BadInput where there is no tissue, or only one colour of it."""
        bright = brightness(image, self.bright)
        light = rgb(brightened(image, bright))
        density = optical_density(light[lab(light)[..., 0] < self.tissue])
        if not len(density):
            raise BadInput("it shows no tissue")
        stains = dictionary(density[:: -(-len(density) // PIXELS)], self.sparse)
        return StainPair(
            stains,
            np.percentile(concentrations(density, stains, self.code), self.strong, axis=0),
            bright,
        )

    def mapped(
        self, tiles: UInt8[np.ndarray, "*any 3"], own: StainPair, template: StainPair
    ) -> UInt8[np.ndarray, "*any 3"]:
        """Pixels of a slide in the stains of the template, each stain as strong there as here."""
        amount = concentrations(
            optical_density(rgb(brightened(tiles, own.bright))), own.stains, self.code
        )
        return np.round(255 * np.exp(-own.density(amount, template))).astype(np.uint8)


def concentrations(
    density: Float64[np.ndarray, "*any 3"], stains: Float64[np.ndarray, "2 3"], penalty: float
) -> Float64[np.ndarray, "*any 2"]:
    """How much of each stain, c >= 0, makes the density: the least 1/2 |density - c stains|^2 + penalty |c|, which for two stains can be written down.

    Where the free solution is negative in one stain, that one is 0 and the other as if it were alone.
    """
    single = density @ stains.T - penalty
    overlap = float(stains[0] @ stains[1])
    both = (single - overlap * single[..., ::-1]) / max(1 - overlap**2, 1e-9)
    return np.where(both[..., ::-1] < 0, single, both).clip(min=0)


def dictionary(
    density: Float64[np.ndarray, "pixel 3"], penalty: float
) -> Float64[np.ndarray, "2 3"]:
    """Two stains, non-negative rows of unit length, that make the densities with the least 1/2 |density - c stains|^2 + penalty |c|, c >= 0.

    Concentrations and stains are improved in turn, one stain at a time, as scikit-learn's DictionaryLearning does; for two stains every step is
    written down, so that it takes a hundredth of the time.
    """
    stains = START / np.linalg.norm(START, axis=1, keepdims=True)
    for _ in range(ROUNDS):
        amount = concentrations(density, stains, penalty)
        square, product = amount.T @ amount, amount.T @ density
        for i in range(2):
            if square[i, i] > 0:
                row = (stains[i] + (product[i] - square[i] @ stains) / square[i, i]).clip(min=0)
                stains[i] = row / max(np.linalg.norm(row), 1e-9)
    if not square.diagonal().all():
        raise BadInput("its tissue has one colour, not two")
    return ordered(stains)
