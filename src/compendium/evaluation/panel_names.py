"""Words of `panel=` as they are said in a sentence."""

import re

SAID = (
    (r"markers_(\d+)", "{} marker genes"),
    (r"hvg_(\d+)", "{} variable genes"),
    (r"hvg\((\d+)\)", "{} genes chosen in training"),
    (r"hvg_union\((\d+)\)", "the {} most variable genes of any training section"),
    (r"all()", "all shared genes"),
)


def said(panel: str) -> str:
    """`markers_12` -> 12 marker genes; a word that is not among SAID as it is."""
    return next(
        (
            words.format(*match.groups())
            for form, words in SAID
            if (match := re.fullmatch(form, panel))
        ),
        panel,
    )


def explained(panel: str) -> str:
    """`markers_12` -> 12 marker genes (markers_12)."""
    return f"{said(panel)} ({panel})"
