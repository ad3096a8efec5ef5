"""Reinhard's colour transfer: the mean and the spread of another slide's colours (Reinhard et al. 2001)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from compendium.errors import BadInput
from compendium.images.stain.colour_spaces import brightened, brightness, off_glass, rgb


@dataclass(frozen=True)
class Colours:
    """Mean and standard deviation of L, a, b (CIELAB) over the tissue of a slide whose lightness `bright` was made 100."""

    mean: Float64[np.ndarray, "3"]
    spread: Float64[np.ndarray, "3"]
    bright: float


@dataclass(frozen=True)
class Reinhard:
    """Mean and standard deviation of each channel of CIELAB made those of the template, after the lightness of both was standardised.

    bright: percentile of the lightness L (0-100) of the slide that becomes 100, with all that is lighter; 0 leaves lightness as it is. tissue: the L below
    which a pixel is tissue, and measured. glass: how far below 100 the L of a pixel may lie that stays as it is; from twice as far on it is changed in full; 0 changes all.
    With bright = 0, tissue = inf and glass = 0 the method is torchstain's.
    """

    bright: float = 90.0
    tissue: float = 80.0
    glass: float = 10.0

    def of(self, image: UInt8[np.ndarray, "height width 3"]) -> Colours:
        """The colours of a slide's tissue. BadInput where there is none."""
        bright = brightness(image, self.bright) if self.bright else 100.0
        colours = brightened(image, bright)
        tissue = colours[colours[..., 0] < self.tissue].astype(np.float64)
        if not len(tissue):
            raise BadInput("it shows no tissue")
        return Colours(tissue.mean(axis=0), tissue.std(axis=0), bright)

    def mapped(
        self, tiles: UInt8[np.ndarray, "*any 3"], own: Colours, template: Colours
    ) -> UInt8[np.ndarray, "*any 3"]:
        """Pixels of a slide with the mean and spread of the template's colours; a channel that is constant here keeps its spread."""
        colours = brightened(tiles, own.bright)
        ratio = np.divide(template.spread, own.spread, out=np.ones(3), where=own.spread > 0)
        mapped = (colours - own.mean) * ratio + template.mean
        return rgb(colours + off_glass(100 - colours[..., 0], self.glass) * (mapped - colours))
