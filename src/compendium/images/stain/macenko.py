"""Macenko's stains: the two ends of the plane of a slide's optical densities."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import optical_density, tissue_weight
from compendium.images.stain.stain_pair import StainPair, ordered


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

    def measure(self, image: UInt8[np.ndarray, "height width 3"]) -> StainPair:
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

    def apply(
        self, tiles: UInt8[np.ndarray, "*any 3"], own: StainPair, template: StainPair
    ) -> UInt8[np.ndarray, "*any 3"]:
        """Map pixels of a slide to the stains of the template."""
        amount = self._density(tiles) @ np.linalg.pinv(own.stains)
        mapped = (self.light * np.exp(-own.density(amount, template))).clip(max=255)
        weight = tissue_weight(optical_density(tiles).mean(axis=-1), self.background)
        return np.round(tiles + weight * (mapped - tiles)).astype(np.uint8)

    def _density(self, pixels: UInt8[np.ndarray, "*any 3"]) -> Float64[np.ndarray, "*any 3"]:
        """-ln((value + 1) / light); the 1 gives black a finite density, as usual."""
        return -np.log((pixels + 1.0) / self.light)
