"""The methods, one file each, and the registry that tables, runs and tests read.

A new method is one file that registers it, one file of what pages print of it (descriptions/), one
import line at the end of this file, and one entry in book/references.bib.
"""

from compendium.methods.description import Step, describe
from compendium.methods.registry import METHODS, Recipe, names, recipe, register

__all__ = ["METHODS", "Recipe", "Step", "describe", "names", "recipe", "register"]

from compendium.methods import (  # noqa: E402, F401  (each import registers)
    bleep,
    controls,
    deepspace,
    gat,
    hist2st,
    hist2st_encoders,
    histogene,
    regclass,
    stimage,
    stnet,
)
