"""Raw files -> prepared sections under COMPENDIUM_HOME, and opening them again."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from compendium.data import her2st, own, section, synthetic, tenx, wu
from compendium.data.section import Section
from compendium.data.sources import Cohort, cohort, published, raw_folder
from compendium.disk import home, locked
from compendium.errors import BadInput

TILE_PX = 224
READERS = {"her2st": her2st, "tenx": tenx, "wu": wu}  # of the measured cohorts: each has `read` and `counted`
SOURCES: dict[str, dict[str, str]] = {"demo": synthetic.SOURCES}  # of the sections of each generated cohort


def folder(cohort_name: str, name: str) -> Path:
    """Where a prepared section lies."""
    return home() / "sections" / cohort_name / name


def prepare(cohort_name: str, names: list[str] | None = None, tile_px: int = TILE_PX, raw: Path | None = None, spots: str = "") -> list[Section]:
    """Read, check and write sections (by default all whose counts are there); each is written whole or not at all.

    raw: folder of the raw files, by default where fetch puts them; a cohort of the user's own is the one that the cohort.yaml there states.
    spots: of a cohort that is published with two sets of spots, which one.
    """
    facts = _facts(cohort_name, raw)
    read = reader(facts, raw, spots)
    if not 16 <= tile_px <= 1024:
        raise BadInput(f"--tile-px {tile_px} is out of range; give 16 to 1024")
    names = [facts.section(name).name for name in names] if names else _countable(facts, raw)
    bar = tqdm(names, desc=f"prepare {facts.name}", disable=None)
    return [_store(facts, read(name, tile_px)) for name in bar]


def _facts(name: str, raw: Path | None) -> Cohort:
    """The cohort to prepare: a published one, or the user's own."""
    if name in published():
        if raw and (raw / own.COHORT).exists():
            raise BadInput(f"{name} is a published cohort and {raw} holds a {own.COHORT} of your own; prepare it under another name, e.g. my-{name}")
        return cohort(name)
    if raw:
        return own.facts(name, raw)
    raise BadInput(f"{cohort(name).name} is a cohort of your own; give --from FOLDER, the folder that holds its {own.COHORT}")  # an unknown name ends in cohort()


def reader(facts: Cohort, raw: Path | None = None, spots: str = "") -> Callable[[str, int], Section]:
    """How a section of a cohort is read, from its name and the side of its patches in px: generated, as published, or from a folder of the user's own."""
    if spots and facts.name != "wu":
        raise BadInput(f"cohort {facts.name} has one set of spots; leave out --spots")
    if facts.generator and raw:
        raise BadInput(f"cohort {facts.name} is generated from nothing; leave out --from")
    if facts.generator:
        return synthetic.make
    if facts.name in READERS:
        return partial(READERS[facts.name].read, raw or raw_folder(facts.name), **({"spots": spots} if spots else {}))
    return partial(own.read, raw, facts)


def _countable(facts: Cohort, raw: Path | None) -> list[str]:
    """Sections whose counts lie under the folder of raw files; all of them where none do, so that the reader says what is missing."""
    counted = READERS[facts.name].counted(raw or raw_folder(facts.name)) if facts.name in READERS else []
    return counted or list(facts.sections)


def _store(facts: Cohort, read: Section) -> Section:
    """Write a section that was read; with the first of a cohort of the user's own, its facts are known."""
    if facts.name not in published():
        own.keep(facts)
    return read.save(folder(facts.name, read.name))


def prepared_names(cohort_name: str) -> list[str]:
    """Sections of a cohort, or of several joined by +, that lie prepared on this machine, in the catalogue's order; all of a cohort that is generated on first use."""
    known = [cohort(word) for word in cohort_name.split("+")]
    return [name for facts in known for name in facts.sections if facts.generator or (folder(facts.name, name) / "section.json").exists()]


def one_by_one(cohort_name: str, names: list[str]) -> Iterator[Section]:
    """Prepared sections, opened one at a time: as many as there are never fill the memory."""
    for name in names:
        yield open_sections(cohort_name, [name])[0]


def open_sections(cohort_name: str, names: list[str] | None = None) -> list[Section]:
    """Prepared sections by name; without names, every section of the cohort (the demo cohort is generated on first use, and again when its generator changes)."""
    facts = cohort(cohort_name)
    names = [facts.section(name).name for name in names] if names else list(facts.sections)
    if facts.generator:
        generate(facts.name, names)
    return [_opened(facts, name) for name in names]


def open_joined(cohorts: str, names: list[str] | None = None) -> list[Section]:
    """Prepared sections of one cohort, or of several joined by + (`wu+tenx`), by name; without names, every section of each."""
    known = [cohort(word) for word in cohorts.split("+")]
    if unknown := [name for name in names or () if not any(name in facts.sections for facts in known)]:
        raise BadInput(f"section {unknown[0]} is of none of the cohorts {', '.join(facts.name for facts in known)}; correct its name, or add its cohort")
    wanted = {facts.name: [name for name in names if name in facts.sections] if names else list(facts.sections) for facts in known}
    return [section for name, chosen in wanted.items() if chosen for section in open_sections(name, chosen)]


def _opened(facts: Cohort, name: str) -> Section:
    opened = section.load(folder(facts.name, name))
    if facts.name not in published():
        own.check_stated(opened, facts.section(name))
    return opened


def generate(cohort_name: str, names: list[str] | None = None) -> None:
    """Make those sections of a generated cohort (by default all) that are not there or that another version of the generator made.

    One process at a time: another that asks for the same sections waits, and then finds them made. Measured cohorts are left alone.
    """
    facts = cohort(cohort_name)
    wanted = list(names or facts.sections) if facts.generator else []
    if _outdated(facts.name, wanted):
        with locked(home() / "sections" / facts.name / ".lock"):
            if missing := _outdated(facts.name, wanted):
                prepare(facts.name, missing)


def _outdated(cohort_name: str, names: list[str]) -> list[str]:
    """The named sections whose sources are not stated as today's generator states them."""
    return [name for name in names if _sources(folder(cohort_name, name) / "section.json") != SOURCES[cohort_name]]


def _sources(path: Path) -> dict[str, str] | None:
    """What a prepared section says that it was made from; None where there is none to ask."""
    try:
        return json.loads(path.read_text())["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
