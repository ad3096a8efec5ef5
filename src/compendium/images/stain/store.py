"""Words for stains: what each makes of a section's tiles, computed once and kept."""

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
from compendium.images.stain.macenko import Macenko
from compendium.images.stain.reinhard import Colours, Reinhard
from compendium.images.stain.stain_pair import StainPair
from compendium.images.stain.vahadane import Vahadane
from compendium.storage import alone, atomic_file, home

AS_IT_IS = "none"
# Every slide in the stains of the first training section: `of` measures a slide, on its thumbnail, `mapped` takes tiles from one slide's look to another's.
NORMALISERS = {"reinhard": Reinhard(), "macenko": Macenko(), "vahadane": Vahadane()}
# Training tiles in stains drawn at random: `fitted` measures the training sections, `drawn` changes one tile. One draw a tile, made before training, as the
# benchmark did; its training script then showed the tiles as they were.
AUGMENTERS = {
    "hed-lighter": HED(0.03),
    "hed-light": HED(0.1),
    "hed-strong": HED(1.0),
    "randstainna": RandStainNA(),
    "randstainna-laplace": RandStainNA("laplace"),
    "randstainna-visium": RandStainNA(spread=VISIUM),
}
STAINS = NORMALISERS | AUGMENTERS
TILES = 16  # changed at once
log = logging.getLogger(__name__)


def restained(section: Section, train: Sequence[Section], word: str) -> Section:
    """The section with its patches in other stains, which rest on its own look and that of training sections; computed once, then memory-mapped."""
    if section.patches is None:
        raise BadInput(
            f"{section.cohort} section {section.name} has no image, and stain={word} changes images: fetch its image and prepare it again, or give stain={AS_IT_IS}"
        )
    rests_on = train[:1] if word in NORMALISERS else train if AUGMENTERS[word].measures else ()
    facts = (
        f"{word} {section.digest} by {' '.join(each.digest for each in rests_on)} {versions.STAIN}"
    )
    digest = hashlib.sha256(facts.encode()).hexdigest()
    path = home() / "stained" / word / f"{section.cohort}-{section.name}-{digest[:16]}.npy"
    if (patches := _stored(path)) is None:
        with alone(path):
            if (patches := _stored(path)) is None:  # nobody else has made it meanwhile
                _write(path, section, changes(section, train, word))
                patches = np.load(path, mmap_mode="r")
    return dataclasses.replace(section, patches=patches, digest=digest)


def changes(
    section: Section, train: Sequence[Section], word: str
) -> Callable[[slice], UInt8[np.ndarray, "spot px px 3"]]:
    """What gives rows of the section's patches in other stains. A draw follows from the section, the word and the spot, whichever rows are asked for."""
    if method := NORMALISERS.get(word):
        own, template = look(section, word), look(train[0], word)
        return lambda rows: method.mapped(np.asarray(section.patches[rows]), own, template)
    drawing = fitted(train, word)
    return lambda rows: np.stack(
        [
            drawing.drawn(tile, _rng(section, word, spot))
            for tile, spot in zip(section.patches[rows], section.spots[rows], strict=True)
        ]
    )


def _rng(section: Section, word: str, spot: str) -> np.random.Generator:
    return np.random.default_rng(
        int.from_bytes(hashlib.sha256(f"{section.digest} {word} {spot}".encode()).digest())
    )


def look(section: Section, word: str) -> StainPair | Colours:
    """What a slide's stains look like to a normaliser, on its thumbnail."""
    thumbnail = section.slide()
    try:
        return NORMALISERS[word].of(thumbnail)
    except BadInput as error:
        raise BadInput(
            f"stain={word} cannot be measured on the image of {section.cohort} section {section.name}: {error}; leave the section out, or give stain={AS_IT_IS}"
        ) from error


def fitted(train: Sequence[Section], word: str) -> HED | RandStainNA:
    """An augmenter that has seen the training sections."""
    try:
        return AUGMENTERS[word].fitted(train)
    except BadInput as error:
        names = ", ".join(section.name for section in train)
        raise BadInput(
            f"stain={word} cannot be fitted on {train[0].cohort} training sections {names}: {error}; train on others, or give stain={AS_IT_IS}"
        ) from error


def table() -> list[dict[str, str]]:
    """A row for each word: the method, which tiles it changes, and the values of its fields."""
    return [
        {
            "stain": word,
            "method": type(method).__name__,
            "changes": "every section" if word in NORMALISERS else "training tiles, one draw each",
            "parameters": ", ".join(
                f"{each.name} = {_told(getattr(method, each.name))}"
                for each in dataclasses.fields(method)
            ),
        }
        for word, method in STAINS.items()
    ]


def _told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "fitted" if value is None else "as published" if value == VISIUM else str(value)


def _stored(path: Path) -> np.ndarray | None:
    """Changed patches as they lie there; what is damaged is reported and goes."""
    try:
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        log.warning(
            "the stained patches in %s are damaged (%s); they are computed again", path, error
        )
        path.unlink(missing_ok=True)
        return None


def _write(path: Path, section: Section, changed: Callable[[slice], np.ndarray]) -> None:
    with atomic_file(path) as aside:
        out = np.lib.format.open_memmap(
            aside, mode="w+", dtype=np.uint8, shape=section.patches.shape
        )
        for start in range(0, len(section), TILES):
            out[start : start + TILES] = changed(slice(start, start + TILES))
        out.flush()
