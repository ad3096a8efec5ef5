"""Two stains of a slide, which the methods of Macenko and of Vahadane measure."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from compendium.errors import BadInput

ALIKE = 1 - 1e-6  # cosine from which two stains count as one


@dataclass(frozen=True)
class StainPair:
    """Stains of a slide, how much of them its tissue holds, and its white."""

    stains: Float64[np.ndarray, "2 3"]
    """Optical density of haematoxylin and eosin in red, green, blue; rows of unit length."""

    strong: Float64[np.ndarray, "2"]
    """High percentile of the amount of each stain over the tissue."""

    bright: float = 100.0
    """CIELAB lightness L (0 to 100) that is white on the slide."""

    def density(
        self, amount: Float64[np.ndarray, "*any 2"], template: "StainPair"
    ) -> Float64[np.ndarray, "*any 3"]:
        """Compute the optical density of amounts of this slide's stains in the template's stains.

        Amounts are multiplied by template.strong / self.strong; a stain that this slide lacks is
        not scaled.
        """
        ratio = np.divide(template.strong, self.strong, out=np.ones(2), where=self.strong > 0)
        return (amount * ratio) @ template.stains


def ordered(stains: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """Order two stains: haematoxylin, which absorbs more red, first.

    Raises
    ------
    BadInput
        The two stains are one.
    """
    if stains[0] @ stains[1] > ALIKE:
        raise BadInput("its tissue has one colour, not two")
    return stains if stains[0, 0] >= stains[1, 0] else stains[::-1].copy()
