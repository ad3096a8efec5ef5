"""Raw files -> prepared sections under COMPENDIUM_HOME, and opening them again."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from compendium.data import section
from compendium.data.readers import custom as own
from compendium.data.readers import her2st, tenx, wu
from compendium.data.section import Section
from compendium.data.sources import Cohort, SectionSource, cohort, published, raw_folder, single
from compendium.data.synthetic import expression as synthetic
from compendium.errors import BadInput
from compendium.storage import home, locked

TILE_PX = 224
READERS = {
    "her2st": her2st,
    "tenx": tenx,
    "wu": wu,
}  # of the measured cohorts: each has `read` and `counted`
SOURCES: dict[str, dict[str, str]] = {
    "demo": synthetic.SOURCES
}  # of the sections of each generated cohort


def folder(cohort_name: str, name: str) -> Path:
    """Where a prepared section lies."""
    return home() / "sections" / cohort_name / name


def prepare(
    cohort_name: str,
    names: list[str] | None = None,
    tile_px: int = TILE_PX,
    raw: Path | None = None,
    spots: str = "",
) -> list[Section]:
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
            raise BadInput(
                f"{name} is a published cohort and {raw} holds a {own.COHORT} of your own; prepare it under another name, e.g. my-{name}"
            )
        return cohort(name)
    if raw:
        return own.facts(name, raw)
    raise BadInput(
        f"{single(name).name} is a cohort of your own; give --from FOLDER, the folder that holds its {own.COHORT}"
    )  # an unknown name, or several, end in single()


def reader(
    facts: Cohort, raw: Path | None = None, spots: str = ""
) -> Callable[[str, int], Section]:
    """How a section of a cohort is read, from its name and the side of its patches in px: generated, as published, or from a folder of the user's own."""
    if spots and facts.name != "wu":
        raise BadInput(f"cohort {facts.name} has one set of spots; leave out --spots")
    if facts.generator and raw:
        raise BadInput(f"cohort {facts.name} is generated from nothing; leave out --from")
    if facts.generator:
        return synthetic.make
    if facts.name in READERS:
        return partial(
            READERS[facts.name].read,
            raw or raw_folder(facts.name),
            **({"spots": spots} if spots else {}),
        )
    return partial(own.read, raw, facts)


def _countable(facts: Cohort, raw: Path | None) -> list[str]:
    """Sections whose counts lie under the folder of raw files; all of them where none do, so that the reader says what is missing."""
    counted = (
        READERS[facts.name].counted(raw or raw_folder(facts.name)) if facts.name in READERS else []
    )
    return counted or list(facts.sections)


def _store(facts: Cohort, read: Section) -> Section:
    """Write a section that was read; with the first of a cohort of the user's own, its facts are known."""
    if facts.name not in published():
        own.save_facts(facts)
    return read.save(folder(facts.name, read.name))


def prepared_names(cohort_name: str) -> list[str]:
    """Sections of a cohort, or of several joined by +, that lie prepared on this machine, in the catalogue's order; all of a cohort that is generated on first use."""
    listed = cohort(cohort_name).sections.values()
    return [
        source.name
        for source in listed
        if source.cohort in SOURCES
        or (folder(source.cohort, source.name) / "section.json").exists()
    ]


def one_by_one(cohort_name: str, names: list[str]) -> Iterator[Section]:
    """Prepared sections, opened one at a time: as many as there are never fill the memory."""
    for name in names:
        yield open_sections(cohort_name, [name])[0]


def open_sections(cohort_name: str, names: list[str] | None = None) -> list[Section]:
    """Prepared sections of a cohort, or of several joined by + (`wu+tenx`), by name; without names, every section.

    The demo cohort is generated on first use, and again when its generator changes.
    """
    facts = cohort(cohort_name)
    sources = [facts.section(name) for name in names] if names else list(facts.sections.values())
    generate(cohort_name, [source.name for source in sources])
    return [_opened(source) for source in sources]


def _opened(source: SectionSource) -> Section:
    opened = section.load(folder(source.cohort, source.name))
    if source.cohort not in published():
        own.check_stated(opened, source)
    return opened


def generate(cohort_name: str, names: list[str] | None = None) -> None:
    """Make those generated sections of a cohort, or of several joined by + (by default all), that are not there or that another version of the generator made.

    One process at a time: another that asks for the same sections waits, and then finds them made. Measured cohorts are left alone.
    """
    facts = cohort(cohort_name)
    for made in SOURCES:
        wanted = [name for name in names or facts.sections if facts.section(name).cohort == made]
        if _outdated(made, wanted):
            with locked(home() / "sections" / made / ".lock"):
                if missing := _outdated(made, wanted):
                    prepare(made, missing)


def _outdated(cohort_name: str, names: list[str]) -> list[str]:
    """The named sections whose sources are not stated as today's generator states them."""
    return [
        name
        for name in names
        if _sources(folder(cohort_name, name) / "section.json") != SOURCES[cohort_name]
    ]


def _sources(path: Path) -> dict[str, str] | None:
    """What a prepared section says that it was made from; None where there is none to ask."""
    try:
        return json.loads(path.read_text())["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
