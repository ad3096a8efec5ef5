"""Sections of the synthetic cohort."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.data.synthetic.drawing import SHRINK, Stain, draw, thumbnail
from compendium.data.synthetic.expression import counts, layout_of
from compendium.data.synthetic.model import COHORT, GENES, SOURCES, Place, find, rng
from compendium.data.synthetic.tissue import CLASSES, EDGE, PITCH
from compendium.errors import BadInput

STAINS = {
    "lab 1": Stain((1.65, 1.40, 0.78), (0.24, 0.62, 0.30), background=(236, 222, 238)),
    "lab 2": Stain((1.45, 1.62, 0.78), (0.12, 0.85, 0.32), background=(245, 241, 246)),
}


def make(name: str, px: int = 224) -> Section:
    """Generate a section of the synthetic cohort; the result is the same every time.

    Parameters
    ----------
    name
        Section.
    px
        Side of the tiles in image px, 16 to 376.

    Raises
    ------
    BadInput
        If there is no such section, or tiles of that size do not fit into the image.
    """
    if not 16 <= px <= 2 * EDGE:
        wrong = f"{COHORT} section {name}: tiles of {px} px cannot be cut"
        raise BadInput(f"{wrong}; give 16 to {2 * EDGE}")
    place = find(name)
    plan = layout_of(place)
    image = draw(plan, stain_of(place), rng("image", place))
    corners, grid = plan.pixels.astype(int) - px // 2, plan.grid + 2
    return Section(
        cohort=COHORT,
        name=place.name,
        patient=place.patient,
        lab=place.lab,
        technology="synthetic ST",
        genes=GENES,
        spots=np.array([f"{x}x{y}" for x, y in grid]),
        grid=grid,
        pixels=plan.pixels,
        um_per_px=200 / PITCH,
        counts=csr_matrix(counts(name)),
        stored_tiles=np.stack([image[y : y + px, x : x + px] for x, y in corners]),
        thumbnail=thumbnail(image),
        thumbnail_scale=1 / SHRINK,
        labels=np.array(CLASSES)[plan.morphology[:, : len(CLASSES)].argmax(axis=1)],
        sources=dict(SOURCES),
    )


def stain_of(place: Place) -> Stain:
    """Return the stain of the laboratory, with the strength of the dyes on this section."""
    patient = rng("patient stain", place).normal(0, 0.12, 2)
    strength = patient + rng("section stain", place).normal(0, 0.03, 2)
    return replace(STAINS[place.lab], strength=tuple(np.round(np.exp(strength), 3)))
