"""The catalogue of cohorts: whose each file is, where it can be had, and what it must be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from compendium.data.section import array_facts
from compendium.errors import BadInput, did_you_mean, refusing
from compendium.storage import home, resource
from compendium.texts import read_yaml

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class SectionSource:
    """One section in the catalogue.

    Parameters
    ----------
    cohort
        The cohort that the section is of, also where that is joined to others.
    name, patient, lab, technology
        As in a Section.
    files
        Path inside the cohort's folder -> checksum (see download/checksums.py), or None where
        none is published.
    address, url
        Page of the data; address of a file, with {path} in it.
    by_hand
        Path -> page of a file without an address of its own, which a person takes from there.
    um_per_px, pitch_um
        The scale as a cohort of the user's own states it, in µm; 0 where the reader knows or
        measures it. pitch_um is the distance of two places of a square array.
    array, spot_um
        "square" or "hexagonal"; diameter of a spot in µm, 0 for that of the usual array.
    label_column
        Column of `obs` that has the tissue classes, in a section from AnnData.
    """

    cohort: str
    name: str
    patient: str
    lab: str = ""
    technology: str = ""
    files: dict[str, str | None] = field(default_factory=dict)
    address: str = ""
    url: str = ""
    by_hand: dict[str, str] = field(default_factory=dict)
    um_per_px: float = 0.0
    pitch_um: float = 0.0
    array: str = "square"
    spot_um: float = 0.0
    label_column: str = "label"

    @property
    def where(self) -> str:
        """The section as messages name it."""
        return f"{self.cohort} section {self.name}"

    def section_facts(self) -> dict[str, Any]:
        """Return the fields of a Section that its source states."""
        names = ("cohort", "name", "patient", "lab", "technology")
        facts = {key: getattr(self, key) for key in names} | array_facts(self.array)
        if self.spot_um:
            facts["spot_um"] = self.spot_um
        if self.pitch_um and self.array == "square":
            facts["spot_pitch_um"] = self.pitch_um
        return facts


@dataclass(frozen=True)
class Cohort:
    """One cohort in the catalogue.

    Parameters
    ----------
    name, title, technology, address, url, licence
        As printed on the pages.
    attribution
        The line under every thumbnail.
    citation
        Key in book/references.bib, "" where there is none.
    shared_genes
        Name of the gene list over which library size is counted, or "" for the genes that the
        sections at hand share.
    generator
        Module that makes the sections, "" for measured data.
    sections, files
        The sections by name; the files of no section.
    classes
        What a label of a cohort of the user's own may be, [] for anything; of a published cohort
        class -> labels as published.
    """

    name: str
    title: str
    technology: str
    licence: str
    attribution: str
    sections: dict[str, SectionSource]
    files: dict[str, str | None] = field(default_factory=dict)
    address: str = ""
    url: str = ""
    citation: str = ""
    shared_genes: str = ""
    generator: str = ""
    classes: list[str] | dict[str, list[str]] = field(default_factory=list)

    def section(self, name: str) -> SectionSource:
        """Return the named section; BadInput where there is none."""
        return _known(name, self.sections, f"section of {self.name}")

    def catalogued(self, names: Sequence[str] | None = None) -> dict[str, str | None]:
        """Return path -> checksum of the named sections' files; by default of all files."""
        files = {}
        for section in self._chosen(names):
            files |= section.files | dict.fromkeys(section.by_hand)
        return files if names else files | self.files

    def urls(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Return path -> address of each of these files that has one."""
        templates = {path: s.url for s in self._chosen(names) for path in s.files}
        templates |= {} if names else dict.fromkeys(self.files, self.url)
        return {path: url.format(path=path) for path, url in templates.items() if url}

    def by_hand(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Return path -> page of each of these files that a person has to take from there."""
        return {path: page for s in self._chosen(names) for path, page in s.by_hand.items()}

    def _chosen(self, names: Sequence[str] | None) -> list[SectionSource]:
        return [self.section(name) for name in names] if names else list(self.sections.values())


@cache
def published() -> dict[str, Cohort]:
    """Return every cohort of data/sources.yaml by name."""
    listed = read_yaml(resource("sources.yaml"))
    return {name: as_cohort(name, facts) for name, facts in listed.items()}


def catalogue() -> dict[str, Cohort]:
    """Return every cohort by name: the published ones and those of the user's own.

    The latter are known once they were prepared on this machine; a published name is not theirs.
    """
    prepared = sorted((home() / "sections").glob("*/cohort.yaml"))
    return {path.parent.name: _prepared(path) for path in prepared} | published()


def _prepared(path: Path) -> Cohort:
    """Return the facts of a cohort of the user's own, as its preparation wrote them."""
    name = path.parent.name
    kinds = (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError)
    mend = f"delete it and run compendium prepare {name} --from FOLDER again"
    with refusing(kinds, f"{path} is damaged", mend):
        return as_cohort(name, yaml.safe_load(path.read_text(encoding="utf-8")))


def cohort(name: str) -> Cohort:
    """Return the named cohort; for several joined by + (`wu+tenx`) one with the sections of all."""
    known = published()
    if "+" in name:
        return _joined(name, [cohort(part) for part in name.split("+")])
    return known[name] if name in known else _known(name, catalogue(), "cohort")


def _joined(name: str, parts: Sequence[Cohort]) -> Cohort:
    """Join cohorts: printed facts are those of each, genes those that their sections share."""
    sections: dict[str, SectionSource] = {}
    for part in parts:
        if twice := [section for section in part.sections if section in sections]:
            both = f"{sections[twice[0]].cohort} and {part.name} both have a section {twice[0]}"
            raise BadInput(f"cohorts {name} cannot be joined: {both}; name other cohorts")
        sections |= part.sections
    printed = {
        key: "; ".join(dict.fromkeys(getattr(part, key).rstrip(".") for part in parts))
        for key in ("title", "technology", "licence", "attribution")
    }
    generator = next((part.generator for part in parts if part.generator), "")
    return Cohort(name=name, generator=generator, sections=sections, **printed)


def single(name: str) -> Cohort:
    """Return the named cohort; BadInput where the name joins several."""
    if "+" in name:
        parts = name.split("+")
        one_by_one = f"fetch and prepare them one by one: {', '.join(parts)}"
        raise BadInput(f"{name} names {len(parts)} cohorts; {one_by_one}")
    return cohort(name)


def raw_folder(name: str) -> Path:
    """Return where the raw files of a cohort lie once fetched."""
    return home() / "raw" / single(name).name


INHERITED = ("lab", "technology", "address", "url", "array")  # of a cohort, by its sections


def as_cohort(name: str, facts: dict) -> Cohort:
    """Return the cohort of one entry of sources.yaml, or of a cohort.yaml in its form."""
    inherited = {"cohort": name} | {key: facts[key] for key in INHERITED if key in facts}
    sections = {
        section: SectionSource(**(inherited | own | {"name": section}))
        for section, own in facts["sections"].items()
    }
    own = {key: value for key, value in facts.items() if key not in ("lab", "array")}
    return Cohort(**(own | {"name": name, "sections": sections}))


def _known(name: str, known: dict[str, Entry], what: str) -> Entry:
    """Return the named entry; BadInput lists the nearest names or else all."""
    if name not in known:
        hint = did_you_mean(str(name), known)
        raise BadInput(f"unknown {what}: {name}; {hint}known: {', '.join(sorted(known))}")
    return known[name]
