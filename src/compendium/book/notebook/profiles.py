"""Profiles: what the chapters of one book are run with (notebooks/profiles/NAME.yaml), and where the notebooks lie."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from compendium import storage as disk
from compendium.book.notebook.parameters import Parameter, check
from compendium.errors import BadInput


@dataclass(frozen=True)
class Profile:
    """One way to run the book.

    cohort: the cohort whose sections are used; sections: their names, or None for all. banner: one line shown on every page, or "".
    chapters: chapter -> parameter -> value, for parameters whose default is open (None, "" or []).
    """

    name: str
    title: str
    cohort: str
    sections: list[str] | None = None
    banner: str = ""
    chapters: dict[str, dict[str, Any]] = field(default_factory=dict)


def root() -> Path:
    """Return the folder of the project; BadInput where there are no profiles in it."""
    folder = disk.project_root()
    if not (folder / "notebooks" / "profiles").is_dir():
        raise BadInput(
            f"no notebooks/profiles at or above {folder}: "
            "run from a clone of the compendium's repository"
        )
    return folder


def path(name: str, folder: Path | None = None) -> Path:
    """The file of a profile."""
    where = (folder or root()) / "notebooks" / "profiles"
    if not (where / f"{name}.yaml").is_file():
        raise BadInput(
            f"unknown profile {name} (known: {', '.join(sorted(file.stem for file in where.glob('*.yaml')))})"
        )
    return where / f"{name}.yaml"


def load(name: str, folder: Path | None = None) -> Profile:
    """Read and check a profile."""
    from pydantic import TypeAdapter, ValidationError

    try:
        stated = yaml.safe_load(path(name, folder).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"profile {name} is not YAML: {str(error).splitlines()[0]}") from error
    known = {each.name for each in fields(Profile)} - {"name"}
    if not isinstance(stated, dict) or set(stated) - known:
        raise BadInput(
            f"profile {name} may hold only {', '.join(sorted(known))}, found {', '.join(map(str, stated or ['nothing']))}"
        )
    try:
        return TypeAdapter(Profile).validate_python(
            {"name": name, "banner": "", "chapters": {}}
            | {k: v for k, v in stated.items() if v is not None}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(
            f"profile {name}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
        ) from error


def resolve(
    known: list[Parameter], values: dict[str, Any], profile: Profile, chapter: str
) -> dict[str, Any]:
    """What a chapter runs with. First the value given by the reader, then the profile's, then the notebook's default.

    A profile may set only parameters whose default is open (None, "" or []), so that a value which happens to equal the default is
    never mistaken for one that was not given.
    """
    from_profile = profile.chapters.get(chapter, {})
    where = f"profile {profile.name}, chapter {chapter}"
    try:
        check(known, from_profile)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    for parameter in known:
        if parameter.name in from_profile and not parameter.is_open:
            raise BadInput(
                f"{where}: parameter {parameter.name} has the default {parameter.default!r}; give it None or [] in the notebook for a profile to set it"
            )
    check(known, values)
    return check(
        known,
        from_profile
        | {
            p.name: values[p.name] for p in known if p.name in values and p.is_given(values[p.name])
        },
    )
