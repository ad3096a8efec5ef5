"""Windows of a slide: the squares of 4,000 px in which the benchmark showed Visium slides to the methods that see all spots at once."""

import numpy as np
from jaxtyping import Float32, Int64
from scipy.spatial import cKDTree

from compendium.data.section import Section
from compendium.errors import BadInput

WHOLE, PUBLISHED, CLEAN = "none", "published", "clean"
WINDOWS = (WHOLE, PUBLISHED, CLEAN)
SIDE_PX, MARGIN_PX = 4000, 112  # of a window; around the spots on each side
FEWEST = 10  # spots: as published, windows with as many or fewer are dropped
Rows = list[Int64[np.ndarray, "some"]]


def windows(section: Section, word: str) -> Rows:
    """Rows of the spots of each window of a section; under `none` the whole section is one."""
    found = {
        WHOLE: lambda pixels: [np.arange(len(pixels))],
        PUBLISHED: published,
        CLEAN: half_open,
    }[word](section.pixels)
    if not found:
        raise BadInput(
            f"windows={word} drops all {len(section)} spots of {section.cohort} section {section.name}; leave the section out, or give windows={CLEAN}"
        )
    return found


def published(pixels: Float32[np.ndarray, "spot 2"], side: int = SIDE_PX) -> Rows:
    """As the benchmark cut: the borders of a window belong to it, all four, so that a spot on a border between two is in both; windows of FEWEST spots or fewer are dropped."""
    low, count = _grid(pixels, side)
    found = []
    for y in range(count[1]):  # row-major, from the top left
        for x in range(count[0]):
            corner = low + np.array([x, y]) * side
            found.append(
                np.flatnonzero(((pixels >= corner) & (pixels <= corner + side)).all(axis=1))
            )
    return [rows for rows in found if len(rows) > FEWEST]


def half_open(pixels: Float32[np.ndarray, "spot 2"], side: int = SIDE_PX) -> Rows:
    """The same squares without their right and lower borders: every spot is in one window. One of FEWEST spots or fewer joins that of the spot nearest to any of its own."""
    low, _ = _grid(pixels, side)
    column, row = ((pixels - low) // side).astype(np.int64).T
    number = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    while True:
        names, sizes = np.unique(number, return_counts=True)
        if len(names) == 1 or sizes.min() > FEWEST:
            return [np.flatnonzero(number == name) for name in names]
        smallest = number == names[sizes.argmin()]
        distance, nearest = cKDTree(pixels[~smallest]).query(pixels[smallest])
        number[smallest] = number[~smallest][nearest[distance.argmin()]]


def _grid(pixels: Float32[np.ndarray, "spot 2"], side: int) -> tuple[np.ndarray, np.ndarray]:
    """The top left corner of the spots with their margin, and how many windows there are in x and y."""
    low, high = (
        pixels.min(axis=0).astype(np.float64) - MARGIN_PX,
        pixels.max(axis=0).astype(np.float64) + MARGIN_PX,
    )
    return low, np.ceil((high - low) / side).astype(int)
