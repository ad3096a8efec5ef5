"""A cohort of the user's own: its facts in cohort.yaml, and one folder per section.

A folder is a Space Ranger output, an AnnData file with an image, or an image with tables of counts
and spots.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from compendium.data.download.checksums import blob_id
from compendium.data.readers import anndata_file, slides, tables, visium
from compendium.data.section import ARRAYS, NO_LABEL, Section
from compendium.data.sources import Cohort, SectionSource, as_cohort, published
from compendium.errors import BadInput
from compendium.storage import atomic_file, home

COHORT = "cohort.yaml"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # becomes the name of a folder, as that of a section
COUNTS = ("counts.h5ad", "counts.csv", "counts.csv.gz", "counts.tsv", "counts.tsv.gz")
SPOTS = ("spots.csv", "spots.tsv")
COLUMNS = ("spot", "x", "y", "pixel_x", "pixel_y")
SCALE = ("um_per_px", "pitch_um")
NO_SCALE = f"give um_per_px, or pitch_um from one array position to the next, in {COHORT}"

SectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Line = Annotated[
    str,
    BeforeValidator(lambda value: " ".join(value.split()) if isinstance(value, str) else value),
    StringConstraints(min_length=1),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Facts(BaseModel):
    """What cohort.yaml may state of all sections, or of one."""

    model_config = ConfigDict(extra="forbid")
    lab: Line = ""
    technology: Line = ""
    array: Literal["", "square", "hexagonal"] = ""
    spot_um: Positive = 0.0
    um_per_px: Positive = 0.0
    pitch_um: Positive = 0.0
    label_column: Line = "label"

    @model_validator(mode="after")
    def _one_scale(self) -> "Facts":
        if self.um_per_px and self.pitch_um:
            line = "states both um_per_px and pitch_um: keep the one that was measured"
            raise PydanticCustomError("both", line)
        return self


class SectionFacts(Facts):
    """What cohort.yaml states of one section."""

    patient: Line


class CohortFacts(Facts):
    """What cohort.yaml states of the cohort; title, technology and sections it must."""

    title: Line
    technology: Line
    licence: Line = "not stated"
    attribution: Line = ""
    classes: list[Line] = []
    sections: Annotated[dict[SectionName, SectionFacts], Field(min_length=1)]


def facts(name: str, folder: Path) -> Cohort:
    """Read the facts of a cohort of the user's own from folder/cohort.yaml.

    Raises
    ------
    BadInput
        Where the file is missing or no YAML; otherwise with all its mistakes in one line.
    """
    path = folder / COHORT
    if not path.is_file():
        raise BadInput(
            f"unknown cohort: {name}; known: {', '.join(sorted(published()))}, and any of your own "
            f"that has its facts in {path}; correct the name or write that file"
        )
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a cohort; give small letters, digits, - and _, e.g. my-slides"
        )
    try:
        stated = CohortFacts.model_validate(_parsed(path))
    except ValidationError as error:
        lines = "; ".join(_mistake(each) for each in error.errors())
        raise BadInput(f"{path} {lines}; correct it") from error
    sections = {
        section: _source(stated, own, folder / section) for section, own in stated.sections.items()
    }
    return as_cohort(
        name,
        {
            "title": stated.title,
            "technology": stated.technology,
            "lab": stated.lab or "not stated",
            "licence": stated.licence,
            "attribution": stated.attribution or f"H&E image: {stated.title}, not published",
            "classes": stated.classes,
            "sections": sections,
        },
    )


def _source(cohort: CohortFacts, own: SectionFacts, folder: Path) -> dict[str, Any]:
    """Return the facts of one section: its own, else the cohort's, else those of its files."""
    output = visium.is_output(folder)
    if output and own.array == "square":
        raise BadInput(
            f"{folder} is a Space Ranger output, whose array is hexagonal; correct array"
        )
    array = own.array or ("hexagonal" if output else cohort.array or "square")
    like_the_cohort = array == (cohort.array or "square")
    scale = own if own.um_per_px or own.pitch_um else cohort
    return {word: getattr(own, word) for word in ("lab", "technology") if getattr(own, word)} | {
        "patient": own.patient,
        "array": array,
        "spot_um": own.spot_um or (cohort.spot_um if like_the_cohort else 0.0),
        "label_column": (own if "label_column" in own.model_fields_set else cohort).label_column,
        **{word: getattr(scale, word) for word in SCALE},
    }


def _mistake(error: ErrorDetails) -> str:
    """Say one mistake of cohort.yaml."""
    *above, word = error["loc"] or ("",)
    where = f"section {above[1]} " if len(above) > 1 and above[0] == "sections" else ""
    kind, given = error["type"], error["input"]
    if kind == "both":
        return (f"section {word} " if above else "") + error["msg"]
    if word == "[key]":
        return f"{given!r} cannot name a section, a folder: give letters, digits, -, _ and ."
    if word == "sections" and not above:
        return "lists no sections: name each with its patient, e.g. sections: {S1: {patient: A}}"
    if kind == "model_type":
        needed = "patient" if above else "title, technology, sections"
        return (f"section {word} " if above else "") + f"must state {needed}"
    if kind == "missing":
        return f"{where}does not state {word}"
    if kind == "extra_forbidden":
        known = (SectionFacts if where else CohortFacts).model_fields
        return f"{where}states the unknown {word} (known: {', '.join(known)})"
    if "classes" in error["loc"]:
        return "states no list of words as classes: write e.g. classes: [tumour, stroma]"
    if kind == "too_short" or kind.startswith("string"):
        return f"{where}states no text as {word}"
    must = " or ".join(ARRAYS) if word == "array" else "a number above 0 in micrometres"
    return f"{where}states {given!r} as {word}, which must be {must}"


def _parsed(path: Path) -> object:
    """Read the file with every value as the text that stands there: a patient 010 stays 010."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML ({tables.one_line(error)}); correct it") from error


class _Loader(yaml.BaseLoader):
    """Builds texts, lists and mappings only; a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        if twice := [str(key) for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(
                problem=f"{twice[0]} stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def save_facts(cohort: Cohort) -> None:
    """Write the facts to where the catalogue finds them."""
    entry = _stated(asdict(cohort)) | {
        "sections": {section.name: _stated(asdict(section)) for section in cohort.sections.values()}
    }
    with atomic_file(home() / "sections" / cohort.name / COHORT) as aside:
        text = yaml.safe_dump(entry, allow_unicode=True, sort_keys=False)
        aside.write_text(text, encoding="utf-8")


def _stated(facts: dict) -> dict:
    return {key: value for key, value in facts.items() if value and key not in ("name", "cohort")}


def read(root: Path, cohort: Cohort, name: str, px: int) -> Section:
    """Read one section from its folder under `root`; without an image it is counts-only.

    Parameters
    ----------
    px
        Side of the stored patches in px of the image.

    Raises
    ------
    BadInput
        Where a file is missing, damaged or does not fit the others.
    """
    folder, source = root / name, cohort.section(name)
    if not folder.is_dir():
        raise BadInput(
            f"{source.where}: there is no folder {folder}; put the section's files there, "
            f"or take the section out of {COHORT}"
        )
    if visium.is_output(folder):
        return visium.read(folder, source, px)
    image = visium.find_image(folder.iterdir(), source.where)
    annotated = [] if any((folder / each).exists() for each in SPOTS) else [*folder.glob("*.h5ad")]
    if path := tables.at_most_one(annotated, source.where):
        section = anndata_file.read(path, image, source, px)
    else:
        section = _from_tables(folder, image, source, px)
    if section.labels is not None:
        _check_labels(section.labels, cohort.classes, source.where)
    return section


def _from_tables(folder: Path, image: Path | None, source: SectionSource, px: int) -> Section:
    where = source.where
    files = [_file(folder, COUNTS, where), _file(folder, SPOTS, where)]
    spots, genes, counts = read_counts(files[0], where)
    table = tables.read_table(files[1], COLUMNS, where).set_index("spot")
    table = tables.in_order(table, spots, files[1], where)
    tables.check_numbers(table[[*COLUMNS[1:]]], files[1], where)
    grid = tables.array_positions(table[["x", "y"]], files[1], where)
    pixels = table[["pixel_x", "pixel_y"]].to_numpy(np.float32)
    tables.check_array(source.array, pixels, where)
    fields = {}
    if image:
        fields = slides.section_fields(slides.read_slide(image), pixels, px, where)
        files.append(image)
    return Section(
        **source.section_facts(),
        genes=genes,
        spots=spots,
        grid=grid,
        pixels=pixels,
        um_per_px=_um_per_px(source, grid, pixels, where),
        counts=counts,
        labels=labels_of(table["label"]) if "label" in table else None,
        sources={path.name: blob_id(path) for path in files},
        **fields,
    )


def labels_of(stated: pd.Series) -> np.ndarray:
    """Return the class of each spot, "" where none is stated."""
    return tables.text(stated.str.strip())


def _check_labels(labels: np.ndarray, classes: Sequence[str], where: str) -> None:
    if classes and (unknown := sorted({*labels} - {*classes, NO_LABEL})):
        raise BadInput(
            f"{where}: label {str(unknown[0])!r} is none of {', '.join(classes)}; "
            f"correct the table, or classes in {COHORT}"
        )


def _file(folder: Path, names: tuple[str, ...], where: str) -> Path:
    """Return the one file of the folder that has one of the names."""
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) != 1:
        there = " and ".join(path.name for path in found) or "none of them"
        raise BadInput(
            f"{where}: {folder} must hold one of {', '.join(names)} and has {there}; "
            "a Space Ranger output is known by its folder spatial/"
        )
    return found[0]


def read_counts(path: Path, where: str) -> tables.Counts:
    """Read spot ids, gene names and counts [spot gene] of a table, or of an AnnData file."""
    if path.suffix != ".h5ad":
        return tables.read_counts(path, where)
    adata = tables.open_annotated(anndata_file.open_h5ad, path, where)
    return tables.annotated_counts(adata, f"{where}: {path.name}")


def check_stated(opened: Section, source: SectionSource) -> None:
    """Refuse a prepared section of which other facts are stated now."""
    stated_fields = ("patient", "lab", "technology", "array", "spot_um")
    stated = source.section_facts() | {"um_per_px": _stated_scale(opened, source)}
    # Of the scale the last digits are those of the machine that measured.
    was = {word: getattr(opened, word) for word in stated_fields} | {
        "um_per_px": f"{opened.um_per_px:.6g}"
    }
    now = {word: stated[word] for word in stated_fields} | {
        "um_per_px": f"{stated['um_per_px']:.6g}"
    }
    for word in was:
        if was[word] != now[word]:
            raise BadInput(
                f"{opened.where} was prepared as of {word} {was[word]}, and is now stated to be of "
                f"{now[word]}; prepare it again"
            )


def _stated_scale(opened: Section, source: SectionSource) -> float:
    """Return µm per px as stated now; of a Space Ranger output no scale is looked at."""
    output = any(path.endswith(visium.POSITIONS) for path in opened.sources)
    if output or not (source.um_per_px or source.pitch_um and source.array == "square"):
        return opened.um_per_px
    return _um_per_px(source, opened.grid, opened.pixels, opened.where)


def _um_per_px(source: SectionSource, grid: np.ndarray, pixels: np.ndarray, where: str) -> float:
    """Return µm per px as stated, or measured where the pitch of a square array is stated."""
    if source.um_per_px:
        tables.check_upright(grid, pixels, where)
        return source.um_per_px
    if source.pitch_um:
        return tables.um_per_px(source.pitch_um, grid, pixels, where)
    raise BadInput(f"{where}: the scale of its image is not stated; {NO_SCALE}")
