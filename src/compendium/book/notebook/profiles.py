"""Profiles: what the chapters of one book are run with (notebooks/profiles/NAME.yaml)."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from compendium import storage as disk
from compendium.book.notebook.parameters import Parameter, check
from compendium.errors import BadInput
from compendium.texts import read_yaml


@dataclass(frozen=True)
class Profile:
    """One way to run the book."""

    name: str
    title: str

    cohort: str
    """The cohort whose sections are used."""

    sections: list[str] | None = None
    """Their names, or None for all."""

    banner: str = ""
    """One line shown on every page, or "" for none."""

    chapters: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Chapter -> parameter -> value, for parameters whose default is open (None, "" or [])."""


def root() -> Path:
    """Return the folder of the project; BadInput where there are no profiles in it."""
    folder = disk.project_root()
    if not (folder / "notebooks" / "profiles").is_dir():
        cure = "run from a clone of the compendium's repository"
        raise BadInput(f"no notebooks/profiles at or above {folder}: {cure}")
    return folder


def path(name: str, folder: Path | None = None) -> Path:
    """The file of a profile."""
    where = (folder or root()) / "notebooks" / "profiles"
    if not (where / f"{name}.yaml").is_file():
        known = ", ".join(sorted(file.stem for file in where.glob("*.yaml")))
        raise BadInput(f"unknown profile {name} (known: {known})")
    return where / f"{name}.yaml"


def load(name: str, folder: Path | None = None) -> Profile:
    """Read and check a profile."""
    from pydantic import TypeAdapter, ValidationError

    stated = read_yaml(path(name, folder))
    known = {each.name for each in fields(Profile)} - {"name"}
    if not isinstance(stated, dict) or set(stated) - known:
        found = ", ".join(map(str, stated or ["nothing"]))
        raise BadInput(f"profile {name} may hold only {', '.join(sorted(known))}, found {found}")
    given = {key: value for key, value in stated.items() if value is not None}
    try:
        return TypeAdapter(Profile).validate_python({"name": name} | given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"profile {name}: {where}: {first['msg'].lower()}") from error


def resolve(
    known: list[Parameter], values: dict[str, Any], profile: Profile, chapter: str
) -> dict[str, Any]:
    """What a chapter runs with: the reader's value, else the profile's, else the default.

    A profile may set only parameters whose default is open (None, "" or []), so that a value which
    happens to equal the default is never mistaken for one that was not given.
    """
    from_profile = profile.chapters.get(chapter, {})
    where = f"profile {profile.name}, chapter {chapter}"
    try:
        check(known, from_profile)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    for fixed in (p for p in known if p.name in from_profile and not p.is_open):
        cure = "give it None or [] in the notebook for a profile to set it"
        raise BadInput(f"{where}: parameter {fixed.name} has the default {fixed.default!r}; {cure}")
    unset = {p.name for p in known if p.name in values and not p.is_given(values[p.name])}
    chosen = {name: value for name, value in values.items() if name not in unset}
    return check(known, from_profile | chosen)
