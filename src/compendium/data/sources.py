"""The catalogue of cohorts: whose each file is, what it must be, and the fetch from a local folder that checks it."""

import difflib
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from tqdm import tqdm

from compendium.disk import home, resource, whole_file
from compendium.errors import BadInput

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class SectionSource:
    """One section in the catalogue. files: path inside the cohort's folder -> git blob id, or None where no id is known."""

    name: str
    patient: str
    lab: str
    technology: str
    files: dict[str, str | None]
    address: str = ""


@dataclass(frozen=True)
class Cohort:
    """One cohort in the catalogue.

    attribution: the line printed under every thumbnail; citation: key in book/references.bib ("" where there is none).
    shared_genes: name of the gene list over which library size is counted, or "" (then what the sections at hand share).
    generator: module of this room that makes the sections, or "" for measured data; files: those of no section.
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

    def section(self, name: str) -> SectionSource:
        """The named section."""
        return _known(name, self.sections, f"section of {self.name}")

    def catalogued(self, names: Sequence[str] | None = None) -> dict[str, str | None]:
        """Path -> git blob id of the named sections' files; without names, of all sections and of the cohort itself."""
        chosen = [self.section(name) for name in names] if names else self.sections.values()
        files = {path: blob for section in chosen for path, blob in section.files.items()}
        return files if names else files | self.files


@dataclass(frozen=True)
class FetchReport:
    """Relative paths: verified against their ids; copied now (the other verified ones lay there already); absent from the folder."""

    verified: tuple[str, ...]
    copied: tuple[str, ...]
    absent: tuple[str, ...]


@cache
def catalogue() -> dict[str, Cohort]:
    """Every cohort of data/sources.yaml by name."""
    listed = yaml.safe_load(resource("sources.yaml").read_text(encoding="utf-8"))
    return {name: _cohort(name, facts) for name, facts in listed.items()}


def cohort(name: str) -> Cohort:
    """The named cohort."""
    return _known(name, catalogue(), "cohort")


def raw_folder(name: str) -> Path:
    """Where the raw files of a cohort lie once fetched."""
    return home() / "raw" / cohort(name).name


def blob_id(path: Path) -> str:
    """Git blob id of a file: sha1 of "blob <size>", a zero byte and the content; what `git hash-object` prints."""
    with path.open("rb") as file:
        header = b"blob %d\0" % path.stat().st_size
        return hashlib.file_digest(file, lambda: hashlib.sha1(header, usedforsecurity=False)).hexdigest()


def fetch_from(cohort_name: str, folder: Path | None, sections: list[str] | None = None, raw: Path | None = None) -> FetchReport:
    """Check the catalogued files that lie in `folder` and copy them to `raw` (default raw_folder), each whole or not at all.

    A file with a wrong byte stops the fetch before anything is copied. Files that are not in the folder are listed and the rest goes on;
    files that already lie in `raw` with the right id are left alone. `sections` limits the fetch to the files of those sections.
    """
    facts = cohort(cohort_name)
    wanted = facts.catalogued(sections)
    folder = _checkable(facts, wanted, folder)
    present = tuple(path for path in wanted if (folder / path).is_file())
    if not present:
        raise BadInput(f"none of the {len(wanted)} files of {facts.name} lies in {folder}; give the folder that holds {next(iter(wanted))}")
    for path in tqdm(present, desc=f"verify {facts.name}", disable=None):
        _verify(facts, folder, path, wanted[path])
    target = raw or raw_folder(facts.name)
    missing = tuple(path for path in present if not _is(target / path, wanted[path]))
    for path in tqdm(missing, desc=f"copy {facts.name}", disable=None):
        with whole_file(target / path) as aside:
            shutil.copyfile(folder / path, aside)
    return FetchReport(verified=present, copied=missing, absent=tuple(sorted(wanted.keys() - present)))


def _checkable(facts: Cohort, wanted: dict[str, str | None], folder: Path | None) -> Path:
    """The folder, if there is one and the cohort has ids to check its files against."""
    if facts.generator:
        raise BadInput(f"cohort {facts.name} is generated, there is nothing to fetch; run compendium prepare {facts.name}")
    if not wanted or not all(wanted.values()):
        raise BadInput(f"the files of cohort {facts.name} have no known checksums yet, so none can be verified; they are at {facts.address}")
    if folder is None:
        raise BadInput(f"fetching {facts.name} over the network is not built yet; download {facts.address} and give --from FOLDER")
    if not Path(folder).is_dir():
        raise BadInput(f"--from {folder} is no folder; give the one that holds {next(iter(wanted))} (data: {facts.address})")
    return Path(folder)


def _verify(facts: Cohort, folder: Path, path: str, expected: str | None) -> None:
    found = blob_id(folder / path)
    if found != expected:
        raise BadInput(f"{folder / path} is not the published file: expected git blob {expected}, found {found}; get it again from {facts.address}")


def _is(path: Path, expected: str | None) -> bool:
    return path.is_file() and blob_id(path) == expected


def _cohort(name: str, facts: dict) -> Cohort:
    """One entry of sources.yaml; sections inherit lab, technology and address."""
    facts = {"address": "", "citation": "", "shared_genes": "", "generator": "", "files": {}} | facts
    inherited = {"lab": facts.pop("lab", ""), "technology": facts["technology"], "address": facts["address"], "files": {}}
    facts["sections"] = {section: SectionSource(name=section, **(inherited | own)) for section, own in facts["sections"].items()}
    return Cohort(name=name, **facts)


def _known(name: str, known: dict[str, Entry], what: str) -> Entry:
    """The named entry, or an error that lists the nearest or else all names."""
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise BadInput(f"unknown {what}: {name}; {hint}known: {', '.join(sorted(known))}")
    return known[name]
