"""Windows of a slide: squares of 4,000 px.

The benchmark showed Visium slides in them to the methods that see all spots at once.
"""

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


def windows(section: Section, kind: str) -> Rows:
    """Return the rows of the spots of each window of a section.

    Parameters
    ----------
    kind
        `none` (the whole section is one window), `published` or `clean` (see `half_open`).

    Raises
    ------
    BadInput
        Where no window is left.
    """
    if kind == WHOLE:
        return [np.arange(len(section))]
    rows = {PUBLISHED: published, CLEAN: half_open}[kind](section.pixels)
    if not rows:
        mend = f"leave the section out, or give windows={CLEAN}"
        raise BadInput(f"windows={kind} drops all {len(section)} spots of {section.where}; {mend}")
    return rows


def published(pixels: Float32[np.ndarray, "spot 2"], side: int = SIDE_PX) -> Rows:
    """Return windows as the benchmark cut them, row by row from the top left.

    All four borders of a window belong to it, so that a spot on a border is in both windows;
    windows of FEWEST spots or fewer are dropped.
    """
    low, (columns, rows) = _layout(pixels, side)
    corners = [low + np.array([x, y]) * side for y in range(rows) for x in range(columns)]
    inside = [((pixels >= low) & (pixels <= low + side)).all(axis=1) for low in corners]
    return [np.flatnonzero(spots) for spots in inside if spots.sum() > FEWEST]


def half_open(pixels: Float32[np.ndarray, "spot 2"], side: int = SIDE_PX) -> Rows:
    """Return the same squares without their right and lower borders: each spot is in one window.

    A window of FEWEST spots or fewer joins that of the spot nearest to any of its own.
    """
    low, _ = _layout(pixels, side)
    column, row = ((pixels - low) // side).astype(np.int64).T
    number = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    while True:
        names, sizes = np.unique(number, return_counts=True)
        if len(names) == 1 or sizes.min() > FEWEST:
            return [np.flatnonzero(number == name) for name in names]
        smallest = number == names[sizes.argmin()]
        distance, nearest = cKDTree(pixels[~smallest]).query(pixels[smallest])
        number[smallest] = number[~smallest][nearest[distance.argmin()]]


def _layout(pixels: Float32[np.ndarray, "spot 2"], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the top left corner of the spots with their margin, and numbers of windows (x, y)."""
    low = pixels.min(axis=0).astype(np.float64) - MARGIN_PX
    high = pixels.max(axis=0).astype(np.float64) + MARGIN_PX
    return low, np.ceil((high - low) / side).astype(int)
