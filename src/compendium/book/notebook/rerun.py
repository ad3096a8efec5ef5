"""The HTML that a chapter prints about itself: the banner, and the box that tells how to run it again."""

import html
import json
import shlex
from typing import Any

from compendium.book.notebook.parameters import Parameter
from compendium.book.site.scrolled import scrolled


def banner(text: str) -> str:
    """The profile's banner as HTML."""
    return f'<p class="compendium-banner" role="note">{html.escape(text)}</p>'


def took(seconds: float, fits: float, cores: int) -> str:
    """In words how long a chapter ran, and how long the fits under it took when they were made: these are stored, and not repeated."""
    page = f"{_duration(seconds)} of computing on {cores} CPU cores for this page"
    return (
        f"{page}; the fits that it rests on took {_duration(fits)}, whenever they were made"
        if fits
        else page
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def box(
    chapter: str, notebook: str, known: list[Parameter], values: dict[str, Any], profile: str
) -> str:
    """A fold-out with every parameter (type, default, this run, help) and the commands that make this very page."""
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("parameter", "type", "default", "this run", "meaning")
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(_row(parameter, values[parameter.name]) for parameter in known)}</tbody></table>"
    chosen = {
        p.name: values[p.name]
        for p in known
        if p.name != "profile" and p.is_given(values[p.name]) and values[p.name] != p.default
    }
    ours = " ".join(
        [
            f"compendium chapter {chapter} --profile {profile}",
            *(f"-p {shlex.quote(f'{name}={as_text(value)}')}" for name, value in chosen.items()),
        ]
    )
    plain = " ".join(
        [
            f"papermill notebooks/{notebook} out.ipynb -p profile {profile}",
            *(f"-y {shlex.quote(f'{name}: {as_text(value)}')}" for name, value in chosen.items()),
        ]
    )
    return (
        f'<details class="compendium-rerun"><summary>Rerun this chapter</summary>{scrolled(table, "Parameters of this chapter")}'
        f"<p>Change any of them and run the chapter again, checked and put into the book:</p>{_command(ours)}"
        f"<p>or with plain papermill, into a notebook of its own:</p>{_command(plain)}</details>"
    )


def _row(parameter: Parameter, value: Any) -> str:
    cells = [
        f"<code>{html.escape(text)}</code>"
        for text in (parameter.type, as_text(parameter.default), as_text(value))
    ]
    if parameter.is_open:
        cells[1] = "<em>the profile’s</em>"
    return (
        f'<tr><th scope="row"><code>{html.escape(parameter.name)}</code></th>'
        + "".join(f"<td>{cell}</td>" for cell in [*cells, html.escape(parameter.help)])
        + "</tr>"
    )


def as_text(value: Any) -> str:
    """A value as YAML on one line, which the command line and papermill -y both read."""
    return json.dumps(value, ensure_ascii=False)


def _command(text: str) -> str:
    return f'<div class="highlight-shell notranslate"><div class="highlight"><pre>{html.escape(text)}</pre></div></div>'
