"""The catalogue of cohorts: whose each file is, where it can be had, and what it must be."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml

from compendium.errors import BadInput
from compendium.storage import home, resource

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class SectionSource:
    """One section in the catalogue.

    cohort: the one that it is of, also where that is joined to others.
    files: path inside the cohort's folder -> checksum (see checks.py), or None where none is published; url: address of such a file, with {path} in it.
    by_hand: path -> page of a file that has no address of its own, so that a person has to take it from there.
    um_per_px, or pitch_um (from one array position to the next): the scale as a cohort of the user's own states it; 0 where the reader knows or measures it.
    """

    cohort: str
    name: str
    patient: str
    lab: str
    technology: str
    files: dict[str, str | None]
    address: str = ""
    url: str = ""
    by_hand: dict[str, str] = field(default_factory=dict)
    um_per_px: float = 0.0
    pitch_um: float = 0.0


@dataclass(frozen=True)
class Cohort:
    """One cohort in the catalogue.

    attribution: the line printed under every thumbnail; citation: key in book/references.bib ("" where there is none).
    shared_genes: name of the gene list over which library size is counted, or "" (then what the sections at hand share).
    generator: module of this room that makes the sections, or "" for measured data; files: those of no section; classes: what a cohort of the user's own lets
    a label be, [] for anything.
    """

    name: str
    title: str
    technology: str
    address: str
    licence: str
    attribution: str
    citation: str
    shared_genes: str
    generator: str
    sections: dict[str, SectionSource]
    files: dict[str, str | None]
    url: str = ""
    classes: list[str] = field(default_factory=list)

    def section(self, name: str) -> SectionSource:
        """The named section."""
        return _known(name, self.sections, f"section of {self.name}")

    def catalogued(self, names: Sequence[str] | None = None) -> dict[str, str | None]:
        """Path -> checksum of the named sections' files; without names, of all sections and of the cohort itself."""
        files = {
            path: check
            for section in self._chosen(names)
            for path, check in (section.files | dict.fromkeys(section.by_hand)).items()
        }
        return files if names else files | self.files

    def urls(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Path -> address of each of these files that has one."""
        templates = {
            path: section.url for section in self._chosen(names) for path in section.files
        } | ({} if names else dict.fromkeys(self.files, self.url))
        return {path: url.format(path=path) for path, url in templates.items() if url}

    def by_hand(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """Path -> page of each of these files that a person has to take from there."""
        return {
            path: page for section in self._chosen(names) for path, page in section.by_hand.items()
        }

    def _chosen(self, names: Sequence[str] | None) -> list[SectionSource]:
        return [self.section(name) for name in names] if names else list(self.sections.values())


@cache
def published() -> dict[str, Cohort]:
    """Every cohort of data/sources.yaml by name."""
    listed = yaml.safe_load(resource("sources.yaml").read_text(encoding="utf-8"))
    return {name: as_cohort(name, facts) for name, facts in listed.items()}


def catalogue() -> dict[str, Cohort]:
    """Every cohort by name: the published ones, and those of the user's own that were prepared on this machine."""
    return {
        path.parent.name: _own(path) for path in sorted((home() / "sections").glob("*/cohort.yaml"))
    } | published()


def _own(path: Path) -> Cohort:
    """The facts of a cohort of the user's own, as its preparation wrote them."""
    try:
        return as_cohort(path.parent.name, yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadInput(
            f"{path} is damaged ({' '.join(str(error).split())}): delete it and run compendium prepare {path.parent.name} --from FOLDER again"
        ) from error


def cohort(name: str) -> Cohort:
    """The named cohort; of several joined by + (`wu+tenx`) one that has the sections of all."""
    known = published()
    if "+" in name:
        return _joined(name, [cohort(word) for word in name.split("+")])
    return known[name] if name in known else _known(name, catalogue(), "cohort")


def _joined(name: str, parts: Sequence[Cohort]) -> Cohort:
    """Cohorts as one: what a page says of them is said of each, and they are made up where one of them is; genes are those that their sections share."""
    sections: dict[str, SectionSource] = {}
    for part in parts:
        if twice := [section for section in part.sections if section in sections]:
            raise BadInput(
                f"cohorts {name} cannot be joined: {sections[twice[0]].cohort} and {part.name} both have a section {twice[0]}; name other cohorts"
            )
        sections |= part.sections
    told = {
        word: "; ".join(dict.fromkeys(getattr(part, word).rstrip(".") for part in parts))
        for word in ("title", "technology", "licence", "attribution")
    }
    made_up = next((part.generator for part in parts if part.generator), "")
    return Cohort(
        name=name,
        **told,
        address="",
        citation="",
        shared_genes="",
        generator=made_up,
        sections=sections,
        files={},
    )


def single(name: str) -> Cohort:
    """The named cohort, which must be one: raw files are fetched and prepared of each cohort by itself."""
    if "+" in name:
        raise BadInput(
            f"{name} names {len(name.split('+'))} cohorts; fetch and prepare them one by one: {', '.join(name.split('+'))}"
        )
    return cohort(name)


def raw_folder(name: str) -> Path:
    """Where the raw files of a cohort lie once fetched."""
    return home() / "raw" / single(name).name


def as_cohort(name: str, facts: dict) -> Cohort:
    """One entry of sources.yaml, or of a cohort.yaml in its form; sections inherit lab, technology, address and url."""
    facts = {
        "address": "",
        "url": "",
        "citation": "",
        "shared_genes": "",
        "generator": "",
        "files": {},
    } | facts
    inherited = {
        "cohort": name,
        "lab": facts.pop("lab", ""),
        "technology": facts["technology"],
        "address": facts["address"],
        "url": facts["url"],
        "files": {},
    }
    facts["sections"] = {
        section: SectionSource(name=section, **(inherited | own))
        for section, own in facts["sections"].items()
    }
    return Cohort(name=name, **facts)


def _known(name: str, known: dict[str, Entry], what: str) -> Entry:
    """The named entry, or an error that lists the nearest or else all names."""
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise BadInput(f"unknown {what}: {name}; {hint}known: {', '.join(sorted(known))}")
    return known[name]
