"""Raw files -> prepared sections under COMPENDIUM_HOME, and opening them again."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from compendium.data import synthetic
from compendium.data.readers import custom, her2st, tenx, wu
from compendium.data.section import Section, load
from compendium.data.sources import Cohort, SectionSource, cohort, published, raw_folder, single
from compendium.errors import BadInput, about
from compendium.storage import home, locked

TILE_PX = 224
READERS = {"her2st": her2st, "tenx": tenx, "wu": wu}  # each has `read` and `has_counts`
GENERATED = "demo"  # the cohort whose sections are generated on first use


def folder(cohort_name: str, name: str) -> Path:
    """Return where a prepared section lies."""
    return home() / "sections" / cohort_name / name


def prepare(
    cohort_name: str,
    names: list[str] | None = None,
    tile_px: int = TILE_PX,
    raw: Path | None = None,
    spots: str = "",
) -> list[Section]:
    """Read, check and write sections, each whole or not at all.

    Parameters
    ----------
    names
        By default all sections whose counts are there.
    tile_px
        Side of the stored tiles in px of the image, 16 to 1024.
    raw
        Folder of the raw files, by default where fetch puts them; a cohort of the user's own is
        the one that the cohort.yaml there states.
    spots
        Of a cohort that is published with two sets of spots, which one.

    Raises
    ------
    BadInput
        Where raw files or options cannot be used.
    """
    facts = _facts(cohort_name, raw)
    read = reader(facts, raw, spots)
    if not 16 <= tile_px <= 1024:
        raise BadInput(f"--tile-px {tile_px} is out of range; give 16 to 1024")
    names = [facts.section(name).name for name in names] if names else _countable(facts, raw)
    prepared = []
    for name in tqdm(names, desc=f"prepare {facts.name}", disable=None):
        with about(facts.section(name).where):
            section = read(name, tile_px)
        prepared.append(_store(facts, section))
    return prepared


def _facts(name: str, raw: Path | None) -> Cohort:
    """Return the cohort to prepare: a published one, or the user's own."""
    if name in published():
        if raw and (raw / custom.COHORT).exists():
            wrong = f"{name} is a published cohort and {raw} holds a {custom.COHORT} of your own"
            raise BadInput(f"{wrong}; prepare it under another name, e.g. my-{name}")
        return cohort(name)
    if raw:
        return custom.facts(name, raw)
    known = single(name).name  # ends an unknown name, or several
    mend = f"give --from FOLDER, the folder that holds its {custom.COHORT}"
    raise BadInput(f"{known} is a cohort of your own; {mend}")


def reader(facts: Cohort, raw: Path | None, spots: str) -> Callable[[str, int], Section]:
    """Return the function that reads a section from its name and the side of its tiles in px."""
    if spots and facts.name != "wu":
        raise BadInput(f"cohort {facts.name} has one set of spots; leave out --spots")
    if facts.generator and raw:
        raise BadInput(f"cohort {facts.name} is generated from nothing; leave out --from")
    if facts.generator:
        return synthetic.make
    if facts.name not in READERS:
        return partial(custom.read, raw, facts)
    options = {"spots": spots} if spots else {}
    return partial(READERS[facts.name].read, raw or raw_folder(facts.name), **options)


def _countable(facts: Cohort, raw: Path | None) -> list[str]:
    """Return the sections whose counts are there; all where none are, so that a reader refuses."""
    if facts.name not in READERS:
        return list(facts.sections)
    root, has_counts = raw or raw_folder(facts.name), READERS[facts.name].has_counts
    there = [name for name, source in facts.sections.items() if has_counts(root, source)]
    return there or list(facts.sections)


def _store(facts: Cohort, section: Section) -> Section:
    """Write a section, and first the facts of a cohort of the user's own."""
    if facts.name not in published():
        custom.save_facts(facts)
    return section.save(folder(facts.name, section.name))


def prepared_names(cohort_name: str) -> list[str]:
    """Return the prepared sections of a cohort, or of several joined by +.

    In the catalogue's order; of a cohort that is generated on first use all.
    """
    return [
        source.name
        for source in cohort(cohort_name).sections.values()
        if source.cohort == GENERATED
        or (folder(source.cohort, source.name) / "section.json").exists()
    ]


def one_by_one(cohort_name: str, names: list[str]) -> Iterator[Section]:
    """Open prepared sections one at a time: as many as there are never fill the memory."""
    for name in names:
        yield open_sections(cohort_name, [name])[0]


def open_sections(cohort_name: str, names: list[str] | None = None) -> list[Section]:
    """Open prepared sections of a cohort, or of several joined by + (`wu+tenx`).

    The synthetic cohort is generated on first use, and again when its generator changes.

    Parameters
    ----------
    names
        By default all sections of the catalogue.

    Raises
    ------
    BadInput
        Where a section is unknown, not prepared, or was prepared as of other facts.
    """
    facts = cohort(cohort_name)
    sources = [facts.section(name) for name in names] if names else list(facts.sections.values())
    generate(cohort_name, [source.name for source in sources])
    return [_opened(source) for source in sources]


def _opened(source: SectionSource) -> Section:
    opened = load(folder(source.cohort, source.name))
    if source.cohort not in published():
        custom.check_stated(opened, source)
    return opened


def generate(cohort_name: str, names: list[str] | None = None) -> None:
    """Make generated sections that are missing or that another version of the generator made.

    One process at a time: another that asks for the same sections waits, and then finds them made.
    Measured cohorts are left alone.

    Parameters
    ----------
    cohort_name
        A cohort, or several joined by +.
    names
        By default all sections.
    """
    facts = cohort(cohort_name)
    wanted = [name for name in names or facts.sections if facts.section(name).cohort == GENERATED]
    if _outdated(wanted):
        with locked(home() / "sections" / GENERATED / ".lock"):
            if missing := _outdated(wanted):
                prepare(GENERATED, missing)


def _outdated(names: list[str]) -> list[str]:
    """Return the generated sections whose sources are not those of today's generator."""
    made = {name: _sources(folder(GENERATED, name) / "section.json") for name in names}
    return [name for name in names if made[name] != synthetic.SOURCES]


def _sources(path: Path) -> dict[str, str] | None:
    """Return what a prepared section was made from; None where there is none."""
    try:
        return json.loads(path.read_text())["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
