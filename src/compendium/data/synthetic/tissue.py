"""Synthetic tissue: smooth fields of classes and morphology, and where the spots are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

CLASSES = (
    "invasive cancer",
    "connective tissue",
    "adipose tissue",
    "immune infiltrate",
    "breast glands",
)
FIELDS = ("cellularity", "nuclear size", "lymphocytes", "fibre coarseness", "vacuole size", "eosin")
MORPHOLOGY = CLASSES + FIELDS
PITCH = 232  # image px between spot centres
SIDE = 12  # grid positions on a side
EDGE = 188  # image px from the outermost spot centre to the border: room for tiles of 376 px
CELL = 16  # image px a cell of the coarse fields
CELLS = ((SIDE - 1) * PITCH + 2 * EDGE) // CELL  # coarse cells on a side: 183
KINSHIP = 0.9  # correlation of the large structures of one patient's sections


@dataclass(frozen=True)
class Layout:
    """Tissue and spots of one section."""

    grid: Int32[np.ndarray, "spot 2"]
    """Array position (x, y) of the spots."""

    pixels: Float32[np.ndarray, "spot 2"]
    """Position of their centres in image px."""

    classes: Float64[np.ndarray, "classes cell cell"]
    """Fraction of each of CLASSES; they sum to 1."""

    fields: Float64[np.ndarray, "fields cell cell"]
    """Each of FIELDS, as a standard normal field."""

    outline: Float64[np.ndarray, "cell cell"]
    """Positive inside the tissue."""

    morphology: Float64[np.ndarray, "spot morphology"]
    """MORPHOLOGY around each spot; a field counts by the share of tissue that can show it."""


def smooth_noise(
    rng: Generator, count: int, size: int, width: tuple[float, float]
) -> Float64[np.ndarray, "count size size"]:
    """Draw periodic standard normal fields with a Gaussian spectrum.

    Parameters
    ----------
    rng
        Random numbers.
    count, size
        Number of fields, and cells on a side.
    width
        Standard deviation of the smoothing along rows and columns, in cells.

    Returns
    -------
    The fields, rounded so that machines agree.
    """
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    keep = np.exp(-2 * np.pi**2 * ((rows * width[0]) ** 2 + (columns * width[1]) ** 2))
    spectrum = np.fft.rfft2(rng.standard_normal((count, size, size)))
    field = np.fft.irfft2(spectrum * keep, s=(size, size))
    field -= field.mean(axis=(1, 2), keepdims=True)
    return np.round(field / field.std(axis=(1, 2), keepdims=True), 4)


def layout(patient: Generator, section: Generator, spots: int) -> Layout:
    """Draw the tissue of a section.

    Parameters
    ----------
    patient
        Random numbers of the patient, the same for all of the patient's sections.
    section
        Random numbers of the section.
    spots
        Number of spots.
    """
    mixed = _structures(patient, section)
    richness = np.array([0.45, 0.25, 0.0, -0.2, -0.2]) + patient.normal(0, 0.25, len(CLASSES))
    score = np.exp((mixed[: len(CLASSES)] + richness[:, None, None]) / 0.22)
    classes, fields = np.round(score / score.sum(axis=0), 5), mixed[len(CLASSES) : -1]
    grid, outline = _outline(mixed[-1], patient, section, spots)
    morphology = _around_spots(_shown(classes, fields), grid)
    pixels = (EDGE + grid * PITCH).astype(np.float32)
    return Layout(grid, pixels, classes, fields, outline, morphology)


def _structures(patient: Generator, section: Generator) -> np.ndarray:
    """Draw one field [morphology + 1, cell, cell] for each kind of morphology and the outline."""
    wide, narrow = (1.3 * PITCH / CELL,) * 2, (0.4 * PITCH / CELL,) * 2
    common, own, small = (
        smooth_noise(rng, len(MORPHOLOGY) + 1, 256, width)
        for rng, width in ((patient, wide), (section, wide), (section, narrow))
    )
    large = np.sqrt(KINSHIP) * common + np.sqrt(1 - KINSHIP) * own
    return (np.sqrt(0.7) * large + np.sqrt(0.3) * small)[:, :CELLS, :CELLS]


def _outline(
    noise: np.ndarray, patient: Generator, section: Generator, spots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the grid positions deepest in an irregular ellipse, and the outline."""
    tilt, stretch = patient.uniform(0, np.pi), patient.uniform(1.0, 1.3)
    shift = section.normal(0, 0.05, 2)
    y, x = np.mgrid[-1 : 1 : CELLS * 1j, -1 : 1 : CELLS * 1j]
    u = (x - shift[0]) * np.cos(tilt) + (y - shift[1]) * np.sin(tilt)
    v = (y - shift[1]) * np.cos(tilt) - (x - shift[0]) * np.sin(tilt)
    ellipse = np.abs(u) ** 2.5 / stretch + np.abs(v) ** 2.5 * stretch
    border = 6 * np.clip(np.maximum(np.abs(x), np.abs(y)) - 0.9, 0, 1)
    depth = 0.22 * noise - ellipse - border
    positions = np.stack(np.divmod(np.arange(SIDE**2), SIDE)[::-1], axis=1).astype(np.int32)
    at_spot = _around_spots(depth[None], positions)[:, 0]
    inside = np.sort(np.argsort(-at_spot, kind="stable")[:spots])
    return positions[inside], np.round(depth - at_spot[inside].min() + 0.03, 5)


def _shown(classes: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Return class fractions, and each field times the share of tissue that can show it."""
    cancer, connective, fat, immune, glands = classes
    shows = np.stack([1 - fat, cancer + glands, 1 - fat - immune, connective, fat, 1 - fat])
    return np.concatenate([classes, fields * shows])


def _around_spots(maps: np.ndarray, grid: np.ndarray) -> Float64[np.ndarray, "spot maps"]:
    """Average coarse maps around the spots, under a Gaussian of 60 px (most within 224 px)."""
    blurred = gaussian_filter(maps, (0, 60 / CELL, 60 / CELL), truncate=2.5)
    at = (EDGE + grid * PITCH) // CELL
    return np.round(blurred[:, at[:, 1], at[:, 0]].T, 6)
