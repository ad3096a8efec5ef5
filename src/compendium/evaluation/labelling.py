"""Where the tissue labels of sections come from, and how far transferred labels can be trusted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.readers.her2st import PITCH_UM
from compendium.data.readers.her2st_labels import ALIGNMENT, agreement, path_of
from compendium.data.section import NO_LABEL, Section
from compendium.evaluation.classification import CANCER, known
from compendium.runs.inputs.batches import UNDETERMINED, labels_of

TRANSFER = (
    "section, from, aligned spots, agreement, chance, spots within reach, "
    "agreement within reach, labelled spots"
).split(", ")


def transferred(sections: Sequence[Section]) -> str:
    """Name the sections with transferred labels: "C2, C3 transferred from …; B4 …"."""
    lines: dict[str, list[str]] = {}
    for section in sections:
        if section.labels_from:
            lines.setdefault(section.labels_line, []).append(section.name)
    return "; ".join(f"{', '.join(names)} {line}" for line, names in lines.items())


def labelling(sections: Sequence[Section]) -> pd.DataFrame:
    """Describe the labels of each section.

    Returns
    -------
    One row a section: section, patient, labels (their source), spots, with a class, undetermined
    (numbers of spots), commonest class, its share, cancer (shares of the spots with a class).
    """
    rows = []
    for section in sections:
        classes = pd.Series(labels_of(section)[known(section)], dtype=str)
        own = "none" if section.labels is None else "its own"
        share = classes.value_counts(normalize=True)
        rows.append(
            {
                "section": section.name,
                "patient": section.patient,
                "labels": section.labels_line or own,
                "spots": len(section),
                "with a class": len(classes),
                "undetermined": int((labels_of(section) == UNDETERMINED).sum()),
                "commonest class": share.index[0] if len(share) else "",
                "its share": share.iloc[0] if len(share) else np.nan,
                "cancer": classes.isin(CANCER).mean() if len(classes) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def transfer(sections: Sequence[Section], root: Path) -> pd.DataFrame:
    """Measure the alignment of each HER2+ section with transferred labels.

    Parameters
    ----------
    sections
        Sections; those with labels of their own are left out.
    root
        Folder of the raw HER2+ files.

    Returns
    -------
    One row a section, columns TRANSFER: agreement is the share of spots whose nearest spot of the
    annotated section lies in the same expression cluster, chance the share of a random pair (see
    `compendium.data.readers.her2st_labels.agreement`); both over all aligned spots, and agreement
    also over those within half a spot pitch. NaN where the files are missing.
    """
    rows = [
        {"section": section.name, "from": section.labels_from}
        | _agreement(section, root)
        | {"labelled spots": int((section.labels != NO_LABEL).sum())}
        for section in sections
        if section.labels_from
    ]
    return pd.DataFrame(rows, columns=TRANSFER)


def _agreement(section: Section, root: Path) -> dict[str, float]:
    files = (root / path_of(name, ALIGNMENT) for name in (section.name, section.labels_from))
    if not all(file.exists() for file in files):
        return {}
    reach = PITCH_UM / section.um_per_px / 2
    every, near = (agreement(root, section.name, limit) for limit in (np.inf, reach))
    return {
        "aligned spots": every["spots"],
        "agreement": every["agreement"],
        "chance": every["chance"],
        "spots within reach": near["spots"],
        "agreement within reach": near["agreement"],
    }
