"""Where a chapter's tables come from: computed from prepared sections, or kept.

Tables are published by the reference run of a profile, and drawn where no sections are prepared.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compendium import storage as disk
from compendium import versions
from compendium.book.notebook.parameters import OPEN
from compendium.book.notebook.profiles import Profile, load
from compendium.data.prepare import prepared_names
from compendium.data.sources import cohort as listed
from compendium.errors import BadInput
from compendium.evaluation import results as tables
from compendium.evaluation.results import Results
from compendium.methods import names, recipe
from compendium.runs.published import RUNS

FREE = ("device",)  # parameters that change no number


def drawn(
    profile: Profile,
    chapter: str,
    parameters: Mapping[str, Any],
    cohort: str,
    sections: Sequence[str] | None,
    commit: str,
    make: Callable[[], Results],
) -> tuple[Results, str]:
    """The tables of a chapter, and a line for its page.

    The line says whether they were kept, or how near those computed here are to what was kept.

    Raises
    ------
    BadInput
        The sections are not prepared here, and the tables were kept with other parameters; where
        nothing was kept, what `make` raises.
    """
    source = reference_of(profile, chapter, cohort)
    kept = reference(source, chapter) if source else None
    asked = {word: value for word, value in parameters.items() if word not in FREE}
    wanted = sections or list(listed(cohort).sections)
    if set(wanted) <= set(prepared_names(cohort)) or kept is None:
        facts = {"parameters": asked, "commit": commit}
        made = _stored(computed(profile.name) / chapter, make(), facts)
        if kept is None or other_parameters(asked, kept):
            return made, ""
        near = tables.summarise_differences(tables.differences(made, kept))
        line = f"Computed here; against the reference run (made at {kept.facts['commit']}) {near}."
        return made, line
    if other := other_parameters({**parameters, "profile": source}, kept):
        cohorts = cohort.split("+")
        cure = " and ".join(
            f"compendium fetch {one} and compendium prepare {one}" for one in cohorts
        )
        raise BadInput(
            f"sections {', '.join(wanted)} of {cohort} are not prepared here, and the "
            f"published tables of chapter {chapter} were made with other values of "
            f"{', '.join(other)}; leave these out, or run {cure}"
        )
    line = (
        "Raw data are not on this machine: this page is drawn from the tables of the reference "
        f"run, made at {kept.facts['commit']}."
    )
    if older := superseded(kept.facts["stages"]):
        line += f" They were made by an older version of: {', '.join(older)}."
    return kept, line


def reference_of(profile: Profile, chapter: str, cohort: str) -> str:
    """The profile whose published tables a chapter can be drawn from; "" where there is none.

    It is the profile itself, or, for a page of another cohort than the profile's, one of that
    cohort.
    """
    same = [profile.name]
    if cohort != profile.cohort:
        same = [name for name in references() if load(name).cohort == cohort]
    return next((name for name in same if chapter in chapters_of(name)), "")


def superseded(made_by: Mapping[str, int]) -> list[str]:
    """The stages and methods (as `method NAME`) of other versions than those of today."""
    today = versions.stages() | {f"method {name}": recipe(name).version for name in names()}
    return [stage for stage, number in made_by.items() if today.get(stage) != number]


def _stored(folder: Path, made: Results, facts: Mapping[str, Any]) -> Results:
    """Tables as they are read again, so that pages of made and of published tables are alike."""
    tables.write(folder, Results(made.tables, dict(made.facts) | facts))
    return tables.read(folder)


def reference(profile: str, chapter: str) -> Results:
    """The published tables of a chapter; BadInput where there are none."""
    return tables.read(disk.resource(f"reference/{profile}") / chapter)


def made_from(profile: str, kept: Results) -> str:
    """The line under a figure that draws published tables of another profile's run."""
    facts = " · ".join(f"{word} {kept.facts[word]}" for word in ("data", "protocol", "device"))
    return f"reference run {profile} · {facts} · computed at {kept.facts['commit']}"


def computed(profile: str) -> Path:
    """Where the tables of a profile's chapters lie that were computed here last."""
    return disk.home() / "tables" / profile


def references() -> list[str]:
    """Profiles of which tables are published."""
    folders = disk.resource("reference").glob("*/")
    return sorted(path.name for path in folders if path.name != RUNS)


def chapters_of(profile: str) -> list[str]:
    """Chapters of which a profile's tables are published; none where no run of it was."""
    return sorted(path.name for path in disk.resource("reference").glob(f"{profile}/*/"))


def to_publish(profile: str, usual: Mapping[str, Mapping[str, Any]]) -> dict[str, Results]:
    """Read the tables that were last computed here, for books without raw data to draw.

    Parameters
    ----------
    profile
        Name of the profile.
    usual
        Chapter -> what the profile runs it with; tables of another run are none of the profile.

    Raises
    ------
    BadInput
        If a chapter has not been computed here, or last with other parameters.
    """
    if missing := [name for name in usual if not is_computed(profile, name)]:
        wrong = f"chapter {missing[0]} of profile {profile} has not been computed here"
        raise BadInput(f"{wrong}; run compendium book --profile {profile} first")
    found = {name: tables.read(computed(profile) / name) for name in usual}
    for name, parameters in usual.items():
        if other := other_parameters(parameters, found[name]):
            wrong = f"with other {', '.join(other)} than profile {profile} has"
            cure = f"run compendium chapter {name} --profile {profile}"
            raise BadInput(f"chapter {name} was last computed {wrong}; {cure}")
    return found


def is_computed(profile: str, chapter: str) -> bool:
    """Return whether the tables of a chapter were computed here."""
    return (computed(profile) / chapter).is_dir()


def other_parameters(asked: Mapping[str, Any], results: Results) -> list[str]:
    """The parameters that change numbers and had other values when the tables were made.

    Tables made before a parameter existed are those of its open default.
    """
    made = results.facts["parameters"]
    changing = {key: value for key, value in asked.items() if key not in FREE}
    return [
        key
        for key, value in changing.items()
        if made.get(key, value if value in OPEN else None) != value
    ]
