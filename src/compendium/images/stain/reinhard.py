"""Reinhard's colour transfer: mean and spread of a template's colours (Reinhard et al. 2001)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from compendium.errors import BadInput
from compendium.images.stain import colour_spaces
from compendium.images.stain.colour_spaces import Image, Pixels, brightened, tissue_weight


@dataclass(frozen=True)
class Colours:
    """Colours of a slide's tissue in CIELAB."""

    mean: Float64[np.ndarray, "3"]
    """Mean of L, a, b after the lightness was standardised."""

    spread: Float64[np.ndarray, "3"]
    """Standard deviation of L, a, b."""

    bright: float
    """Lightness L that was made 100."""


@dataclass(frozen=True)
class Reinhard:
    """Match mean and standard deviation of L, a, b to a template after standardising lightness.

    mapped = (x - mean) * template spread / spread + template mean

    With bright = 0, tissue = inf and background = 0 the method is torchstain's.

    References
    ----------
    Reinhard et al., IEEE Computer Graphics and Applications 2001, Eqs. 10-11 (here in CIELAB).
    """

    bright: float = 90.0
    """Percentile of L of the slide that becomes 100, with all lighter pixels; 0: no change."""

    tissue: float = 80.0
    """L below which a pixel is tissue and is measured."""

    background: float = 10.0
    """Pixels within this distance of L = 100 stay; from twice the distance on they change fully."""

    def measure(self, image: Image) -> Colours:
        """Measure the colours of a slide's tissue.

        Raises
        ------
        BadInput
            The slide shows no tissue, or is black.
        """
        bright = colour_spaces.brightness(image, self.bright) if self.bright else 100.0
        colours = brightened(image, bright)
        tissue = colours[colours[..., 0] < self.tissue].astype(np.float64)
        if not len(tissue):
            raise BadInput("it shows no tissue")
        return Colours(tissue.mean(axis=0), tissue.std(axis=0), bright)

    def apply(self, tiles: Pixels, own: Colours, template: Colours) -> Pixels:
        """Map pixels of a slide to the template's colours; a constant channel is only shifted."""
        colours = brightened(tiles, own.bright)
        ratio = np.divide(template.spread, own.spread, out=np.ones(3), where=own.spread > 0)
        mapped = (colours - own.mean) * ratio + template.mean
        weight = tissue_weight(100 - colours[..., 0], self.background)
        return colour_spaces.rgb(colours + weight * (mapped - colours))
