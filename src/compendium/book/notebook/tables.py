"""Where a chapter's tables come from: computed from prepared sections, or kept by the reference run of its profile and drawn where there are none."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compendium import storage as disk
from compendium import versions
from compendium.book.notebook.profiles import Profile
from compendium.data.prepare import prepared_names
from compendium.data.sources import cohort as listed
from compendium.errors import BadInput
from compendium.evaluation import results as tables
from compendium.evaluation.results import Results
from compendium.methods import names, recipe

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
    """The tables of a chapter, and a line for its page: whether they were kept, or whether they are what was kept.

    Sections that are not prepared here, of a chapter whose tables were kept with other parameters, are a BadInput that says so; where nothing was kept, one of `make`.
    """
    kept = _kept(profile.name, chapter)
    asked = {word: value for word, value in parameters.items() if word not in FREE}
    wanted = sections or list(listed(cohort).sections)
    if set(wanted) <= set(prepared_names(cohort)) or kept is None:
        return _made(profile.name, chapter, asked, commit, make, kept)
    other = [word for word, value in asked.items() if kept.facts["parameters"].get(word) != value]
    if other:
        raise BadInput(
            f"sections {', '.join(wanted)} of {cohort} are not prepared here, and the kept tables of chapter {chapter} were made with other values of {', '.join(other)}; "
            f"leave these out, or run {' and '.join(f'compendium fetch {name} and compendium prepare {name}' for name in cohort.split('+'))}"
        )
    line = f"Raw data are not on this machine: this page is drawn from the tables of the reference run, made at {kept.facts['commit']}."
    older = superseded(kept.facts["stages"])
    return (
        kept,
        f"{line} They were made by an older version of: {', '.join(older)}." if older else line,
    )


def superseded(made_by: Mapping[str, int]) -> list[str]:
    """The stages and methods (as `method NAME`) whose version today is another than the one that tables were made by."""
    today = versions.stages() | {f"method {name}": recipe(name).version for name in names()}
    return [stage for stage, number in made_by.items() if today.get(stage) != number]


def _made(
    profile: str,
    chapter: str,
    asked: Mapping[str, Any],
    commit: str,
    make: Callable[[], Results],
    kept: Results | None,
) -> tuple[Results, str]:
    """Tables as they are read again, so that pages drawn from made and from kept tables are alike."""
    folder, made = computed(profile) / chapter, make()
    tables.write(
        folder,
        Results(made.tables, dict(made.facts) | {"parameters": dict(asked), "commit": commit}),
    )
    again = tables.read(folder)
    if kept is None or kept.facts["parameters"] != again.facts["parameters"]:
        return again, ""
    return (
        again,
        f"Computed here; against the reference run (made at {kept.facts['commit']}) {tables.summarise_differences(tables.differences(again, kept))}.",
    )


def reference(profile: str, chapter: str) -> Results:
    """The kept tables of a chapter; BadInput where there are none."""
    return tables.read(disk.resource(f"reference/{profile}") / chapter)


def made_from(profile: str, kept: Results) -> str:
    """The line under a figure that draws kept tables of another profile's run."""
    return f"reference run {profile} · data {kept.facts['data']} · protocol {kept.facts['protocol']} · device {kept.facts['device']} · computed at {kept.facts['commit']}"


def computed(profile: str) -> Path:
    """Where the tables of a profile's chapters lie that were computed here last."""
    return disk.home() / "tables" / profile


def _kept(profile: str, chapter: str) -> Results | None:
    return (
        reference(profile, chapter)
        if profile in references() and chapter in chapters_of(profile)
        else None
    )


def references() -> list[str]:
    """Profiles of which tables are kept."""
    return sorted(path.name for path in disk.resource("reference").iterdir() if path.is_dir())


def chapters_of(profile: str) -> list[str]:
    """Chapters of which a profile's tables are kept."""
    return sorted(
        path.name for path in (disk.resource("reference") / profile).iterdir() if path.is_dir()
    )


def keep(profile: str, usual: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Copy the tables that were last computed here into data/reference of the checkout, from where books without raw data draw them; the folders written.

    usual: chapter -> what the profile runs it with; tables of another run are none of the profile.
    """
    if not (disk.CHECKOUT / "data" / "sources.yaml").exists():
        raise BadInput(
            f"reference tables belong into a checkout, and {disk.CHECKOUT} is none; run from a clone of the repository"
        )
    if missing := [name for name in usual if not (computed(profile) / name).is_dir()]:
        raise BadInput(
            f"chapter {missing[0]} of profile {profile} has not been computed here; run compendium book --profile {profile} first"
        )
    found = {name: tables.read(computed(profile) / name) for name in usual}
    for name, parameters in usual.items():
        if other := [
            word
            for word, value in parameters.items()
            if word not in FREE and found[name].facts["parameters"].get(word) != value
        ]:
            again = f"run compendium chapter {name} --profile {profile}"
            raise BadInput(
                f"chapter {name} was last computed with other {', '.join(other)} than profile {profile} has; {again}"
            )
    folders = {name: disk.CHECKOUT / "data" / "reference" / profile / name for name in usual}
    for name, folder in folders.items():
        tables.write(folder, found[name])
    return list(folders.values())
