"""Macenko's stains: the two ends of the plane in which a slide's optical densities lie (Macenko et al. 2009)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import off_glass, optical_density
from compendium.images.stain.stain_pair import StainPair, ordered


@dataclass(frozen=True)
class Macenko:
    """Two stains by singular vectors; pixels of one slide become light x exp(-amount x stain) with the stains of the template.

    light: value of light that met no tissue. tissue: optical density from which on, in every channel, a pixel is tissue. angle: percentile of the
    angles in the plane, from either end, at which the stains are taken. strong: percentile of the amounts of each stain that is made the template's,
    over the tissue, or over all pixels (everywhere), as libraries for single tiles do; on a slide that would measure how much glass is around it.
    glass: mean optical density up to which a pixel stays as it is, and from twice which on it is changed in full; 0 changes all. With everywhere = True and
    glass = 0 the method is torchstain's.
    """

    light: float = 240.0
    tissue: float = 0.15
    angle: float = 1.0
    strong: float = 99.0
    everywhere: bool = False
    glass: float = 0.1

    def of(self, image: UInt8[np.ndarray, "height width 3"]) -> StainPair:
        """The stains of a slide. BadInput where there is no tissue, or only one colour of it."""
        density = self._density(image).reshape(-1, 3)
        tissue = density[(density >= self.tissue).all(axis=1)]
        if len(tissue) < 2:
            raise BadInput("it shows no tissue")
        plane = np.linalg.eigh(np.cov(tissue.T))[1][
            :, 1:
        ]  # of the three the two directions in which densities differ most, the first of them last
        angles = np.arctan2(tissue @ plane[:, 1], tissue @ plane[:, 0])
        ends = np.percentile(angles, [self.angle, 100 - self.angle])
        stains = ordered(np.stack([np.cos(ends), np.sin(ends)], axis=1) @ plane.T)
        return StainPair(
            stains,
            np.percentile(
                (density if self.everywhere else tissue) @ np.linalg.pinv(stains),
                self.strong,
                axis=0,
            ),
        )

    def mapped(
        self, tiles: UInt8[np.ndarray, "*any 3"], own: StainPair, template: StainPair
    ) -> UInt8[np.ndarray, "*any 3"]:
        """Pixels of a slide in the stains of the template, each stain as strong there as here."""
        amount = self._density(tiles) @ np.linalg.pinv(own.stains)
        mapped = (self.light * np.exp(-own.density(amount, template))).clip(max=255)
        return np.round(
            tiles + off_glass(optical_density(tiles).mean(axis=-1), self.glass) * (mapped - tiles)
        ).astype(np.uint8)

    def _density(self, pixels: UInt8[np.ndarray, "*any 3"]) -> Float64[np.ndarray, "*any 3"]:
        """-ln((value + 1) / light): one is added so that black has a density, as is usual for this method."""
        return -np.log((pixels + 1.0) / self.light)
