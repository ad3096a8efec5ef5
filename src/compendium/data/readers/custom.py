"""A cohort of the user's own: its facts in cohort.yaml, and one folder a section, a Space Ranger output or an image with tables of counts and spots."""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import yaml

from compendium.data.download.checksums import blob_id
from compendium.data.readers import slides, tables, visium
from compendium.data.section import NO_LABEL, Section
from compendium.data.sources import Cohort, SectionSource, as_cohort, published
from compendium.errors import BadInput
from compendium.storage import atomic_file, home

if TYPE_CHECKING:
    from anndata import AnnData

COHORT = "cohort.yaml"
NAME, SECTION_NAME = (
    re.compile(r"[a-z0-9][a-z0-9_-]*"),
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*"),
)  # both become names of folders
SCALE = ("um_per_px", "pitch_um")
WORDS = ("title", "technology", "lab", "licence", "attribution", *SCALE, "classes", "sections")
SECTION_WORDS = ("patient", "lab", "technology", *SCALE)
COUNTS = ("counts.h5ad", "counts.csv", "counts.csv.gz", "counts.tsv", "counts.tsv.gz")
SPOTS = ("spots.csv", "spots.tsv")
COLUMNS = ("spot", "x", "y", "pixel_x", "pixel_y")


def facts(name: str, folder: Path) -> Cohort:
    """The facts of a cohort of the user's own, called `name`, as folder/cohort.yaml states them; what it may leave out has a default."""
    path = folder / COHORT
    if not path.is_file():
        raise BadInput(
            f"unknown cohort: {name}; known: {', '.join(sorted(published()))}, and any of your own that has its facts in {path}; correct the name or write that file"
        )
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a cohort; give small letters, digits, - and _, e.g. my-slides"
        )
    stated = _words(_parsed(path), WORDS, ("title", "technology"), str(path))
    scale, listed, classes = (
        _scale(stated, str(path)),
        stated.pop("sections", None),
        stated.pop("classes", []),
    )
    if not isinstance(listed, dict) or not listed:
        raise BadInput(
            f"{path} lists no sections; name each with its patient, e.g. sections: {{S1: {{patient: A}}}}"
        )
    if not isinstance(classes, list) or not all(
        isinstance(word, str) and word.strip() for word in classes
    ):
        raise BadInput(
            f"{path} states no list of words as classes; write e.g. classes: [tumour, stroma], or leave the word out"
        )
    defaults = {
        "lab": "not stated",
        "licence": "not stated",
        "attribution": f"H&E image: {stated['title']}, not published",
    }
    return as_cohort(
        name,
        defaults
        | stated
        | {
            "classes": classes,
            "sections": {
                section: _section(section, words, scale, path) for section, words in listed.items()
            },
        },
    )


def _parsed(path: Path) -> object:
    """The file with every value as the text that stands there: a patient 010 or NO stays what it is."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} is not YAML ({' '.join(str(error).split())}); correct it"
        ) from error


class _Loader(yaml.BaseLoader):
    """Builds texts, lists and mappings only; a word that stands twice is an error, where YAML's own loaders keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        words = [key.value for key, _ in node.value]
        if twice := [str(word) for word in words if words.count(word) > 1]:
            raise yaml.constructor.ConstructorError(
                problem=f"{twice[0]} stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def _words(stated: object, known: Sequence[str], needed: Sequence[str], where: str) -> dict:
    """A mapping that holds known words only, and each that is needed; texts are put on one line, without spaces around them."""
    if not isinstance(stated, dict):
        raise BadInput(f"{where} must state {', '.join(needed)}, each as a line word: value")
    for word, value in stated.items():
        if word not in known:
            raise BadInput(f"{where} states the unknown {word}; known: {', '.join(known)}")
        if word not in ("classes", "sections") and (
            not isinstance(value, str) or not value.strip()
        ):
            raise BadInput(
                f"{where} states no text as {word}; write one line, or leave the word out where it may be"
            )
    for word in needed:
        if word not in stated:
            raise BadInput(f"{where} does not state {word}; add a line {word}: …")
    return {
        word: " ".join(value.split()) if isinstance(value, str) else value
        for word, value in stated.items()
    }


def _section(name: str, stated: object, scale: dict[str, float], path: Path) -> dict:
    if not SECTION_NAME.fullmatch(name):
        raise BadInput(
            f"{path}: {name!r} cannot name a section, which is a folder; give letters, digits, -, _ and ."
        )
    words = _words(stated, SECTION_WORDS, ("patient",), f"{path}: section {name}")
    return (_scale(words, f"{path}: section {name}") or scale) | words


def _scale(words: dict, where: str) -> dict[str, float]:
    """Takes um_per_px or pitch_um out of the words, as a number."""
    scale = {word: words.pop(word) for word in SCALE if word in words}
    if len(scale) > 1:
        raise BadInput(f"{where} states both {' and '.join(scale)}; keep the one that was measured")
    for word, value in scale.items():
        try:
            scale[word] = float(value)
        except ValueError:
            scale[word] = math.nan
        if not 0 < scale[word] < math.inf:
            raise BadInput(
                f"{where} states {value!r} as {word}; give a number above 0 in micrometres"
            )
    return scale


def keep(cohort: Cohort) -> None:
    """Write the facts to where the catalogue finds them, whatever becomes of the folder that they came from."""
    entry = _stated(asdict(cohort)) | {
        "sections": {section.name: _stated(asdict(section)) for section in cohort.sections.values()}
    }
    with atomic_file(home() / "sections" / cohort.name / COHORT) as aside:
        aside.write_text(
            yaml.safe_dump(entry, allow_unicode=True, sort_keys=False), encoding="utf-8"
        )


def _stated(facts: dict) -> dict:
    return {
        word: value for word, value in facts.items() if value and word not in ("name", "cohort")
    }


def read(root: Path, cohort: Cohort, name: str, px: int) -> Section:
    """One section from its folder under `root`; without an image it is counts-only. `px`: side of the stored patches in pixels of the image."""
    folder, source, where = root / name, cohort.section(name), f"{cohort.name} section {name}"
    if not folder.is_dir():
        raise BadInput(
            f"{where}: there is no folder {folder}; put the section's files there, or take the section out of {COHORT}"
        )
    if visium.is_output(folder):
        return visium.read(folder, cohort.name, source, px)
    files = [_file(folder, COUNTS, where), _file(folder, SPOTS, where)]
    spots, genes, counts = read_counts(files[0], where)
    table = tables.in_order(
        tables.read_table(files[1], COLUMNS, where).set_index("spot"), spots, files[1], where
    )
    tables.check_numbers(table[[*COLUMNS[1:]]], files[1], where)
    grid, pixels = (
        tables.array_positions(table[["x", "y"]], files[1], where),
        table[["pixel_x", "pixel_y"]].to_numpy(np.float32),
    )
    image = {}
    if path := visium.find_image(folder.iterdir(), where):
        image = slides.section_fields(slides.read_slide(path), pixels, px, where)
        files.append(path)
    return Section(
        cohort=cohort.name,
        name=name,
        patient=source.patient,
        lab=source.lab,
        technology=source.technology,
        genes=genes,
        spots=spots,
        grid=grid,
        pixels=pixels,
        um_per_px=_um_per_px(source, grid, pixels, where),
        counts=counts,
        labels=_labels(table["label"], cohort.classes, files[1], where)
        if "label" in table
        else None,
        sources={path.name: blob_id(path) for path in files},
        **image,
    )


def _labels(stated: pd.Series, classes: Sequence[str], path: Path, where: str) -> np.ndarray:
    """The class of each spot ("" where none), one of those that the cohort states, if it states any."""
    labels = tables.text(stated.str.strip())
    if classes and (unknown := sorted({*labels} - {*classes, NO_LABEL})):
        raise BadInput(
            f"{where}: label {str(unknown[0])!r} in {path} is none of {', '.join(classes)}; correct the table, or classes in {COHORT}"
        )
    return labels


def _file(folder: Path, names: tuple[str, ...], where: str) -> Path:
    """The one file of the folder that has one of the names."""
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) != 1:
        there = " and ".join(path.name for path in found) or "none of them"
        raise BadInput(
            f"{where}: {folder} must hold one of {', '.join(names)} and has {there}; a Space Ranger output is known by its folder spatial/"
        )
    return found[0]


def read_counts(path: Path, where: str) -> tables.Counts:
    """Spot ids, gene names and counts [spot gene] of a table, or of X of an AnnData file."""
    return (
        tables.from_scverse(_h5ad, path, where)
        if path.suffix == ".h5ad"
        else tables.read_counts(path, where)
    )


def _h5ad(path: Path) -> "AnnData":
    from anndata import read_h5ad

    return read_h5ad(path)


def check_stated(opened: Section, source: SectionSource) -> None:
    """Refuse a prepared section of which other facts are stated now; of a Space Ranger output no scale is looked at."""
    where = f"{opened.cohort} section {opened.name}"
    output = any(path.endswith(visium.POSITIONS) for path in opened.sources)
    scale = opened.um_per_px if output else _um_per_px(source, opened.grid, opened.pixels, where)
    scales = (
        f"{opened.um_per_px:.6g}",
        f"{scale:.6g}",
    )  # of which the last digits are the machine's that measured
    for word, was, now in (
        *(
            (word, getattr(opened, word), getattr(source, word))
            for word in ("patient", "lab", "technology")
        ),
        ("um_per_px", *scales),
    ):
        if was != now:
            raise BadInput(
                f"{where} was prepared as of {word} {was}, and is now stated to be of {now}; prepare it again"
            )


def _um_per_px(source: SectionSource, grid: np.ndarray, pixels: np.ndarray, where: str) -> float:
    """As stated; or measured, where the pitch of a square array is. Swapped positions are refused wherever the spots span the array."""
    if source.um_per_px:
        if np.linalg.matrix_rank(grid - grid[0]) == 2:
            tables.array_steps(grid, pixels, where)
        return source.um_per_px
    if source.pitch_um:
        return tables.um_per_px(source.pitch_um, grid, pixels, where)
    raise BadInput(
        f"{where}: the scale of its image is not stated; give um_per_px, or pitch_um from one array position to the next, in {COHORT}"
    )
