"""H&E-like image of a synthetic section: amounts of dye are drawn, then turned into colour."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy.random import Generator
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from compendium.data.synthetic import textures
from compendium.data.synthetic.nuclei import scattered, stamp
from compendium.data.synthetic.textures import DRAWN, TEXTURE, ZOOM, spread
from compendium.data.synthetic.tissue import Layout

Image = UInt8[np.ndarray, "height width 3"]
SHRINK = 6  # image px a thumbnail px
STEPS = (64, 128)  # steps of a unit of haematoxylin and of eosin
TURN = 2 * np.pi
GLAND_WINDOW = 48  # drawn px: half the side of the window around a gland


@dataclass(frozen=True)
class Stain:
    """Appearance of the slides of a laboratory."""

    haematoxylin: tuple[float, float, float]
    """Optical density (R, G, B) of one unit of haematoxylin."""

    eosin: tuple[float, float, float]
    """Optical density (R, G, B) of one unit of eosin."""

    background: tuple[float, float, float]
    """RGB of the empty slide."""

    strength: tuple[float, float] = (1.0, 1.0)
    """Amount of each dye on this section, relative to the drawn amount."""

    def table(self) -> UInt8[np.ndarray, "haematoxylin eosin 3"]:
        """Return the RGB of 256 x 256 amounts of dye, in STEPS (law of Beer and Lambert)."""
        amounts = np.arange(256)[:, None] / STEPS * self.strength
        blue, pink = amounts[:, :1] * self.haematoxylin, amounts[:, 1:] * self.eosin
        light = np.exp(-blue[:, None] - pink[None])
        return np.round(np.array(self.background) * light).astype(np.uint8)


@dataclass
class _Layers:
    """Amounts of dye [drawn drawn], and where nuclei may be."""

    haematoxylin: np.ndarray
    eosin: np.ndarray
    free: np.ndarray


def draw(tissue: Layout, stain: Stain, rng: Generator) -> Image:
    """Draw the image of a section.

    Parameters
    ----------
    tissue
        Classes and morphology.
    stain
        Colours of the laboratory and strength of the dyes.
    rng
        Random numbers.
    """
    classes = textures.enlarge(tissue.classes)
    flow, angle = textures.bent_flow(rng)
    nests = np.clip(spread("nests", rng) * 2 + 1.8, 0, 1)  # 0: stroma between the nests of cancer
    layers = _ground(classes, textures.enlarge(tissue.fields[[3, 5]]), nests, flow, rng)
    _draw_fat(layers, tissue, classes[2], rng)
    glands = _draw_glands(layers, tissue, rng)
    inside = textures.enlarge(tissue.outline[None])[0] + 0.008 * spread("ragged", rng) > 0
    nuclei = np.concatenate([scattered(classes, tissue.fields, nests, angle, rng), glands])
    column, row = nuclei[:, 0].astype(np.intp), nuclei[:, 1].astype(np.intp)
    stamp(layers.haematoxylin, nuclei[(inside & layers.free)[row, column] | (nuclei[:, 5] < 0)])
    return colour(layers.haematoxylin * inside, layers.eosin * inside, stain, rng)


def _ground(
    classes: np.ndarray, fields: np.ndarray, nests: np.ndarray, flow: textures.Flow, rng: Generator
) -> _Layers:
    """Draw what is there before any nucleus: cytoplasm, fibres, clefts."""
    cancer, connective, fat, immune, glands = classes
    fibre = textures.fibres(np.clip(0.5 + 0.45 * fields[0], 0, 1), flow)
    cloud, lumps = spread("cloud", rng), spread("ragged", rng)
    stroma, cancer = connective + glands + cancer * (1 - nests), cancer * nests
    strength = np.clip(1 + 0.4 * fields[1], 0.15, 2.2) * (1 + 0.15 * cloud)
    pink, blue = np.clip(0.42 + 0.24 * fibre, 0.04, 2), np.clip(0.15 + 0.05 * fibre, 0, 1)
    eosin = stroma * pink + cancer * (0.22 + 0.05 * lumps) + immune * 0.15 + fat * 0.3
    haematoxylin = stroma * blue + cancer * (0.28 + 0.07 * lumps) + immune * 0.22 + fat * 0.08
    torn_stroma = (fibre < -1.35 - 0.3 * cloud) & (stroma > 0.5)
    torn = torn_stroma | ((lumps < -1.5 - 0.3 * cloud) & (stroma < 0.5))
    fade = 1 - np.float32(0.88) * torn
    return _Layers(haematoxylin * fade, eosin * strength * fade, ~torn)


def _draw_fat(layers: _Layers, tissue: Layout, adipose: np.ndarray, rng: Generator) -> None:
    """Draw vacuoles: pale cells of a Voronoi mosaic with thin membranes."""
    x, y = textures.lattice(21, 0.3, rng)
    size = tissue.fields[4][y.astype(np.intp) // ZOOM, x.astype(np.intp) // ZOOM]
    kept = rng.uniform(size=len(x)) < np.clip(0.45 - 0.25 * size, 0.07, 1)
    rows, columns = np.nonzero(adipose > 0.45)
    centres = cKDTree(np.stack([y[kept], x[kept]], axis=1))
    near, _ = centres.query(np.stack([rows, columns], axis=1), k=3)
    wall, corner = near[:, 1] - near[:, 0], near[:, 1] + near[:, 2] - 2 * near[:, 0]
    ragged = textures.texture("ragged")[rows % TEXTURE, columns % TEXTURE]
    hole = (wall > 2.0 + 0.7 * ragged) & (corner > 9)
    at = rows[hole], columns[hole]
    layers.haematoxylin[at] *= 0.1
    layers.eosin[at] *= 0.1
    layers.free[at] = False


def _draw_glands(layers: _Layers, tissue: Layout, rng: Generator) -> np.ndarray:
    """Draw gland rings around open lumina; return their nuclei, with negative darkness."""
    x, y = textures.lattice(78, 0.12, rng)
    cell = y.astype(np.intp) // ZOOM, x.astype(np.intp) // ZOOM
    chosen = tissue.classes[4][cell] > 0.45
    glands = zip(x[chosen], y[chosen], tissue.fields[1][cell][chosen], strict=True)
    nuclei = [_draw_gland(layers, *gland, rng) for gland in glands]
    return np.concatenate([np.zeros((0, 6)), *nuclei])


def _draw_gland(layers: _Layers, x: float, y: float, size: float, rng: Generator) -> np.ndarray:
    """Draw a wobbly ring; return its nuclei, in two rows between lumen and rim."""
    radius, lumen, phase = rng.uniform(20, 36), rng.uniform(0.4, 0.72), rng.uniform(0, TURN, 2)

    def reach(turn: np.ndarray) -> np.ndarray:
        wobble = 0.22 * np.sin(2 * turn + phase[0]) + 0.1 * np.sin(3 * turn + phase[1])
        return radius * (1 + wobble)

    corner = np.array([y, x], dtype=int) - GLAND_WINDOW
    window = tuple(map(slice, corner.clip(0), (corner + 2 * GLAND_WINDOW).clip(max=DRAWN)))
    dy, dx = np.mgrid[window] - np.array([y, x])[:, None, None]
    depth = np.hypot(dx, dy) / reach(np.arctan2(dy, dx))
    hollow = depth < lumen
    ring = (depth < 1) & ~hollow
    blue, pink = layers.haematoxylin[window], layers.eosin[window]
    blue[ring], blue[hollow], pink[ring], pink[hollow] = 0.6, 0.02, 0.3, 0.03
    layers.free[window][depth < 1.05] = False
    large = np.exp(0.3 * np.clip(size, -2, 2))
    count = int(2.6 * radius / large)  # the larger, the fewer
    turn = rng.uniform(0, TURN, count)
    rows = np.where(np.arange(count) % 2, 0.3, 0.78)
    far = (lumen + (1 - lumen) * rows) * reach(turn)
    places = np.clip([x + far * np.cos(turn), y + far * np.sin(turn)], 0, DRAWN - 1)
    axes = np.full((2, count), [[3.1 * large], [2.2 * large]])
    return np.stack([*places, *axes, turn, -rng.uniform(1.6, 2.6, count)], axis=1)


def colour(
    haematoxylin: textures.Drawn, eosin: textures.Drawn, stain: Stain, rng: Generator
) -> Image:
    """Turn the drawn amounts of dye into an image of twice the size, with blur and grain.

    Parameters
    ----------
    haematoxylin, eosin
        Amount of each dye.
    stain
        Colours of the laboratory and strength of the dyes.
    rng
        Random numbers.
    """
    grain = spread("grain", rng)
    amounts = []
    for layer, rough, steps in zip((haematoxylin, eosin), (0.14, 0.08), STEPS, strict=True):
        blurred = gaussian_filter(layer, 0.6, truncate=2)
        grained = (blurred * (1 + rough * grain) + 0.01) * steps + 0.5
        amounts.append(doubled(np.clip(grained, 0, 255).astype(np.uint8)))
    return stain.table().reshape(-1, 3)[amounts[0].astype(np.uint16) * 256 + amounts[1]]


def doubled(layer: UInt8[np.ndarray, "side side"]) -> UInt8[np.ndarray, "large large"]:
    """Enlarge a layer bilinearly by two, in integer arithmetic."""
    large = layer.astype(np.uint16)
    for _ in range(2):  # rows, then columns
        padded = np.pad(large, ((1, 1), (0, 0)), mode="edge")
        pair = np.stack([3 * large + padded[:-2], 3 * large + padded[2:]], axis=1)
        large = pair.reshape(-1, large.shape[1]).T
    return ((large + 8) >> 4).astype(np.uint8)


def thumbnail(image: Image) -> UInt8[np.ndarray, "low narrow 3"]:
    """Reduce an image to 1 / SHRINK of its size by averaging."""
    from skimage.measure import block_reduce

    return block_reduce(image, (SHRINK, SHRINK, 1), np.mean).astype(np.uint8)
