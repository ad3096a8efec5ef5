"""What a chapter's page depends on, as one short hash a part: fresh while all are as they were."""

import hashlib
import json
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compendium import storage as disk
from compendium import versions
from compendium.book.notebook import profiles
from compendium.errors import BadInput
from compendium.methods import names, recipe

SHIPPED = ("sources.yaml", "genes", "published", "reference", "training", "windows")
SHOWN = ("tags", "mystnb")  # metadata of a cell that decide how the page shows it


def fingerprint(
    notebook: Path, profile: profiles.Profile, parameters: dict[str, Any], root: Path | None
) -> dict[str, str]:
    """Part -> hash.

    Parts are the notebook's own text, the versions of stages and methods, the files shipped with
    the package, the profile, the parameters, and the cohort's prepared sections.
    """
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
    shown_cells = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        shown = [cell.get("metadata", {}).get(key) for key in SHOWN]
        shown_cells.append([cell["cell_type"], "".join(cell["source"]), *shown])
    return json.dumps(shown_cells)


def prepared_sections(profile: profiles.Profile) -> dict[str, str]:
    """The part that a run may itself change: names and digests of the cohort's prepared sections.

    A profile's own sections are not enough: the data review counts every prepared one.
    """
    folders = [disk.home() / "sections" / cohort for cohort in profile.cohort.split("+")]
    found = sorted(file for folder in folders for file in folder.glob("[!.]*/section.json"))
    digests = {file.parent.name: json.loads(file.read_text())["digest"] for file in found}
    return {"prepared sections": _hash(json.dumps(digests))}


def _shipped() -> str:
    parts = []
    for name in SHIPPED:
        with suppress(BadInput):
            where = disk.resource(name)
            parts.append(_hash_files(where) if where.is_dir() else disk.sha256(where))
    return _hash("".join(parts))


def _hash_files(folder: Path) -> str:
    files = (file for file in sorted(folder.glob("**/*")) if file.is_file())
    each = (f"{file.relative_to(folder).as_posix()} {disk.sha256(file)}" for file in files)
    return _hash("\n".join(each))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
