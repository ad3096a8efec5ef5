"""Constants of the synthetic cohort, its sections, and their streams of random numbers.

Expression follows what the images show by a known model, so that the best reachable scores are
known. Counts of gene g in spot i are negative binomial with mean depth_i * rate_gi and

log rate_gi = base_g + scale_g * (sqrt(share_g) * visible_gi + sqrt(1 - share_g) * hidden_gi)
              + shift of the patient and of the laboratory, normalised.

`visible` is a weighted sum of the morphology that the image is drawn from, `hidden` a spatial field
that no image shows. Unlearnable genes (share 0) and the others are normalised apart, and depth is
independent of the tissue: no morphology leaks into an unlearnable gene.
"""

from dataclasses import dataclass

import numpy as np

from compendium.errors import BadInput

COHORT = "demo"
VERSION = 1  # of the model; part of the sources of every section
LABS = ("lab 1", "lab 2")
STREAMS = (
    "genes, patient tissue, section tissue, image, patient, lab, patient stain, section stain, "
    "section depth, spot depth, hidden, counts, truth"
).split(", ")


@dataclass(frozen=True)
class Place:
    """One section of the cohort: its name, patient and laboratory."""

    name: str
    patient: str
    lab: str


SECTIONS = tuple(
    Place(name, name[:2], LABS[name[0] == "Q"])
    for name in ("P1a", "P1b", "P2a", "P2b", "P3a", "P3b", "Q1a", "Q1b", "Q2a")
)
PATIENTS = tuple(dict.fromkeys(place.patient for place in SECTIONS))


@dataclass(frozen=True)
class Model:
    """Constants of the cohort; standard deviations are of natural-log rates."""

    seed: int = 20240
    genes: int = 120

    unlearnable: float = 0.2
    """Share of genes that no image shows."""

    share: tuple[float, float] = (0.2, 0.95)
    """Lowest and highest share of variance that morphology explains in the other genes."""

    leads: tuple[int, ...] = (3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1)
    """How often each kind of morphology is the leading one of a gene, in one turn."""

    blend: float = 0.15
    """Weight of the morphology that does not lead."""

    base: float = 0.8
    """Standard deviation of the mean log rate over genes."""

    scale: tuple[float, float] = (0.7, 1.1)
    """Lowest and highest standard deviation of a gene within a section."""

    patient_shift: float = 0.3
    lab_shift: float = 0.3
    """Standard deviation of the shift of a gene by patient and by laboratory."""

    patient_slope: float = 0.6
    lab_slope: float = 0.35
    """Weight of the direction of a patient and of a laboratory beside the common one."""

    depth: tuple[float, ...] = (900, 2500, 5000, 1300, 3500)
    """Median UMI total of each patient."""

    depth_section: float = 0.15
    depth_spot: float = 0.35
    """Standard deviation of the log UMI total over sections and over spots."""

    dispersions: tuple[float, ...] = (0.02, 0.06, 0.15)
    """Negative binomial alpha (variance = mean + alpha mean^2); each gene has one of them."""

    hidden: tuple[tuple[float, float], ...] = ((0.5, 1.8), (0.25, 0.7))
    """Variance and range (in spots) of the spatial parts of the hidden field."""


MODEL = Model()
GENES = np.array([f"DEMO{i + 1:03d}" for i in range(MODEL.genes)])
SOURCES = {"synthetic": f"seed {MODEL.seed}, version {VERSION}"}
"""Sources of every section; prepared sections that state others are generated again."""


def find(name: str) -> Place:
    """Return the named section.

    Raises
    ------
    BadInput
        If the cohort has no such section.
    """
    known = {place.name: place for place in SECTIONS}
    if name not in known:
        raise BadInput(f"unknown section of {COHORT}: {name}; known: {', '.join(known)}")
    return known[name]


def rng(stream: str, place: Place | None = None) -> np.random.Generator:
    """Return the random numbers of one purpose.

    Parameters
    ----------
    stream
        One of STREAMS.
    place
        Section; streams whose name begins with `patient` or `lab` are common to the sections of its
        patient or laboratory. None for what is common to all.
    """
    number = 0
    if place:
        shared = {"patient": PATIENTS.index(place.patient), "lab": LABS.index(place.lab)}
        number = shared.get(stream.split()[0], SECTIONS.index(place))
    return np.random.default_rng([MODEL.seed, STREAMS.index(stream), number])
