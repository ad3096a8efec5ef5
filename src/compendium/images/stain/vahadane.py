"""Vahadane's stains: a sparse non-negative dictionary of optical densities."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import brightened, brightness, lab, optical_density, rgb
from compendium.images.stain.stain_pair import StainPair, ordered

ROUNDS = 200  # of the search; the last digits stop to change long before
PIXELS = 20_000  # largest number of pixels that are searched
START = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])  # Ruifrok and Johnston 2001


@dataclass(frozen=True)
class Vahadane:
    """Replace the two stains of a slide, found by a sparse dictionary, by those of a template.

    mapped = 255 * exp(-amount * ratio @ template stains), after STimage's brightening; white stays
    white.

    References
    ----------
    Vahadane et al., IEEE Transactions on Medical Imaging 2016.
    """

    bright: float = 95.0
    """Percentile of CIELAB L (0 to 100) of the slide that becomes 100, with all lighter pixels."""

    tissue: float = 80.0
    """L below which a pixel is tissue."""

    strong: float = 99.0
    """Percentile of the amount of each stain over the tissue that is made the template's."""

    sparse: float = 0.1
    """Penalty of the dictionary search."""

    code: float = 0.01
    """Penalty of the amounts."""

    def measure(self, image: UInt8[np.ndarray, "height width 3"]) -> StainPair:
        """Measure the stains of a slide on its thumbnail.

        Raises
        ------
        BadInput
            The slide is black, shows no tissue, or tissue of one colour only.
        """
        bright = brightness(image, self.bright)
        light = rgb(brightened(image, bright))
        density = optical_density(light[lab(light)[..., 0] < self.tissue])
        if not len(density):
            raise BadInput("it shows no tissue")
        stains = dictionary(density[:: -(-len(density) // PIXELS)], self.sparse)
        amount = concentrations(density, stains, self.code)
        return StainPair(stains, np.percentile(amount, self.strong, axis=0), bright)

    def apply(
        self, tiles: UInt8[np.ndarray, "*any 3"], own: StainPair, template: StainPair
    ) -> UInt8[np.ndarray, "*any 3"]:
        """Map pixels of a slide to the stains of the template."""
        density = optical_density(rgb(brightened(tiles, own.bright)))
        amount = concentrations(density, own.stains, self.code)
        return np.round(255 * np.exp(-own.density(amount, template))).astype(np.uint8)


def concentrations(
    density: Float64[np.ndarray, "*any 3"], stains: Float64[np.ndarray, "2 3"], penalty: float
) -> Float64[np.ndarray, "*any 2"]:
    """Compute the amounts c >= 0 that minimise 1/2 |density - c stains|^2 + penalty |c|.

    For two stains the solution is closed: where the free solution is negative in one stain, that
    one is 0 and the other is fitted alone.
    """
    single = density @ stains.T - penalty
    overlap = float(stains[0] @ stains[1])
    both = (single - overlap * single[..., ::-1]) / max(1 - overlap**2, 1e-9)
    return np.where(both[..., ::-1] < 0, single, both).clip(min=0)


def dictionary(
    density: Float64[np.ndarray, "pixel 3"], penalty: float
) -> Float64[np.ndarray, "2 3"]:
    """Find two non-negative unit stains that minimise 1/2 |density - c stains|^2 + penalty |c|.

    Amounts c >= 0 and stains are updated in turn, one stain at a time, as in scikit-learn's
    DictionaryLearning; closed steps for two stains take a hundredth of its time.

    Raises
    ------
    BadInput
        One stain suffices.

    References
    ----------
    Mairal et al., JMLR 2010, Algorithm 2.
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
