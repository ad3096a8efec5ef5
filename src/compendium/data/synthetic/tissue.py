"""Made-up tissue: smooth fields of class and morphology, and the H&E-like image drawn from them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

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
EDGE = 188  # image px from the outermost spot centre to the image border: room for tiles of 376 px
CELL = 16  # image px a cell of the coarse fields
CELLS = ((SIDE - 1) * PITCH + 2 * EDGE) // CELL  # coarse cells on a side: 183
ZOOM = (
    CELL // 2
)  # drawn px a coarse cell: the layers are drawn at half the resolution of the image, then enlarged
DRAWN = CELLS * ZOOM
SHRINK = 6  # image px a thumbnail px


@dataclass(frozen=True)
class Stain:
    """How a laboratory's slides look.

    haematoxylin, eosin: optical density (R, G, B) of one unit of each dye. glass: RGB of the empty slide.
    strength: amount of each dye on this section relative to the drawn amount.
    """

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    glass: tuple[float, float, float]
    strength: tuple[float, float] = (1.0, 1.0)

    def table(self) -> UInt8[np.ndarray, "haematoxylin eosin 3"]:
        """RGB for each of 256 x 256 amounts of dye, in steps of 1/64 and 1/128 unit (Beer and Lambert)."""
        density = [
            amount[:, None] * strength * np.array(dye)
            for amount, strength, dye in zip(
                (np.arange(256) / 64, np.arange(256) / 128),
                self.strength,
                (self.haematoxylin, self.eosin),
                strict=True,
            )
        ]
        return np.round(
            np.array(self.glass) * np.exp(-density[0][:, None] - density[1][None])
        ).astype(np.uint8)


@dataclass(frozen=True)
class Layout:
    """Where everything is on one section.

    grid: array position (x, y) of the spots. pixels: image position of their centres. classes: fraction of each class, summing to 1.
    fields: morphology as standard normal fields, in the order of FIELDS. outline: positive inside the tissue.
    morphology: what the image shows around each spot, in the order of MORPHOLOGY; a field counts by the share of tissue that can show it.
    """

    grid: Int32[np.ndarray, "spot 2"]
    pixels: Float32[np.ndarray, "spot 2"]
    classes: Float64[np.ndarray, "classes cell cell"]
    fields: Float64[np.ndarray, "fields cell cell"]
    outline: Float64[np.ndarray, "cell cell"]
    morphology: Float64[np.ndarray, "spot morphology"]


def smooth_noise(
    rng: np.random.Generator, count: int, size: int, width: tuple[float, float]
) -> Float64[np.ndarray, "count size size"]:
    """Standard normal fields with a Gaussian spectrum of the given widths (rows, columns, in cells), periodic, rounded so that machines agree."""
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    keep = np.exp(-2 * np.pi**2 * ((rows * width[0]) ** 2 + (columns * width[1]) ** 2))
    field = np.fft.irfft2(
        np.fft.rfft2(rng.standard_normal((count, size, size))) * keep, s=(size, size)
    )
    field -= field.mean(axis=(1, 2), keepdims=True)
    return np.round(field / field.std(axis=(1, 2), keepdims=True), 4)


def layout(
    patient: np.random.Generator, section: np.random.Generator, spots: int, kinship: float = 0.9
) -> Layout:
    """One section with exactly `spots` spots; the large structures of one patient's sections (same patient stream) correlate by `kinship`."""
    wide, narrow = (1.3 * PITCH / CELL,) * 2, (0.4 * PITCH / CELL,) * 2
    common, own, small = (
        smooth_noise(rng, len(MORPHOLOGY) + 1, 256, width)
        for rng, width in ((patient, wide), (section, wide), (section, narrow))
    )
    large = np.sqrt(kinship) * common + np.sqrt(1 - kinship) * own
    mixed = (np.sqrt(0.7) * large + np.sqrt(0.3) * small)[:, :CELLS, :CELLS]
    richness = np.array([0.45, 0.25, 0.0, -0.2, -0.2]) + patient.normal(0, 0.25, len(CLASSES))
    score = np.exp((mixed[: len(CLASSES)] + richness[:, None, None]) / 0.22)
    classes, fields = np.round(score / score.sum(axis=0), 5), mixed[len(CLASSES) : -1]
    grid, outline = _outline(mixed[-1], patient, section, spots)
    return Layout(
        grid,
        (EDGE + grid * PITCH).astype(np.float32),
        classes,
        fields,
        outline,
        _around_spots(_visible(classes, fields), grid),
    )


def _outline(
    noise: np.ndarray, patient: np.random.Generator, section: np.random.Generator, spots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Grid positions of the `spots` positions deepest in a wobbly ellipse, and the ellipse as a field that is positive inside."""
    tilt, stretch, shift = (
        patient.uniform(0, np.pi),
        patient.uniform(1.0, 1.3),
        section.normal(0, 0.05, 2),
    )
    y, x = np.mgrid[-1 : 1 : CELLS * 1j, -1 : 1 : CELLS * 1j]
    u = (x - shift[0]) * np.cos(tilt) + (y - shift[1]) * np.sin(tilt)
    v = (y - shift[1]) * np.cos(tilt) - (x - shift[0]) * np.sin(tilt)
    depth = (
        0.22 * noise
        - (np.abs(u) ** 2.5 / stretch + np.abs(v) ** 2.5 * stretch)
        - 6 * np.clip(np.maximum(np.abs(x), np.abs(y)) - 0.9, 0, 1)
    )
    positions = np.stack(np.divmod(np.arange(SIDE**2), SIDE)[::-1], axis=1).astype(np.int32)
    at_spot = _around_spots(depth[None], positions)[:, 0]
    inside = np.sort(np.argsort(-at_spot, kind="stable")[:spots])
    return positions[inside], np.round(depth - at_spot[inside].min() + 0.03, 5)


def _visible(classes: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Morphology [morphology cell cell]: class fractions, and each field times the share of tissue in which it can be seen."""
    cancer, connective, adipose, immune, glands = classes
    shows = np.stack(
        [1 - adipose, cancer + glands, 1 - adipose - immune, connective, adipose, 1 - adipose]
    )
    return np.concatenate([classes, fields * shows])


def _around_spots(maps: np.ndarray, grid: np.ndarray) -> Float64[np.ndarray, "spot maps"]:
    """Mean of each coarse map around the spots, under a Gaussian of 60 px (nearly all of its weight lies within 224 px)."""
    blurred = gaussian_filter(maps, (0, 60 / CELL, 60 / CELL), truncate=2.5)
    at = (EDGE + grid * PITCH) // CELL
    return np.round(blurred[:, at[:, 1], at[:, 0]].T, 6)


def draw(
    tissue: Layout, stain: Stain, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """The image of a section: amounts of haematoxylin and eosin are painted, then turned into colour."""
    classes = enlarge(tissue.classes.astype(np.float32), ZOOM)
    flow, angle = _flow(rng)
    nests = np.clip(
        texture("nests")[_laid(rng)] * 2 + 1.8, 0, 1
    )  # 1 where invasive cancer lies in nests, 0 where stroma runs between them
    blue, pink, free = _ground(
        classes, enlarge(tissue.fields[[3, 5]].astype(np.float32), ZOOM), nests, flow, rng
    )
    _fat(blue, pink, free, tissue, classes[2], rng)
    glands = _glands(blue, pink, free, tissue, rng)
    inside = (
        enlarge(tissue.outline[None].astype(np.float32), ZOOM)[0]
        + 0.008 * texture("ragged")[_laid(rng)]
        > 0
    )
    nuclei = np.concatenate([_scattered(classes, tissue.fields, nests, angle, rng), glands])
    column, row = nuclei[:, 0].astype(np.intp), nuclei[:, 1].astype(np.intp)
    _stamp(blue, nuclei[(inside & free)[row, column] | (nuclei[:, 5] < 0)])
    return _colour(blue * inside, pink * inside, stain, rng)


def enlarge(
    maps: Float32[np.ndarray, "map side side"], times: int
) -> Float32[np.ndarray, "map large large"]:
    """Bilinear enlargement of square maps by a whole number."""
    side = maps.shape[-1]
    at = np.clip((np.arange(side * times) + 0.5) / times - 0.5, 0, side - 1)
    low = np.minimum(at.astype(np.intp), side - 2)
    weight = (at - low).astype(np.float32)
    wide = maps[:, :, low] * (1 - weight) + maps[:, :, low + 1] * weight
    large, below = wide[:, low], wide[:, low + 1]
    below -= large
    below *= weight[:, None]
    large += below
    return large


TEXTURE = 512  # side of the periodic textures
WIDTHS = {
    "fine": (1.0, 14.0),
    "coarse": (3.6, 40.0),
    "nests": (9.0, 16.0),
    "cloud": (14.0, 14.0),
    "ragged": (3.0, 3.0),
    "grain": (0.7, 0.7),
}


@cache
def texture(name: str) -> Float32[np.ndarray, "side side"]:
    """A periodic texture in drawn px: fibres along the rows, cell nests, clouds, the ragged edge, grain."""
    return smooth_noise(
        np.random.default_rng([7, list(WIDTHS).index(name)]), 1, TEXTURE, WIDTHS[name]
    )[0].astype(np.float32)


def _flow(rng: np.random.Generator) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Texture index (across, along) that follows bent fibres, and the direction of the fibres in each coarse cell."""
    turn, bend = rng.uniform(0, np.pi), smooth_noise(rng, 2, 256, (11, 11))[:, :CELLS, :CELLS]
    y, x = np.mgrid[0:CELLS, 0:CELLS] * ZOOM
    along = x * np.cos(turn) + y * np.sin(turn) + 25 * bend[0]
    across = y * np.cos(turn) - x * np.sin(turn) + 60 * bend[1]
    rise_y, rise_x = np.gradient(across)
    index = (
        np.floor(enlarge(np.round(np.stack([across, along]), 2).astype(np.float32), ZOOM)).astype(
            np.intp
        )
        % TEXTURE
    )
    return (index[0], index[1]), np.round(np.arctan2(-rise_x, rise_y), 4)


def _laid(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Index that lays a periodic texture over the drawing from a random corner."""
    row, column = (np.arange(DRAWN) + rng.integers(0, TEXTURE, (2, 1))) % TEXTURE
    return row[:, None], column[None]


def _ground(
    classes: np.ndarray,
    fields: np.ndarray,
    nests: np.ndarray,
    flow: tuple,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amounts of haematoxylin and eosin before any nucleus (cytoplasm, fibres, clefts), and where nuclei may lie."""
    cancer, connective, adipose, immune, glands = classes
    coarse = np.clip(0.5 + 0.45 * fields[0], 0, 1)
    fibres = texture("fine")[flow] * (1 - coarse) + texture("coarse")[flow] * coarse
    cloud, lumps = texture("cloud")[_laid(rng)], texture("ragged")[_laid(rng)]
    stroma, cancer = connective + glands + cancer * (1 - nests), cancer * nests
    strength = np.clip(1 + 0.4 * fields[1], 0.15, 2.2) * (1 + 0.15 * cloud)
    pink = (
        stroma * np.clip(0.42 + 0.24 * fibres, 0.04, 2)
        + cancer * (0.22 + 0.05 * lumps)
        + immune * 0.15
        + adipose * 0.3
    ) * strength
    blue = (
        stroma * np.clip(0.15 + 0.05 * fibres, 0, 1)
        + cancer * (0.28 + 0.07 * lumps)
        + immune * 0.22
        + adipose * 0.08
    )
    torn = ((fibres < -1.35 - 0.3 * cloud) & (stroma > 0.5)) | (
        (lumps < -1.5 - 0.3 * cloud) & (stroma < 0.5)
    )
    fade = 1 - np.float32(0.88) * torn
    return blue * fade, pink * fade, ~torn


def _fat(
    blue: np.ndarray,
    pink: np.ndarray,
    free: np.ndarray,
    tissue: Layout,
    adipose: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Vacuoles: pale round cells of a Voronoi mosaic with thin membranes, larger where the field says so."""
    x, y = _lattice(21, 0.3, rng)
    size = tissue.fields[4][y.astype(np.intp) // ZOOM, x.astype(np.intp) // ZOOM]
    kept = rng.uniform(size=len(x)) < np.clip(0.45 - 0.25 * size, 0.07, 1)
    rows, columns = np.nonzero(adipose > 0.45)
    near, _ = cKDTree(np.stack([y[kept], x[kept]], axis=1)).query(
        np.stack([rows, columns], axis=1), k=3
    )
    wall, corner = near[:, 1] - near[:, 0], near[:, 1] + near[:, 2] - 2 * near[:, 0]
    hole = (wall > 2.0 + 0.7 * texture("ragged")[rows % TEXTURE, columns % TEXTURE]) & (corner > 9)
    for layer, factor in ((blue, 0.1), (pink, 0.1), (free, False)):
        layer[rows[hole], columns[hole]] *= factor


def _lattice(
    spacing: float, jitter: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) of a square lattice over the drawing, each moved at random by `jitter` spacings (standard deviation)."""
    steps = np.arange(spacing / 2, DRAWN, spacing)
    points = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)]) + rng.normal(
        0, jitter * spacing, (2, len(steps) ** 2)
    )
    return tuple(np.clip(points, 0, DRAWN - 1))


def _glands(
    blue: np.ndarray, pink: np.ndarray, free: np.ndarray, tissue: Layout, rng: np.random.Generator
) -> np.ndarray:
    """Paint gland rings around open lumina; returns their nuclei (see _scattered), darkness negative: they lie wherever they are put."""
    x, y = _lattice(78, 0.12, rng)
    cell = y.astype(np.intp) // ZOOM, x.astype(np.intp) // ZOOM
    chosen, nuclei = tissue.classes[4][cell] > 0.45, [np.zeros((0, 6))]
    for cx, cy, size in zip(x[chosen], y[chosen], tissue.fields[1][cell][chosen], strict=True):
        radius, lumen, wobble = (
            rng.uniform(20, 36),
            rng.uniform(0.4, 0.72),
            rng.uniform(0, 2 * np.pi, 2),
        )
        row, column = (slice(max(int(c) - 48, 0), int(c) + 48) for c in (cy, cx))
        dy, dx = (
            np.mgrid[row, column][:, : blue[row, column].shape[0], : blue[row, column].shape[1]]
            - np.array([cy, cx])[:, None, None]
        )
        depth = np.hypot(dx, dy) / _wobbly(np.arctan2(dy, dx), radius, wobble)
        ring, hollow = (depth < 1) & (depth >= lumen), depth < lumen
        blue[row, column][ring], pink[row, column][ring] = 0.6, 0.3
        blue[row, column][hollow], pink[row, column][hollow] = 0.02, 0.03
        free[row, column][depth < 1.05] = False
        nuclei.append(_ring_nuclei(cx, cy, radius, lumen, wobble, size, rng))
    return np.concatenate(nuclei)


def _wobbly(turn: np.ndarray, radius: float, phase: np.ndarray) -> np.ndarray:
    return radius * (1 + 0.22 * np.sin(2 * turn + phase[0]) + 0.1 * np.sin(3 * turn + phase[1]))


def _ring_nuclei(
    cx: float,
    cy: float,
    radius: float,
    lumen: float,
    phase: np.ndarray,
    size: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Two rows of epithelial nuclei between lumen and rim; the larger, the fewer."""
    large = np.exp(0.3 * np.clip(size, -2, 2))
    count = int(2.6 * radius / large)
    turn = rng.uniform(0, 2 * np.pi, count)
    reach = (lumen + (1 - lumen) * np.where(np.arange(count) % 2, 0.3, 0.78)) * _wobbly(
        turn, radius, phase
    )
    x, y = (
        np.clip(c, 0, DRAWN - 1) for c in (cx + reach * np.cos(turn), cy + reach * np.sin(turn))
    )
    return np.stack(
        [
            x,
            y,
            np.full(count, 3.1 * large),
            np.full(count, 2.2 * large),
            turn,
            -rng.uniform(1.6, 2.6, count),
        ],
        axis=1,
    )


def _scattered(
    classes: np.ndarray,
    fields: np.ndarray,
    nests: np.ndarray,
    angle: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Nuclei [nucleus (x, y, long and short half axis, direction, darkness)] of tumour cells, fibroblasts and lymphocytes on a jittered lattice."""
    x, y = _lattice(4.6, 0.3, rng)
    row, column = y.astype(np.intp), x.astype(np.intp)
    cancer, connective, adipose, immune, glands = classes[:, row, column]
    cells, size, lymph = np.clip(fields[:3, row // ZOOM, column // ZOOM], -2.2, 2.2)
    crowd = np.clip(1 + 0.2 * texture("cloud")[row % TEXTURE, column % TEXTURE], 0.3, 1.7)
    nest = nests[row, column] > 0.5
    chance = np.stack(
        [
            cancer * nest * 0.36 * crowd * np.exp(0.6 * cells - 0.5 * size),
            (connective * 0.08 + glands * 0.07 + cancer * ~nest * 0.07 + adipose * 0.03)
            * crowd
            * np.exp(0.6 * cells),
            immune * 0.8 * crowd + (1 - adipose - immune) * 0.04 * np.exp(1.2 * lymph),
        ]
    )
    kind = (rng.uniform(size=len(x)) > np.cumsum(chance, axis=0)).sum(axis=0)
    kind, x, y, size = (part[kind < 3] for part in (kind, x, y, size))
    spread = np.clip(rng.normal(0, 1, (4, len(kind))), -2, 2)
    long = np.choose(
        kind,
        [
            3.4 * np.exp(0.3 * size + 0.14 * spread[0]),
            5.0 + 1.2 * spread[0],
            2.2 + 0.15 * spread[0],
        ],
    )
    short = long * np.choose(
        kind, [0.82 + 0.08 * spread[1], 0.29 + 0.05 * spread[1], 0.92 + 0 * long]
    )
    turn = np.where(
        kind == 1,
        angle[y.astype(np.intp) // ZOOM, x.astype(np.intp) // ZOOM] + 0.2 * spread[2],
        1.6 * spread[2],
    )
    dark = np.choose(kind, [1.6, 1.9, 2.5]) * (1 + 0.22 * spread[3])
    return np.stack([x, y, long, short, turn, dark], axis=1)


def _stamp(blue: np.ndarray, nuclei: np.ndarray) -> None:
    """Lay ellipses into the haematoxylin layer; where nuclei overlap the darker one shows."""
    for low, high in ((0, 2.7), (2.7, 4.5), (4.5, 9)):
        chosen = (nuclei[:, 2] > low) & (nuclei[:, 2] <= high)
        some = nuclei[chosen].astype(np.float32)
        reach = np.arange(-int(high) - 1, int(high) + 2)
        x, y, long, short, _, dark = some.T[:, :, None, None]
        cos, sin = (
            np.round(f(nuclei[chosen, 4]), 4).astype(np.float32)[:, None, None]
            for f in (np.cos, np.sin)
        )
        column, row = (
            np.floor(x).astype(np.intp) + reach[None, None],
            np.floor(y).astype(np.intp) + reach[None, :, None],
        )
        dx, dy = column - x, row - y
        u, v = (dx * cos + dy * sin) / long, (dy * cos - dx * sin) / short
        depth = 1 - u * u - v * v
        value = np.abs(dark) * np.clip(2.2 * depth, 0, 1) * (1 - 0.25 * np.clip(depth, 0, 1))
        hit = (value > 0) & (row >= 0) & (row < DRAWN) & (column >= 0) & (column < DRAWN)
        np.maximum.at(blue.reshape(-1), (row * DRAWN + column)[hit], value[hit])


def _colour(
    blue: np.ndarray, pink: np.ndarray, stain: Stain, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Blur, grain, enlarge to the size of the image, and look the colour of each pair of dye amounts up."""
    grain = texture("grain")[_laid(rng)]
    amounts = []
    for layer, rough, steps in ((blue, 0.14, 64), (pink, 0.08, 128)):
        grained = (
            gaussian_filter(layer, 0.6, truncate=2) * (1 + rough * grain) + 0.01
        ) * steps + 0.5
        amounts.append(_doubled(np.clip(grained, 0, 255).astype(np.uint8)))
    return stain.table().reshape(-1, 3)[amounts[0].astype(np.uint16) * 256 + amounts[1]]


def _doubled(layer: UInt8[np.ndarray, "side side"]) -> UInt8[np.ndarray, "large large"]:
    """Bilinear enlargement by two, in whole numbers."""
    large = layer.astype(np.uint16)
    for axis in (1, 0):
        padded = np.pad(large, [(1, 1) if i == axis else (0, 0) for i in range(2)], mode="edge")
        before, after = (padded[:-2], padded[2:]) if axis == 0 else (padded[:, :-2], padded[:, 2:])
        large = np.stack([3 * large + before, 3 * large + after], axis + 1).reshape(
            -1, len(layer) * 2
        )
    return ((large + 8) >> 4).astype(np.uint8)


def thumbnail(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "low narrow 3"]:
    """The image at 1 / SHRINK of its size, each px the mean of those it covers."""
    height, width = (side // SHRINK for side in image.shape[:2])
    blocks = (
        image[: height * SHRINK, : width * SHRINK]
        .reshape(height, SHRINK, width * SHRINK * 3)
        .sum(axis=1, dtype=np.uint16)
    )
    return (
        blocks.reshape(height, width, SHRINK, 3).sum(axis=2, dtype=np.uint16) // SHRINK**2
    ).astype(np.uint8)
