"""Titles of gene panels."""

import re

TITLES = (
    (r"markers_(\d+)", "{} marker genes"),
    (r"hvg_(\d+)", "{} variable genes"),
    (r"hvg\((\d+)\)", "{} genes chosen in training"),
    (r"hvg_union\((\d+)\)", "the {} most variable genes of any training section"),
    (r"all()", "all shared genes"),
)


def panel_title(panel: str) -> str:
    """Return the title of a panel, e.g. "12 marker genes" for markers_12, or its name."""
    for pattern, title in TITLES:
        if match := re.fullmatch(pattern, panel):
            return title.format(*match.groups())
    return panel
