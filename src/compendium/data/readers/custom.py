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
import pydantic
import yaml
from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import ErrorDetails, PydanticCustomError

from compendium.data.download.checksums import blob_id
from compendium.data.readers import anndata_file, slides, tables, visium
from compendium.data.section import ARRAYS, NO_LABEL, SPACE_RANGER, Section
from compendium.data.sources import Cohort, SectionSource, as_cohort, published
from compendium.errors import BadInput
from compendium.storage import atomic_file, home
from compendium.texts import read_yaml

COHORT = "cohort.yaml"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # becomes the name of a folder, as that of a section
COUNTS = ("counts.h5ad", "counts.csv", "counts.csv.gz", "counts.tsv", "counts.tsv.gz")
SPOTS = ("spots.csv", "spots.tsv")
COLUMNS = ("spot", "x", "y", "pixel_x", "pixel_y")

SectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Line = Annotated[
    str,
    BeforeValidator(lambda value: " ".join(value.split()) if isinstance(value, str) else value),
    StringConstraints(min_length=1),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Facts(pydantic.BaseModel, extra="forbid"):
    """What cohort.yaml may state of all sections, or of one."""

    lab: Line = ""
    technology: Line = ""
    array: Literal["", "square", "hexagonal"] = ""
    spot_um: Positive = 0.0
    um_per_px: Positive = 0.0
    pitch_um: Positive = 0.0
    label_column: Line = "label"

    @pydantic.model_validator(mode="after")
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
        known = f"{', '.join(sorted(published()))}, and any of your own with its facts in {path}"
        raise BadInput(f"unknown cohort: {name}; known: {known}; correct the name or write it")
    if not NAME.fullmatch(name):
        mend = "give small letters, digits, - and _, e.g. my-slides"
        raise BadInput(f"{name!r} cannot name a cohort; {mend}")
    written = read_yaml(path, only_texts=True)  # a patient 010 stays 010
    try:
        stated = CohortFacts.model_validate(written)
    except pydantic.ValidationError as error:
        raise BadInput(f"{path} {'; '.join(map(_mistake, error.errors()))}; correct it") from error
    sections = {
        section: _source(stated, own, folder / section) for section, own in stated.sections.items()
    }
    entry = {
        "title": stated.title,
        "technology": stated.technology,
        "licence": stated.licence,
        "classes": stated.classes,
        "attribution": stated.attribution or f"H&E image: {stated.title}, not published",
        "sections": sections,
    }
    return as_cohort(name, entry)


def _source(cohort: CohortFacts, own: SectionFacts, folder: Path) -> dict[str, Any]:
    """Return the facts of one section: its own, else the cohort's, else those of its files."""
    output = visium.is_output(folder)
    if output and own.array == "square":
        raise BadInput(f"{folder} is a Space Ranger output, which is hexagonal; correct array")
    array = own.array or ("hexagonal" if output else cohort.array or "square")
    like_the_cohort = array == (cohort.array or "square")
    scale = own if own.um_per_px or own.pitch_um else cohort
    return {
        "patient": own.patient,
        "lab": own.lab or cohort.lab or "not stated",
        "technology": own.technology or cohort.technology,
        "array": array,
        "spot_um": own.spot_um or (cohort.spot_um if like_the_cohort else 0.0),
        "label_column": (own if "label_column" in own.model_fields_set else cohort).label_column,
        "um_per_px": scale.um_per_px,
        "pitch_um": scale.pitch_um,
    }


def _mistake(error: ErrorDetails) -> str:
    """Say one mistake of cohort.yaml."""
    at, kind, given = error["loc"], error["type"], error["input"]
    section = at[1] if len(at) > 1 and at[0] == "sections" else ""
    where = f"section {section} " if section else ""
    key = next(iter(at[2:] if section else at), "")
    if kind == "extra_forbidden":
        known = (SectionFacts if section else CohortFacts).model_fields
        return f"{where}states the unknown key {key} (known: {', '.join(known)})"
    if key == "[key]":
        return f"{given!r} cannot name a section, a folder: give letters, digits, -, _ and ."
    if key == "sections":
        return "lists no sections: name each with its patient, e.g. sections: {S1: {patient: A}}"
    if key == "classes":
        return "states no list of words as classes: write e.g. classes: [tumour, stroma]"
    if kind == "both":
        return where + error["msg"]
    if kind == "model_type":
        return f"{where}must state {'patient' if section else 'title, technology, sections'}"
    if kind == "missing":
        return f"{where}does not state {key}"
    if kind == "too_short" or kind.startswith("string"):
        return f"{where}states no text as {key}"
    must = " or ".join(ARRAYS) if key == "array" else "a number above 0 in micrometres"
    return f"{where}states {given!r} as {key}, which must be {must}"


def save_facts(cohort: Cohort) -> None:
    """Write the facts to where the catalogue finds them."""
    entry = _stated(asdict(cohort))
    entry["sections"] = {name: _stated(own) for name, own in entry["sections"].items()}
    with atomic_file(home() / "sections" / cohort.name / COHORT) as aside:
        aside.write_text(yaml.safe_dump(entry, allow_unicode=True, sort_keys=False), "utf-8")


def _stated(facts: dict) -> dict:
    return {key: value for key, value in facts.items() if value and key not in ("name", "cohort")}


def read(root: Path, cohort: Cohort, name: str, px: int) -> Section:
    """Read one section from its folder under `root`; without an image it is counts-only.

    Parameters
    ----------
    px
        Side of the stored tiles in px of the image.

    Raises
    ------
    BadInput
        Where a file is missing, damaged or does not fit the others.
    """
    folder, source = root / name, cohort.section(name)
    if not folder.is_dir():
        mend = f"put the section's files there, or take the section out of {COHORT}"
        raise BadInput(f"there is no folder {folder}; {mend}")
    if visium.is_output(folder):
        return visium.read(folder, source, px)
    image = visium.find_image(folder.iterdir())
    annotated = [] if any((folder / each).exists() for each in SPOTS) else [*folder.glob("*.h5ad")]
    if path := tables.at_most_one(annotated):
        section = anndata_file.read(path, image, source, px)
    else:
        section = _from_tables(folder, image, source, px)
    _check_labels(section, cohort.classes)
    return section


def _from_tables(folder: Path, image: Path | None, source: SectionSource, px: int) -> Section:
    counts_file, spots_file = _file(folder, COUNTS), _file(folder, SPOTS)
    spots, genes, counts = tables.read_counts(counts_file)
    table = tables.read_table(spots_file, COLUMNS).set_index("spot")
    table = tables.in_order(table, spots, spots_file)
    tables.check_numbers(table[[*COLUMNS[1:]]], spots_file)
    grid = tables.array_positions(table[["x", "y"]], spots_file)
    pixels = table[["pixel_x", "pixel_y"]].to_numpy(np.float32)
    tables.check_array(source.array, pixels)
    fields = slides.section_fields(slides.read_slide(image), pixels, px) if image else {}
    files = [counts_file, spots_file, *([image] if image else [])]
    measured = {"genes": genes, "spots": spots, "counts": counts, "grid": grid, "pixels": pixels}
    return Section(
        **source.section_facts(),
        **measured,
        um_per_px=tables.um_per_px(source.um_per_px, source.pitch_um, grid, pixels),
        labels=tables.text(table["label"].str.strip()) if "label" in table else None,
        sources={path.name: blob_id(path) for path in files},
        **fields,
    )


def _check_labels(section: Section, classes: Sequence[str]) -> None:
    labels = () if section.labels is None else section.labels
    if classes and (unknown := sorted({*labels} - {*classes, NO_LABEL})):
        mend = f"correct the table, or classes in {COHORT}"
        raise BadInput(f"label {str(unknown[0])!r} is none of {', '.join(classes)}; {mend}")


def _file(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the one file of the folder that has one of the names."""
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) != 1:
        there = " and ".join(path.name for path in found) or "none of them"
        mend = "a Space Ranger output is known by its folder spatial/"
        raise BadInput(f"{folder} must hold one of {', '.join(names)} and has {there}; {mend}")
    return found[0]


def check_stated(opened: Section, source: SectionSource) -> None:
    """Refuse a prepared section of which other facts are stated now."""
    stated = source.section_facts() | {"um_per_px": _stated_scale(opened, source)}
    for key in ("patient", "lab", "technology", "array", "spot_um", "um_per_px"):
        # Of the scale the last digits are those of the machine that measured.
        both = (getattr(opened, key), stated[key])
        was, now = (f"{value:.6g}" if isinstance(value, int | float) else value for value in both)
        if was != now:
            wrong = f"was prepared as of {key} {was}, and is now stated to be of {now}"
            raise BadInput(f"{opened.where} {wrong}; prepare it again")


def _stated_scale(opened: Section, source: SectionSource) -> float:
    """Return µm per px as stated now; of a Space Ranger output no scale is looked at."""
    output = any(path.endswith(SPACE_RANGER) for path in opened.sources)
    if output or not (source.um_per_px or source.pitch_um and source.array == "square"):
        return opened.um_per_px
    return tables.um_per_px(source.um_per_px, source.pitch_um, opened.grid, opened.pixels)
