"""Periodic textures of the drawn tissue: fibres, cell nests, clouds, ragged edges, grain."""

from functools import cache

import numpy as np
from jaxtyping import Float, Float32
from numpy.random import Generator

from compendium.data.synthetic.tissue import CELL, CELLS, smooth_noise

ZOOM = CELL // 2  # drawn px a coarse cell: images are drawn at half their resolution
DRAWN = CELLS * ZOOM  # drawn px on a side
TEXTURE = 512  # drawn px on a side of a texture
Drawn = Float32[np.ndarray, "drawn drawn"]
Flow = tuple[np.ndarray, np.ndarray]
"""Index (across, along) into a texture for each drawn px."""

WIDTHS = {
    "fine": (1.0, 14.0),
    "coarse": (3.6, 40.0),
    "nests": (9.0, 16.0),
    "cloud": (14.0, 14.0),
    "ragged": (3.0, 3.0),
    "grain": (0.7, 0.7),
}
"""Standard deviation of the smoothing along rows and columns, in drawn px."""


@cache
def texture(name: str) -> Float32[np.ndarray, "side side"]:
    """Return a texture of WIDTHS; `fine` and `coarse` are fibres along the rows."""
    rng = np.random.default_rng([7, list(WIDTHS).index(name)])
    return smooth_noise(rng, 1, TEXTURE, WIDTHS[name])[0].astype(np.float32)


def spread(name: str, rng: Generator) -> Drawn:
    """Repeat a texture over the drawing, from a random corner."""
    row, column = (np.arange(DRAWN) + rng.integers(0, TEXTURE, (2, 1))) % TEXTURE
    return texture(name)[row[:, None], column[None]]


def fibres(coarse: Drawn, flow: Flow) -> Drawn:
    """Blend fine and coarse fibres, of which there is a share `coarse`, that follow a flow."""
    return texture("fine")[flow] * (1 - coarse) + texture("coarse")[flow] * coarse


def bent_flow(rng: Generator) -> tuple[Flow, np.ndarray]:
    """Draw the course of bent fibres, and their direction in each coarse cell in radians."""
    turn, bend = rng.uniform(0, np.pi), smooth_noise(rng, 2, 256, (11, 11))[:, :CELLS, :CELLS]
    y, x = np.mgrid[0:CELLS, 0:CELLS] * ZOOM
    along = x * np.cos(turn) + y * np.sin(turn) + 25 * bend[0]
    across = y * np.cos(turn) - x * np.sin(turn) + 60 * bend[1]
    rise_y, rise_x = np.gradient(across)
    courses = enlarge(np.round(np.stack([across, along]), 2))
    index = np.floor(courses).astype(np.intp) % TEXTURE
    return (index[0], index[1]), np.round(np.arctan2(-rise_x, rise_y), 4)


def enlarge(
    maps: Float[np.ndarray, "map side side"], times: int = ZOOM
) -> Float32[np.ndarray, "map large large"]:
    """Enlarge square maps bilinearly by an integer factor, in single precision."""
    maps, side = maps.astype(np.float32), maps.shape[-1]
    at = np.clip((np.arange(side * times) + 0.5) / times - 0.5, 0, side - 1)
    low = np.minimum(at.astype(np.intp), side - 2)
    weight = (at - low).astype(np.float32)
    wide = maps[:, :, low] * (1 - weight) + maps[:, :, low + 1] * weight
    large, below = wide[:, low], wide[:, low + 1]
    below -= large
    below *= weight[:, None]
    large += below
    return large


def lattice(spacing: float, jitter: float, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the points (x, y) of a jittered square lattice over the drawing.

    Parameters
    ----------
    spacing
        Distance of the points in drawn px.
    jitter
        Standard deviation of their displacement, as a share of the spacing.
    rng
        Random numbers.
    """
    steps = np.arange(spacing / 2, DRAWN, spacing)
    points = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)])
    points = points + rng.normal(0, jitter * spacing, points.shape)
    return tuple(np.clip(points, 0, DRAWN - 1))
