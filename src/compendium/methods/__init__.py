"""The methods, one file each, and the registry that tables, runs and tests read.

Adding a method: one file with a registered class, one import line at the end of this file, one entry in references.bib.
"""

from compendium.methods.registry import METHODS, Recipe, Step, names, recipe, register

__all__ = ["METHODS", "Recipe", "Step", "names", "recipe", "register"]

from compendium.methods import (  # noqa: E402, F401  (each import registers)
    bleep,
    controls,
    deepspace,
    gat,
    hist2st,
    histogene,
    regclass,
    stimage,
    stnet,
)
