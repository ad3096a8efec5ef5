"""Whose the labels of sections are, what they say, and how far labels that were carried over can be trusted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.readers.her2st import PITCH_UM
from compendium.data.readers.her2st_labels import ALIGNMENT, agreement, path_of
from compendium.data.section import NO_LABEL, Section
from compendium.evaluation.classification import CANCER
from compendium.runs.inputs.batches import UNDETERMINED


def carried(sections: Sequence[Section]) -> str:
    """Which sections have labels of another, as a page says it; "" where none has: C2, C3 transferred from the adjacent section C1; ..."""
    lines: dict[str, list[str]] = {}
    for section in sections:
        if section.labels_from:
            lines.setdefault(section.labels_line, []).append(section.name)
    return "; ".join(f"{', '.join(names)} {line}" for line, names in lines.items())


def labelling(sections: Sequence[Section]) -> pd.DataFrame:
    """One row a section: [section, patient, labels, spots, with a class, undetermined, commonest class, its share, cancer]; shares are of the spots with a class."""
    rows = []
    for section in sections:
        labels = np.full(len(section), NO_LABEL) if section.labels is None else section.labels
        known = pd.Series(labels[~np.isin(labels, (NO_LABEL, UNDETERMINED))], dtype=str)
        share = known.value_counts(normalize=True)
        own = "none" if section.labels is None else "its own"
        facts = {
            "section": section.name,
            "patient": section.patient,
            "labels": section.labels_line or own,
            "spots": len(section),
            "with a class": len(known),
        }
        facts |= {
            "undetermined": int((labels == UNDETERMINED).sum()),
            "commonest class": share.index[0] if len(share) else "",
        }
        rows.append(
            facts
            | {
                "its share": share.iloc[0] if len(share) else np.nan,
                "cancer": known.isin(CANCER).mean() if len(known) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def transfer(sections: Sequence[Section], root: Path) -> pd.DataFrame:
    """How well the published alignment holds for each HER2+ section whose labels were carried over, from the files under `root`; see data.labels.agreement.

    [section, from, aligned spots, agreement, chance, spots within reach, agreement within reach, labelled spots]; NaN where the files are not there.
    """
    rows = []
    for section in (section for section in sections if section.labels_from):
        facts = {"section": section.name, "from": section.labels_from}
        if all(
            (root / path_of(name, ALIGNMENT)).exists()
            for name in (section.name, section.labels_from)
        ):
            whole, near = (
                agreement(root, section.name, reach)
                for reach in (np.inf, PITCH_UM / section.um_per_px / 2)
            )
            facts |= {
                "aligned spots": whole["spots"],
                "agreement": whole["agreement"],
                "chance": whole["chance"],
            }
            facts |= {
                "spots within reach": near["spots"],
                "agreement within reach": near["agreement"],
            }
        rows.append(facts | {"labelled spots": int((section.labels != NO_LABEL).sum())})
    columns = [
        "section",
        "from",
        "aligned spots",
        "agreement",
        "chance",
        "spots within reach",
        "agreement within reach",
        "labelled spots",
    ]
    return pd.DataFrame(rows, columns=columns)
