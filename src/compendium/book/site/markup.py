"""HTML of which pages are made: templates, and the box of whatever may be wider than the page."""

from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def scrolled(body: str, label: str, also: str = "") -> str:
    """The markup in a box that scrolls sideways: a region with a name, which the keyboard reaches.

    compendium.css shades the edge where something is cut off. also: a further class.
    """
    box = f'class="{f"compendium-scroll {also}".strip()}" role="region"'
    return f'<div {box} aria-label="{escape(label)}" tabindex="0">{body}</div>'


def filled(template: str, **facts: Any) -> str:
    """A file of templates/ with facts filled in; their special characters are escaped."""
    return _templates().get_template(template).render(**facts)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, FileSystemLoader

    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    return Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
