"""Stain normalisation: what a slide's stains look like, and its tiles as another slide's stains would have them."""

import dataclasses
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from compendium.data.section import Section
from compendium.disk import alone, home, source_hash, whole_file
from compendium.errors import BadInput

AS_IT_IS = "none"
BRIGHT_PERCENTILE, TISSUE_LIGHTNESS, STRONG_PERCENTILE = 95, 80, 99
SPARSE, CODE = 0.1, 0.01  # penalties of the dictionary and of the concentrations
ROUNDS, PIXELS = 200, 20_000  # of the dictionary's search, where the last digits have long stopped to move
START = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])  # haematoxylin and eosin as Ruifrok and Johnston measured them (2001)
ALIKE = 1 - 1e-6  # cosine from which two stains are one
TILES = 16  # mapped at once
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Vahadane:
    """Two stains by a sparse non-negative dictionary of optical densities (Vahadane et al. 2016), after STimage's brightening.

    bright: 95th percentile of the lightness L (CIELAB, 0-100) of the slide; what is so light or lighter becomes 100. stains: optical density,
    -ln(value / 255), of haematoxylin and eosin in red, green, blue, rows of unit length, the one that takes more red first. strong: 99th
    percentile of how much of each stain the tissue holds, tissue being what is darker than L = 80.
    """

    bright: float
    stains: Float64[np.ndarray, "2 3"]
    strong: Float64[np.ndarray, "2"]

    @classmethod
    def of(cls, image: UInt8[np.ndarray, "height width 3"]) -> "Vahadane":
        """The stains of a slide, shrunk as a thumbnail is. BadInput where there is no tissue, or only one colour of it."""
        bright = float(np.percentile(_lab(image)[..., 0], BRIGHT_PERCENTILE))
        if bright == 0:
            raise BadInput("it is black")
        light = brightened(image, bright)
        density = optical_density(light[_lab(light)[..., 0] < TISSUE_LIGHTNESS])
        if not len(density):
            raise BadInput("it shows no tissue")
        stains = dictionary(density[:: -(-len(density) // PIXELS)])
        return cls(bright, stains, np.percentile(concentrations(density, stains), STRONG_PERCENTILE, axis=0))

    def mapped(self, tiles: UInt8[np.ndarray, "*any 3"], template: "Vahadane") -> UInt8[np.ndarray, "*any 3"]:
        """Pixels of this slide in the stains of the template, each stain as strong there as here: 255 exp(-concentration x stain); white stays white."""
        amount = concentrations(optical_density(brightened(tiles, self.bright)), self.stains)
        amount *= np.divide(template.strong, self.strong, out=np.ones(2), where=self.strong > 0)
        return np.round(255 * np.exp(-amount @ template.stains)).astype(np.uint8)


STAINS = {"vahadane": Vahadane}  # word of a run -> what it measures of a slide, with `of` and `mapped`


def restained(section: Section, template: Section, word: str) -> Section:
    """The section with its patches in the stains of the template, each slide measured on its own thumbnail; computed once, then memory-mapped."""
    facts = f"{word} {section.digest} to {template.digest} {source_hash('images/stain.py')}"
    digest = hashlib.sha256(facts.encode()).hexdigest()
    path = home() / "stained" / word / f"{section.cohort}-{section.name}-{digest[:16]}.npy"
    with alone(path):
        patches = _stored(path)
        if patches is None:
            _write(path, section, look(section, word), look(template, word))
            patches = np.load(path, mmap_mode="r")
    return dataclasses.replace(section, patches=patches, digest=digest)


def look(section: Section, word: str) -> Vahadane:
    """What a slide's stains look like, of its thumbnail."""
    thumbnail = section.slide()
    try:
        return STAINS[word].of(thumbnail)
    except BadInput as error:
        raise BadInput(f"stain={word} cannot be measured on the image of {section.cohort} section {section.name}: {error}; leave the section out, or give stain=none") from error


def _stored(path: Path) -> np.ndarray | None:
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        log.warning("the stained patches in %s are damaged (%s); they are computed again", path, error)
        return None


def _write(path: Path, section: Section, own: Vahadane, template: Vahadane) -> None:
    tiles = section.patches
    with whole_file(path) as aside:
        out = np.lib.format.open_memmap(aside, mode="w+", dtype=np.uint8, shape=tiles.shape)
        for start in range(0, len(tiles), TILES):
            out[start : start + TILES] = own.mapped(np.asarray(tiles[start : start + TILES]), template)
        out.flush()


def brightened(pixels: UInt8[np.ndarray, "*any 3"], bright: float) -> UInt8[np.ndarray, "*any 3"]:
    """Lightness divided by `bright` and cut at 100, colour kept."""
    from skimage.color import lab2rgb

    lab = _lab(pixels)
    lab[..., 0] = np.minimum(lab[..., 0] * (100 / bright), 100)
    return np.round(lab2rgb(lab) * 255).astype(np.uint8)


def _lab(pixels: UInt8[np.ndarray, "*any 3"]) -> Float32[np.ndarray, "*any 3"]:
    from skimage.color import rgb2lab

    return rgb2lab(pixels.astype(np.float32) / 255)  # in single precision, which takes half the time


def optical_density(pixels: UInt8[np.ndarray, "*any 3"]) -> Float64[np.ndarray, "*any 3"]:
    """-ln(value / 255), at least 1e-6; a value of 0 counts as 1."""
    return np.maximum(-np.log(np.maximum(pixels, 1) / 255), 1e-6)


def concentrations(density: Float64[np.ndarray, "*any 3"], stains: Float64[np.ndarray, "2 3"], penalty: float = CODE) -> Float64[np.ndarray, "*any 2"]:
    """How much of each stain, c >= 0, makes the density: the least 1/2 |density - c stains|^2 + penalty |c|, which for two stains can be written down.

    Where the free solution is negative in one stain, that one is 0 and the other as if it were alone.
    """
    single = density @ stains.T - penalty
    overlap = float(stains[0] @ stains[1])
    both = (single - overlap * single[..., ::-1]) / max(1 - overlap**2, 1e-9)
    return np.where(both[..., ::-1] < 0, single, both).clip(min=0)


def dictionary(density: Float64[np.ndarray, "pixel 3"], penalty: float = SPARSE) -> Float64[np.ndarray, "2 3"]:
    """Two stains, non-negative rows of unit length, that make the densities with the least 1/2 |density - c stains|^2 + penalty |c|, c >= 0.

    Concentrations and stains are improved in turn, one stain at a time, as scikit-learn's DictionaryLearning does; for two stains every step is
    written down, so that it takes a hundredth of the time.
    """
    stains = START / np.linalg.norm(START, axis=1, keepdims=True)
    for _ in range(ROUNDS):
        amount = concentrations(density, stains, penalty)
        square, product = amount.T @ amount, amount.T @ density
        for i in range(2):
            if square[i, i] > 0:
                row = (stains[i] + (product[i] - square[i] @ stains) / square[i, i]).clip(min=0)
                stains[i] = row / max(np.linalg.norm(row), 1e-9)
    if not square.diagonal().all() or stains[0] @ stains[1] > ALIKE:
        raise BadInput("its tissue has one colour, not two")
    return stains if stains[0, 0] >= stains[1, 0] else stains[::-1].copy()
