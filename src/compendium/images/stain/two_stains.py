"""Two stains of a slide, haematoxylin and eosin: the methods of Macenko and of Vahadane."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from compendium.errors import BadInput
from compendium.images.stain import colour_spaces
from compendium.images.stain.colour_spaces import Density, Image, Pixels, optical_density, rgb

Amount = Float64[np.ndarray, "*any 2"]
Stains = Float64[np.ndarray, "2 3"]
ALIKE = 1 - 1e-6  # cosine from which two stains count as one
ROUNDS = 200  # of the search of Vahadane; the last digits stop to change long before
PIXELS = 20_000  # largest number of pixels that are searched
START = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])  # Ruifrok and Johnston 2001


@dataclass(frozen=True)
class StainPair:
    """Stains of a slide, how much of them its tissue holds, and its white."""

    stains: Stains
    """Optical density of haematoxylin and eosin in red, green, blue; rows of unit length."""

    strong: Float64[np.ndarray, "2"]
    """High percentile of the amount of each stain over the tissue."""

    bright: float = 100.0
    """CIELAB lightness L (0 to 100) that is white on the slide."""

    def density(self, amount: Amount, template: "StainPair") -> Density:
        """Compute the optical density of amounts of this slide's stains in the template's stains.

        Amounts are multiplied by template.strong / self.strong; a stain that this slide lacks is
        not scaled.
        """
        ratio = np.divide(template.strong, self.strong, out=np.ones(2), where=self.strong > 0)
        return (amount * ratio) @ template.stains


def ordered(stains: Stains) -> Stains:
    """Order two stains: haematoxylin, which absorbs more red, first.

    Raises
    ------
    BadInput
        The two stains are one.
    """
    if stains[0] @ stains[1] > ALIKE:
        raise BadInput("its tissue has one colour, not two")
    return stains if stains[0, 0] >= stains[1, 0] else stains[::-1].copy()


@dataclass(frozen=True)
class Macenko:
    """Replace the two stains of a slide, found by principal directions, by those of a template.

    mapped = light * exp(-amount * ratio @ template stains)

    With everywhere = True and background = 0 the method is torchstain's.

    References
    ----------
    Macenko et al., ISBI 2009, "A method for normalizing histology slides".
    """

    light: float = 240.0
    """Pixel value of light that met no tissue."""

    tissue: float = 0.15
    """Optical density from which on, in every channel, a pixel is tissue."""

    angle: float = 1.0
    """Percentile of the angles in the plane, from either end, at which the stains are taken."""

    strong: float = 99.0
    """Percentile of the amount of each stain that is made the template's."""

    everywhere: bool = False
    """Take that percentile over all pixels, as libraries do, where background counts too."""

    background: float = 0.1
    """Pixels up to this mean optical density stay; from twice as much on they change fully."""

    def measure(self, image: Image) -> StainPair:
        """Measure the stains of a slide.

        Raises
        ------
        BadInput
            The slide shows no tissue, or tissue of one colour only.
        """
        density = self._density(image).reshape(-1, 3)
        tissue = density[(density >= self.tissue).all(axis=1)]
        if len(tissue) < 2:
            raise BadInput("it shows no tissue")
        plane = np.linalg.eigh(np.cov(tissue.T))[1][:, 1:]  # of ascending variance
        angles = np.arctan2(tissue @ plane[:, 1], tissue @ plane[:, 0])
        ends = np.percentile(angles, [self.angle, 100 - self.angle])
        stains = ordered(np.stack([np.cos(ends), np.sin(ends)], axis=1) @ plane.T)
        amount = (density if self.everywhere else tissue) @ np.linalg.pinv(stains)
        return StainPair(stains, np.percentile(amount, self.strong, axis=0))

    def apply(self, tiles: Pixels, own: StainPair, template: StainPair) -> Pixels:
        """Map pixels of a slide to the stains of the template."""
        amount = self._density(tiles) @ np.linalg.pinv(own.stains)
        mapped = (self.light * np.exp(-own.density(amount, template))).clip(max=255)
        weight = colour_spaces.tissue_weight(optical_density(tiles).mean(axis=-1), self.background)
        return np.round(tiles + weight * (mapped - tiles)).astype(np.uint8)

    def _density(self, pixels: Pixels) -> Density:
        """-ln((value + 1) / light); the 1 gives black a finite density, as usual."""
        return -np.log((pixels + 1.0) / self.light)


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

    def measure(self, image: Image) -> StainPair:
        """Measure the stains of a slide on its thumbnail.

        Raises
        ------
        BadInput
            The slide is black, shows no tissue, or tissue of one colour only.
        """
        bright = colour_spaces.brightness(image, self.bright)
        light = rgb(colour_spaces.brightened(image, bright))
        density = optical_density(light[colour_spaces.lab(light)[..., 0] < self.tissue])
        if not len(density):
            raise BadInput("it shows no tissue")
        stains = dictionary(density[:: -(-len(density) // PIXELS)], self.sparse)
        amount = concentrations(density, stains, self.code)
        return StainPair(stains, np.percentile(amount, self.strong, axis=0), bright)

    def apply(self, tiles: Pixels, own: StainPair, template: StainPair) -> Pixels:
        """Map pixels of a slide to the stains of the template."""
        density = optical_density(rgb(colour_spaces.brightened(tiles, own.bright)))
        amount = concentrations(density, own.stains, self.code)
        return np.round(255 * np.exp(-own.density(amount, template))).astype(np.uint8)


def concentrations(density: Density, stains: Stains, penalty: float) -> Amount:
    """Compute the amounts c >= 0 that minimise 1/2 |density - c stains|^2 + penalty |c|.

    For two stains the solution is closed: where the free solution is negative in one stain, that
    one is 0 and the other is fitted alone.
    """
    single = density @ stains.T - penalty
    overlap = float(stains[0] @ stains[1])
    both = (single - overlap * single[..., ::-1]) / max(1 - overlap**2, 1e-9)
    return np.where(both[..., ::-1] < 0, single, both).clip(min=0)


def dictionary(density: Float64[np.ndarray, "pixel 3"], penalty: float) -> Stains:
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
