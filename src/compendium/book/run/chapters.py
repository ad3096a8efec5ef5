"""Run chapters: check their parameters, run them aside.

Only a notebook that ran to its end becomes a page.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compendium import __version__
from compendium import storage as disk
from compendium.book.notebook import parameters, profiles
from compendium.book.notebook.chapter_files import chapters, find
from compendium.book.notebook.commit import commit, versions
from compendium.book.run import executed
from compendium.book.run.execution import ChapterFailed, execute
from compendium.book.run.fingerprint import fingerprint, prepared_sections
from compendium.errors import BadInput, cause
from compendium.machine import cores
from compendium.processes import workers


def to_stderr(line: str) -> None:
    """Where progress goes unless the caller says otherwise."""
    print(line, file=sys.stderr, flush=True)


def has_folder(name: str) -> bool:
    """Return whether a chapter has a folder in compendium.chapters, hence tables to publish."""
    return find_spec(f"compendium.chapters.{name.replace('-', '_')}") is not None


def page_path(name: str, root: Path | None = None) -> Path:
    """Where the executed notebook of a chapter lies when it is a page of the book."""
    notebook = find(name, root)
    return notebook.parents[1] / "book" / "chapters" / notebook.name


def run_chapter(
    name: str,
    profile: str = "demo",
    overrides: dict[str, str] | None = None,
    out: Path | None = None,
    root: Path | None = None,
) -> Path:
    """Run one chapter and put it into the book, or at `out`.

    Parameters
    ----------
    name, profile
        The chapter, and what it is run with.
    overrides
        Parameter -> text as given on a command line (YAML).
    out
        Where the executed notebook goes instead of into the book.
    root
        The folder of the project.

    Raises
    ------
    BadInput
        A chapter, profile or parameter is unknown, or a value of another type; nothing ran.
    ChapterFailed
        The run failed; the half-run notebook is kept under home()/failed.
    """
    import nbformat

    root = root or profiles.root()
    notebook = find(name, root)
    chosen, resolved, stated = _resolve(name, profile, overrides or {}, root)
    facts = {
        "chapter": name,
        "notebook": notebook.name,
        "parameters": resolved,
        "profile": stated.name,
        "banner": stated.banner,
        "cohort": stated.cohort,
        "commit": commit(root),
        "version": __version__,
        "versions": versions(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "fingerprint": fingerprint(notebook, stated, resolved, root),
    }
    began = time.monotonic()
    done = execute(notebook, name, chosen, root)
    facts["seconds"] = round(time.monotonic() - began, 1)
    # a chapter may have prepared its cohort itself
    facts["fingerprint"].update(prepared_sections(stated))
    try:
        done = executed.clean(done, facts, executed.machine_paths(root))
    except BadInput as error:
        raise ChapterFailed(f"chapter {name}: {error}") from error
    target = out or page_path(name, root)
    with disk.atomic_file(target) as aside:
        aside.write_text(nbformat.writes(done) + "\n", encoding="utf-8")
    return target


def _resolve(
    name: str, profile: str, overrides: dict[str, str], root: Path | None
) -> tuple[dict[str, Any], dict[str, Any], profiles.Profile]:
    """What the reader chose, what the chapter will run with, and the profile."""
    known = parameters.declared(find(name, root))
    chosen = parameters.from_text(known, {"profile": profile} | overrides)
    stated = profiles.load(chosen["profile"], root)
    return chosen, profiles.resolve(known, chosen, stated, name), stated


def usual(name: str, profile: str, root: Path | None = None) -> dict[str, Any]:
    """What a chapter runs with where a profile is all that is given."""
    return _resolve(name, profile, {}, root)[1]


def outdated(name: str, profile: str = "demo", root: Path | None = None) -> str:
    """Why a chapter's page is out of date, in words; "" if it is not."""
    _, resolved, stated = _resolve(name, profile, {}, root)
    try:
        facts = executed.facts_of(page_path(name, root))
    except BadInput as error:
        return str(error)
    if facts.get("profile") != profile:
        return f"it was run with profile {facts.get('profile')}"
    was = facts.get("fingerprint", {})
    now = fingerprint(find(name, root), stated, resolved, root)
    changed = [part for part, value in now.items() if was.get(part) != value]
    return f"changed: {', '.join(changed)}" if changed else ""


def run_outdated(
    profile: str = "demo", root: Path | None = None, report: Callable[[str], None] = to_stderr
) -> list[str]:
    """Run every chapter of the profile that is out of date, side by side, and name them.

    If some fail, the others still become pages. A chapter that the profile does not name keeps the
    page that it has.
    """
    from compendium.data.prepare import generate

    stated = profiles.load(profile, root)
    known = chapters(root)
    others = [name for name in known if name not in stated.chapters]
    if pageless := [name for name in others if not page_path(name, root).exists()]:
        wrong = f"profile {profile} does not name chapter {pageless[0]}, which has no page yet"
        raise BadInput(f"{wrong}; name it there, or run compendium book first")
    reasons = {name: outdated(name, profile, root) for name in known if name not in others}
    due = [name for name, reason in reasons.items() if reason]
    for name in due:
        report(f"{name}: {reasons[name]}; running it")
    if due:
        generate(stated.cohort)  # before any chapter notes which sections it was run on
    failures = []
    with workers(max(1, min(len(due), cores()))) as pool:
        tasks = [pool.submit(run_chapter, name, profile, None, None, root) for name in due]
        for name, task in zip(due, tasks, strict=True):
            try:
                task.result()
                report(f"{name}: done")
            except (BadInput, OSError, MemoryError) as error:
                failures.append(cause(error))
    if failures:
        raise ChapterFailed("; ".join(failures))
    return due
