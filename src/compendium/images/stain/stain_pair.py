"""Two stains of a slide, what Macenko's method and Vahadane's both measure, and the amounts of them in another slide's stains."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from compendium.errors import BadInput

ALIKE = 1 - 1e-6  # cosine from which two stains are one


@dataclass(frozen=True)
class StainPair:
    """What a slide's stains look like.

    stains: optical density of haematoxylin and eosin in red, green, blue, rows of unit length, the one that takes more red first. strong: a high
    percentile of how much of each the tissue holds. bright: the lightness L (0-100) that is white on the slide.
    """

    stains: Float64[np.ndarray, "2 3"]
    strong: Float64[np.ndarray, "2"]
    bright: float = 100.0

    def density(
        self, amount: Float64[np.ndarray, "*any 2"], template: "StainPair"
    ) -> Float64[np.ndarray, "*any 3"]:
        """Optical density of the amounts in the stains of the template, each as strong there as here; a stain that this slide lacks is not scaled."""
        ratio = np.divide(template.strong, self.strong, out=np.ones(2), where=self.strong > 0)
        return (amount * ratio) @ template.stains


def ordered(stains: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """Haematoxylin, which takes more red, first. BadInput where the two are one."""
    if stains[0] @ stains[1] > ALIKE:
        raise BadInput("its tissue has one colour, not two")
    return stains if stains[0, 0] >= stains[1, 0] else stains[::-1].copy()
