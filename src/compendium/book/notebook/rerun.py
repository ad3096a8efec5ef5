"""The HTML that a chapter prints about itself: its banner, and the box on how to run it again."""

import html
import json
import shlex
from pathlib import Path
from typing import Any

from compendium.book.notebook.markup import filled
from compendium.book.notebook.parameters import Parameter

TEMPLATE = Path(__file__).with_name("templates") / "rerun.html"


def banner(text: str) -> str:
    """The profile's banner as HTML."""
    return f'<p class="compendium-banner" role="note">{html.escape(text)}</p>'


def took(seconds: float, fits: float, cores: int) -> str:
    """Say how long a chapter ran, and how long the fits under it took when they were made.

    These are stored, and not repeated.
    """
    page = f"{duration(seconds)} of computing on {cores} CPU cores for this page"
    stored = f"; the fits that it rests on took {duration(fits)}, whenever they were made"
    return page + stored if fits else page


def duration(seconds: float) -> str:
    """17 s, 3 min."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def box(chapter: str, notebook: Path, known: list[Parameter], values: dict[str, Any]) -> str:
    """A fold-out with every parameter and the commands that make this very page."""
    chosen = {
        p.name: as_text(values[p.name])
        for p in known
        if p.name != "profile" and p.is_given(values[p.name]) and values[p.name] != p.default
    }
    ours = [f"compendium chapter {chapter} --profile {values['profile']}"]
    plain = [f"papermill notebooks/{notebook.name} out.ipynb -p profile {values['profile']}"]
    for name, text in chosen.items():
        ours.append(f"-p {shlex.quote(f'{name}={text}')}")
        plain.append(f"-y {shlex.quote(f'{name}: {text}')}")
    rows = [(p, as_text(p.default), as_text(values[p.name])) for p in known]
    return filled(TEMPLATE, parameters=rows, ours=" ".join(ours), plain=" ".join(plain))


def as_text(value: Any) -> str:
    """A value as YAML on one line, which the command line and papermill -y both read."""
    return json.dumps(value, ensure_ascii=False)
