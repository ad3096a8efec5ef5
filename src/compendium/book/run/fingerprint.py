"""What a chapter's page depends on, as one short hash a part: a page is fresh while every part is as it was."""

import hashlib
import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compendium import storage as disk
from compendium import versions
from compendium.book.notebook import profiles
from compendium.errors import BadInput
from compendium.methods import names, recipe

SHOWN = ("tags", "mystnb")  # metadata of a cell that decide how the page shows it


def fingerprint(
    notebook: Path, profile: profiles.Profile, parameters: dict[str, Any], root: Path
) -> dict[str, str]:
    """Part -> hash: the notebook's own text, the versions of stages and methods, the files shipped with the package, the profile, the parameters, the cohort's prepared sections."""
    return {
        "notebook": _hash(source(notebook)),
        "versions": _hash(json.dumps(versions_of(notebook), sort_keys=True)),
        "shipped data": _shipped(),
        "profile": _hash(profiles.path(profile.name, root).read_text(encoding="utf-8")),
        "parameters": _hash(json.dumps(parameters, sort_keys=True)),
    } | prepared_sections(profile)


def versions_of(notebook: Path) -> dict[str, int]:
    """Return the versions of stages and methods, and that of the chapter's own folder."""
    numbers = versions.stages() | {name: recipe(name).version for name in names()}
    folder = f"compendium.chapters.{notebook.stem.partition('_')[2]}"
    if find_spec(folder):
        numbers["chapter"] = getattr(import_module(folder), "VERSION", 1)
    return numbers


def source(notebook: Path) -> str:
    """What a notebook says, without what a run or an editor adds to it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return json.dumps(
        [
            [
                cell["cell_type"],
                "".join(cell["source"]),
                *(cell.get("metadata", {}).get(key) for key in SHOWN),
            ]
            for cell in cells
        ]
    )


def prepared_sections(profile: profiles.Profile) -> dict[str, str]:
    """The part that a run may itself change: names and digests of all sections of the cohort that lie prepared on this machine.

    A profile's own sections are not enough: the data review counts every prepared one.
    """
    found = sorted(
        file
        for cohort in profile.cohort.split("+")
        for file in (disk.home() / "sections" / cohort).glob("[!.]*/section.json")
    )
    return {
        "prepared sections": _hash(
            json.dumps({file.parent.name: json.loads(file.read_text())["digest"] for file in found})
        )
    }


def _shipped() -> str:
    parts = []
    for name in ("sources.yaml", "genes", "published", "reference"):
        try:
            where = disk.resource(name)
        except BadInput:
            continue
        parts.append(_hash_files(where, "**/*") if where.is_dir() else disk.sha256(where))
    return _hash("".join(parts))


def _hash_files(folder: Path, pattern: str) -> str:
    each = [
        f"{file.relative_to(folder).as_posix()} {disk.sha256(file)}"
        for file in sorted(folder.glob(pattern))
        if file.is_file() and "__pycache__" not in file.parts
    ]
    return _hash("\n".join(each))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
