"""Stain augmentation of training tiles: HED and RandStainNA, one draw a tile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Float64

from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import Image, lab, optical_density, rgb, tissue_weight

WHITE = 0.95  # mean of a tile, of 1, above which it shows background only
EVERY = 4  # every fourth row and column of a tile is measured
SCALE, OFFSET = np.array([2.55, 1, 1]), np.array([0, 128, 128])  # of 8-bit CIELAB
Moments = Float64[np.ndarray, "2 3"]


@dataclass(frozen=True)
class HED:
    """Draw new amounts c (1 + s) + b of haematoxylin, eosin and a third stain.

    s and b are uniform from -strength to strength, one of each a stain. Amounts c are those of
    skimage.color.rgb2hed: natural optical density / 13.8 in the stains of Ruifrok and Johnston,
    at least 0.

    References
    ----------
    Tellez et al., IEEE Transactions on Medical Imaging 2018.
    """

    strength: float
    """Largest s and b."""

    dark: float = 0.05
    """Tiles with a mean, of 1, below this stay as they are."""

    light: float = WHITE
    """Tiles with a mean, of 1, above this stay as they are."""

    background: float = 0.1
    """Pixels up to this mean optical density take no b, from twice as much on all of it."""

    measures: ClassVar[bool] = False
    """Whether the draws depend on the training sections."""

    def fitted(self, sections: Sequence[Section]) -> "HED":
        """Return itself: nothing is measured."""
        return self

    def apply(self, tile: Image, rng: np.random.Generator) -> Image:
        """Augment a tile by one draw."""
        from skimage.color import hed2rgb, rgb2hed

        factor, offset = rng.uniform(-self.strength, self.strength, (2, 3))
        if not self.dark <= tile.mean() / 255 <= self.light:
            return tile
        weight = tissue_weight(optical_density(tile).mean(axis=-1), self.background)
        amount = rgb2hed(tile) * (1 + factor) + offset * weight
        return np.round(hed2rgb(amount) * 255).astype(np.uint8)


@dataclass(frozen=True)
class Spread:
    """Distribution over tiles of the mean (row 1) and standard deviation (row 2) of L, a, b.

    L, a, b as 8-bit images hold them: 2.55 L, a + 128, b + 128.
    """

    location: tuple[tuple[float, float, float], tuple[float, float, float]]
    scale: tuple[tuple[float, float, float], tuple[float, float, float]]


VISIUM = Spread(
    location=((192.095, 144.19, 120.704), (38.03, 14.941, 6.836)),
    scale=((20.919, 3.549, 6.753), (5.482, 2.128, 2.899)),
)
"""Spread of the benchmark's Visium sections, as it published it."""


@dataclass(frozen=True)
class RandStainNA:
    """Match mean and standard deviation of a tile's L, a, b to a template drawn for the tile.

    mapped = (x - mean) * max(drawn spread, 0) / max(spread, 1e-4) + drawn mean, clipped to 0-255.

    References
    ----------
    Shen et al., MICCAI 2022, "RandStainNA".
    """

    law: Literal["normal", "laplace"] = "normal"
    """Distribution of the template's values, with the location and scale of `spread`."""

    spread: Spread | None = None
    """Fitted on the tiles of the training sections if None."""

    background: float = 10.0
    """Pixels within this distance of L = 100 stay; from twice the distance on they change fully."""

    @property
    def measures(self) -> bool:
        """Whether the draws depend on the training sections."""
        return self.spread is None

    def fitted(self, sections: Sequence[Section]) -> "RandStainNA":
        """Fit the spread of the sections' tiles.

        Location and scale are mean and standard deviation (normal) or median and mean distance to
        it (laplace). White tiles are left out.

        Raises
        ------
        BadInput
            All tiles are white.
        """
        if not self.measures:
            return self
        tiles = (tile for section in sections for tile in section.stored_tiles)
        shown = (tile[::EVERY, ::EVERY] for tile in tiles if tile.mean() <= 255 * WHITE)
        measured = [moments(eight_bit(lab(tile))) for tile in shown]
        if not measured:
            raise BadInput("no tile shows tissue")
        fits = (np.mean, np.std) if self.law == "normal" else (np.median, _distance)
        found = (tuple(map(tuple, fit(measured, axis=0).tolist())) for fit in fits)
        return replace(self, spread=Spread(*found))

    def apply(self, tile: Image, rng: np.random.Generator) -> Image:
        """Augment a tile by one drawn template."""
        wanted = getattr(rng, self.law)(self.spread.location, self.spread.scale)
        colours = eight_bit(lab(tile))
        mean, spread = moments(colours)
        mapped = (colours - mean) * wanted[1].clip(min=0) / spread.clip(min=1e-4) + wanted[0]
        weight = tissue_weight(100 - colours[..., 0] / 2.55, self.background)
        changed = colours + weight * (mapped.clip(0, 255) - colours)
        return rgb((changed - OFFSET) / SCALE)


def eight_bit(colours: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
    """Scale CIELAB as 8-bit images hold it, without rounding: 2.55 L, a + 128, b + 128."""
    return colours * SCALE + OFFSET


def moments(colours: Float[np.ndarray, "height width 3"]) -> Moments:
    """Compute mean and standard deviation of each channel."""
    return np.stack([colours.mean(axis=(0, 1)), colours.std(axis=(0, 1))])


def _distance(values: list[Moments], axis: int) -> Moments:
    return np.abs(np.array(values) - np.median(values, axis=axis)).mean(axis=axis)
