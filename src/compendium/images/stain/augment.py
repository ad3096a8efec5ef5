"""Stains drawn at random: HED augmentation and RandStainNA, one draw a tile, for training tiles only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, UInt8

from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import lab, off_glass, optical_density, rgb

WHITE = 0.95  # mean of a tile, of 1, above which it shows glass
EVERY = 4  # pixel of a tile, in either direction, that is measured
Moments = Float64[np.ndarray, "2 3"]


@dataclass(frozen=True)
class HED:
    """Amounts c of haematoxylin, eosin and a third stain become c (1 + s) + b, with s and b drawn from -strength to strength, one of each a stain (Tellez et al. 2018).

    Amounts are scikit-image's (rgb2hed, hed2rgb): natural optical density / 13.8 in the stains of Ruifrok and Johnston, none negative. dark, light: a tile whose
    mean, of 1, lies outside stays as it is. glass: mean optical density up to which a pixel takes no b, and from twice which on it takes all of it; 0, as published:
    all take it.
    """

    strength: float
    dark: float = 0.05
    light: float = WHITE
    glass: float = 0.1

    @property
    def measures(self) -> bool:
        """Whether it rests on the training sections."""
        return False

    def fitted(self, sections: Sequence[Section]) -> "HED":
        """Itself: nothing is measured."""
        return self

    def drawn(
        self, tile: UInt8[np.ndarray, "px px 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "px px 3"]:
        """The tile after one draw."""
        from skimage.color import hed2rgb, rgb2hed

        factor, offset = rng.uniform(-self.strength, self.strength, (2, 3))
        if not self.dark <= tile.mean() / 255 <= self.light:
            return tile
        amount = rgb2hed(tile) * (1 + factor) + offset * off_glass(
            optical_density(tile).mean(axis=-1), self.glass
        )
        return np.round(hed2rgb(amount) * 255).astype(np.uint8)


@dataclass(frozen=True)
class Spread:
    """Location and scale, over tiles, of a tile's mean (first row) and standard deviation (second row) in L, a, b as 8-bit images hold them (2.55 L, a + 128, b + 128)."""

    location: tuple[tuple[float, float, float], tuple[float, float, float]]
    scale: tuple[tuple[float, float, float], tuple[float, float, float]]


VISIUM = Spread(  # of the benchmark's Visium sections, as it published them
    location=((192.095, 144.19, 120.704), (38.03, 14.941, 6.836)),
    scale=((20.919, 3.549, 6.753), (5.482, 2.128, 2.899)),
)


@dataclass(frozen=True)
class RandStainNA:
    """Mean and standard deviation of a tile's L, a, b made those of a template that is drawn for it (Shen et al. 2022).

    law: from which the template's values are drawn, with the location and scale of `spread`; a standard deviation below 0 counts as 0. spread: fitted on the
    tiles of the training sections where none is given. glass: how far below 100 the L of a pixel may lie that stays as it is; from twice as far on it is changed
    in full; 0, as published: all are.
    """

    law: Literal["normal", "laplace"] = "normal"
    spread: Spread | None = None
    glass: float = 10.0

    @property
    def measures(self) -> bool:
        """Whether it rests on the training sections."""
        return self.spread is None

    def fitted(self, sections: Sequence[Section]) -> "RandStainNA":
        """With the spread of the sections' tiles: mean and standard deviation (normal), median and mean distance to it (laplace). BadInput where all are white."""
        if not self.measures:
            return self
        found = [
            moments(eight_bit(lab(tile[::EVERY, ::EVERY])))
            for section in sections
            for tile in section.patches
            if tile.mean() <= 255 * WHITE
        ]
        if not found:
            raise BadInput("no tile shows tissue")
        centre, around = (np.mean, np.std) if self.law == "normal" else (np.median, _distance)
        return replace(
            self,
            spread=Spread(
                *(tuple(map(tuple, of(found, axis=0).tolist())) for of in (centre, around))
            ),
        )

    def drawn(
        self, tile: UInt8[np.ndarray, "px px 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "px px 3"]:
        """The tile in the colours of one drawn template: (x - mean) wanted / (standard deviation, at least 1e-4) + wanted mean, cut at 0 and 255."""
        wanted = getattr(rng, self.law)(self.spread.location, self.spread.scale)
        colours = eight_bit(lab(tile))
        mean, spread = moments(colours)
        mapped = (
            (colours - mean) * wanted[1].clip(min=0) / spread.clip(min=1e-4) + wanted[0]
        ).clip(0, 255)
        changed = colours + off_glass(100 - colours[..., 0] / 2.55, self.glass) * (mapped - colours)
        return rgb((changed - [0, 128, 128]) / [2.55, 1, 1])


def eight_bit(colours: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
    """CIELAB as 8-bit images hold it, without rounding: 2.55 L, a + 128, b + 128."""
    return colours * np.array([2.55, 1, 1]) + np.array([0, 128, 128])


def moments(colours: Float[np.ndarray, "height width 3"]) -> Moments:
    """Mean and standard deviation of each channel."""
    return np.stack([colours.mean(axis=(0, 1)), colours.std(axis=(0, 1))])


def _distance(found: list[Moments], axis: int) -> Moments:
    return np.abs(np.array(found) - np.median(found, axis=axis)).mean(axis=axis)
