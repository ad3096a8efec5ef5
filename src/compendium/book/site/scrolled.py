"""The box of whatever may be wider than the page."""

from html import escape


def scrolled(body: str, label: str, also: str = "") -> str:
    """The markup in a box that scrolls sideways: a region with a name, which the keyboard reaches. compendium.css shades the edge where something is cut off.

    also: a further class.
    """
    return f'<div class="{f"compendium-scroll {also}".strip()}" role="region" aria-label="{escape(label)}" tabindex="0">{body}</div>'
