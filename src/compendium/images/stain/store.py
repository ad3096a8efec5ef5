"""Normalise or augment the stains of a section's tiles once, and store the result."""

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from compendium import versions
from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.images.stain.augment import HED, VISIUM, RandStainNA
from compendium.images.stain.reinhard import Colours, Reinhard
from compendium.images.stain.two_stains import Macenko, StainPair, Vahadane
from compendium.storage import alone, atomic_file, home

AS_IT_IS = "none"
NORMALISERS = {"reinhard": Reinhard(), "macenko": Macenko(), "vahadane": Vahadane()}
"""Map every slide to the stains of the first training section, measured on thumbnails."""

AUGMENTERS = {
    "hed-lighter": HED(0.03),
    "hed-light": HED(0.1),
    "hed-strong": HED(1.0),
    "randstainna": RandStainNA(),
    "randstainna-laplace": RandStainNA("laplace"),
    "randstainna-visium": RandStainNA(spread=VISIUM),
}
"""Draw new stains for training tiles, one draw a tile before training, as the benchmark did.

The benchmark's training script then showed the tiles as they were.
"""

STAINS = NORMALISERS | AUGMENTERS
TILES = 16  # changed at once
log = logging.getLogger(__name__)


def restained(section: Section, train: Sequence[Section], name: str) -> Section:
    """Return the section with its tiles in other stains, computed once and memory-mapped.

    Parameters
    ----------
    section
        Section with an image.
    train
        Training sections; a normaliser uses the first, a fitted augmenter all of them.
    name
        One of STAINS.

    Raises
    ------
    BadInput
        A section has no image, or its stains cannot be measured.
    """
    if section.stored_tiles is None:
        wrong = f"section {section.name} has no image, and stain={name} changes images"
        cure = f"fetch its image and prepare it again, or give stain={AS_IT_IS}"
        raise BadInput(f"{section.cohort} {wrong}: {cure}")
    rests_on = train[:1] if name in NORMALISERS else train if AUGMENTERS[name].measures else ()
    facts = f"{name} {section.digest} by {' '.join(s.digest for s in rests_on)} {versions.STAIN}"
    digest = hashlib.sha256(facts.encode()).hexdigest()
    path = home() / "stained" / name / f"{section.cohort}-{section.name}-{digest[:16]}.npy"
    if (tiles := _stored(path)) is None:
        with alone(path):
            if (tiles := _stored(path)) is None:  # no other process wrote it meanwhile
                _write(path, section, changes(section, train, name))
                tiles = np.load(path, mmap_mode="r")
    return dataclasses.replace(section, stored_tiles=tiles, digest=digest)


def changes(
    section: Section, train: Sequence[Section], name: str
) -> Callable[[slice], UInt8[np.ndarray, "spot px px 3"]]:
    """Return a function from rows to the section's tiles in other stains.

    A draw follows from section, stain and spot, whichever rows are asked for.
    """
    if method := NORMALISERS.get(name):
        own, template = measure(section, name), measure(train[0], name)
        return lambda rows: method.apply(np.asarray(section.stored_tiles[rows]), own, template)
    augmenter = fitted(train, name)

    def drawn(tile: np.ndarray, spot: str) -> UInt8[np.ndarray, "px px 3"]:
        seed = hashlib.sha256(f"{section.digest} {name} {spot}".encode()).digest()
        return augmenter.apply(tile, np.random.default_rng(int.from_bytes(seed)))

    def changed(rows: slice) -> UInt8[np.ndarray, "spot px px 3"]:
        pairs = zip(section.stored_tiles[rows], section.spots[rows], strict=True)
        return np.stack([drawn(tile, spot) for tile, spot in pairs])

    return changed


def measure(section: Section, name: str) -> StainPair | Colours:
    """Measure a slide for a normaliser, on its thumbnail.

    Raises
    ------
    BadInput
        The section has no image, or no stains are found on it.
    """
    thumbnail = section.slide()
    try:
        return NORMALISERS[name].measure(thumbnail)
    except BadInput as error:
        raise BadInput(
            f"stain={name} cannot be measured on the image of {section.cohort} section "
            f"{section.name}: {error}; leave the section out, or give stain={AS_IT_IS}"
        ) from error


def fitted(train: Sequence[Section], name: str) -> HED | RandStainNA:
    """Fit an augmenter on the training sections.

    Raises
    ------
    BadInput
        No tile of them shows tissue.
    """
    try:
        return AUGMENTERS[name].fitted(train)
    except BadInput as error:
        sections = ", ".join(section.name for section in train)
        raise BadInput(
            f"stain={name} cannot be fitted on {train[0].cohort} training sections {sections}: "
            f"{error}; train on others, or give stain={AS_IT_IS}"
        ) from error


def table() -> list[dict[str, str]]:
    """List the stain methods: name, class, tiles that change, and parameters."""
    return [
        {
            "stain": name,
            "method": type(method).__name__,
            "changes": "every section" if name in NORMALISERS else "training tiles, one draw each",
            "parameters": ", ".join(
                f"{key} = {_text(value)}" for key, value in vars(method).items()
            ),
        }
        for name, method in STAINS.items()
    ]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "fitted" if value is None else "as published" if value == VISIUM else str(value)


def _stored(path: Path) -> np.ndarray | None:
    """Open stored tiles; a damaged file is reported and removed."""
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        message = "the stained tiles in %s are damaged (%s); they are computed again"
        log.warning(message, path, error)
        path.unlink(missing_ok=True)
        return None


def _write(path: Path, section: Section, changed: Callable[[slice], np.ndarray]) -> None:
    shape = section.stored_tiles.shape
    with atomic_file(path) as aside:
        out = np.lib.format.open_memmap(aside, mode="w+", dtype=np.uint8, shape=shape)
        for start in range(0, len(section), TILES):
            out[start : start + TILES] = changed(slice(start, start + TILES))
        out.flush()
