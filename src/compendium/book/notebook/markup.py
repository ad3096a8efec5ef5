"""HTML of which pages are made: templates, and the box of whatever may be wider than the page."""

from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment

TEMPLATES = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)


def scrolled(body: str, label: str, also: str = "") -> str:
    """The markup in a box that scrolls sideways: a region with a name, which the keyboard reaches.

    compendium.css shades the edge where something is cut off. also: a further class.
    """
    box = f'class="{f"compendium-scroll {also}".strip()}" role="region"'
    return f'<div {box} aria-label="{escape(label)}" tabindex="0">{body}</div>'


def filled(template: Path, **facts: Any) -> str:
    """A template with facts filled in; their special characters are escaped."""
    return TEMPLATES.from_string(template.read_text(encoding="utf-8")).render(**facts)
