"""Integer versions of the stages that decide numbers.

A version enters the identity of what its stage stores. Raise it by one when the stage gives other
numbers; the golden test names the version to raise. The version of a method is `Recipe.version`, in
the file of the method.
"""

FEATURES = 1
"""Features of frozen encoders, colour features and their augmented copies (`data/features`)."""

STAIN = 1
"""Tiles with normalised or augmented stains (`data/stained`)."""

INPUTS = 1
"""Inputs of a run: spots, tiles, windows, targets and their batches."""

MATCHING = 2
"""Equal spots and depth of matched splits, the thinned counts of test sections among them."""

PANEL = 2
"""Genes of panels with an hvg(N), which chooses on training spots; a stage of their runs alone."""

FIT = 1
"""Training loop, prediction, ensembles."""

SCORES = 2
"""Scores of stored predictions (`data/scores`)."""


def stages() -> dict[str, int]:
    """Return the version of every stage by its name."""
    return {
        "features": FEATURES,
        "stain": STAIN,
        "inputs": INPUTS,
        "panel": PANEL,
        "matching": MATCHING,
        "fit": FIT,
        "scores": SCORES,
    }
