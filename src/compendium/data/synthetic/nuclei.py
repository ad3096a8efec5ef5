"""Nuclei of the drawn tissue: where they are, their shapes, and their haematoxylin.

Nuclei are rows [x, y, long and short half axis, direction, darkness] in drawn px and radians.
"""

import numpy as np
from jaxtyping import Float32, Float64
from numpy.random import Generator

from compendium.data.synthetic.textures import DRAWN, TEXTURE, ZOOM, lattice, texture

TUMOUR, FIBROBLAST, LYMPHOCYTE, NONE = range(4)
Nuclei = Float64[np.ndarray, "nucleus 6"]
SIZE_CLASSES = ((0, 2.7), (2.7, 4.5), (4.5, 9))  # of long half axes: stamped together


def scattered(
    classes: Float32[np.ndarray, "classes drawn drawn"],
    fields: Float64[np.ndarray, "fields cell cell"],
    nests: np.ndarray,
    angle: np.ndarray,
    rng: Generator,
) -> Nuclei:
    """Draw the nuclei of tumour cells, fibroblasts and lymphocytes on a jittered lattice.

    Parameters
    ----------
    classes
        Fraction of each tissue class.
    fields
        Morphology.
    nests
        1 where invasive cancer is in nests, 0 where stroma runs between them, at each drawn px.
    angle
        Direction of the fibres in each coarse cell.
    rng
        Random numbers.
    """
    x, y = lattice(4.6, 0.3, rng)
    row, column = y.astype(np.intp), x.astype(np.intp)
    shown = np.clip(fields[:3, row // ZOOM, column // ZOOM], -2.2, 2.2)
    crowd = np.clip(1 + 0.2 * texture("cloud")[row % TEXTURE, column % TEXTURE], 0.3, 1.7)
    nest = nests[row, column] > 0.5
    chance = _chances(classes[:, row, column], shown, crowd, nest)
    kind = (rng.uniform(size=len(x)) > np.cumsum(chance, axis=0)).sum(axis=0)
    kind, x, y, size = (part[kind < NONE] for part in (kind, x, y, shown[1]))
    fibre = angle[y.astype(np.intp) // ZOOM, x.astype(np.intp) // ZOOM]
    return np.concatenate([np.stack([x, y]), _shapes(kind, size, fibre, rng)]).T


def _chances(
    classes: np.ndarray, fields: np.ndarray, crowd: np.ndarray, nest: np.ndarray
) -> np.ndarray:
    """Return the probability [kind, point] of a nucleus of each kind."""
    (cancer, connective, fat, immune, glands), (cells, size, lymph) = classes, fields
    stroma = connective * 0.08 + glands * 0.07 + cancer * ~nest * 0.07 + fat * 0.03
    tumour = cancer * nest * 0.36 * crowd * np.exp(0.6 * cells - 0.5 * size)
    lymphocytes = immune * 0.8 * crowd + (1 - fat - immune) * 0.04 * np.exp(1.2 * lymph)
    return np.stack([tumour, stroma * crowd * np.exp(0.6 * cells), lymphocytes])


def _shapes(kind: np.ndarray, size: np.ndarray, fibre: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw the half axes, direction and darkness [4, nucleus]."""
    draw = np.clip(rng.normal(0, 1, (4, len(kind))), -2, 2)
    tumour = 3.4 * np.exp(0.3 * size + 0.14 * draw[0])
    long = np.choose(kind, [tumour, 5.0 + 1.2 * draw[0], 2.2 + 0.15 * draw[0]])
    ratio = [0.82 + 0.08 * draw[1], 0.29 + 0.05 * draw[1], 0.92 + 0 * long]
    turn = np.where(kind == FIBROBLAST, fibre + 0.2 * draw[2], 1.6 * draw[2])
    dark = np.choose(kind, [1.6, 1.9, 2.5]) * (1 + 0.22 * draw[3])
    return np.stack([long, long * np.choose(kind, ratio), turn, dark])


def stamp(haematoxylin: Float32[np.ndarray, "drawn drawn"], nuclei: Nuclei) -> None:
    """Draw nuclei as ellipses into a layer; where nuclei overlap the darker one shows.

    Parameters
    ----------
    haematoxylin
        Layer that is changed.
    nuclei
        Nuclei; the sign of their darkness is ignored.
    """
    for low, high in SIZE_CLASSES:
        chosen = nuclei[(nuclei[:, 2] > low) & (nuclei[:, 2] <= high)]
        row, column, value = _ellipses(chosen, int(high) + 1)
        hit = (value > 0) & (row >= 0) & (row < DRAWN) & (column >= 0) & (column < DRAWN)
        np.maximum.at(haematoxylin.reshape(-1), (row * DRAWN + column)[hit], value[hit])


def _ellipses(nuclei: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, columns and darkness [nucleus, px, px] in windows around nuclei."""
    reach = np.arange(-radius, radius + 1)
    x, y, long, short, _, dark = nuclei.astype(np.float32).T[:, :, None, None]
    turn = nuclei[:, 4, None, None]
    cos, sin = (np.round(ratio(turn), 4).astype(np.float32) for ratio in (np.cos, np.sin))
    column = np.floor(x).astype(np.intp) + reach[None, None]
    row = np.floor(y).astype(np.intp) + reach[None, :, None]
    dx, dy = column - x, row - y
    u, v = (dx * cos + dy * sin) / long, (dy * cos - dx * sin) / short
    depth = 1 - u * u - v * v
    value = np.abs(dark) * np.clip(2.2 * depth, 0, 1) * (1 - 0.25 * np.clip(depth, 0, 1))
    return row, column, value
