"""The classes of HER2+ spots: the pathologist's, or carried over from the annotated section of the patient, to which the publishers have aligned the others."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from compendium.data.readers.tables import check_numbers, read_table
from compendium.data.section import NO_LABEL
from compendium.data.sources import cohort
from compendium.errors import BadInput

LABELS = (
    "invasive cancer",
    "connective tissue",
    "adipose tissue",
    "immune infiltrate",
    "cancer in situ",
    "breast glands",
    "undetermined",
)
ANNOTATION, ALIGNMENT = "/ST-pat/", "/ST-cluster/"  # in the paths of the catalogue


def path_of(name: str, part: str) -> str:
    """The catalogued file of a section that lies under `part`, "" where there is none."""
    return next((path for path in cohort("her2st").section(name).files if part in path), "")


def annotated_section(name: str) -> str:
    """The other section of the patient that a pathologist has annotated; "" for that section itself."""
    facts = cohort("her2st")
    patient = facts.section(name).patient
    return next(
        (
            other
            for other, source in facts.sections.items()
            if source.patient == patient and other != name and path_of(other, ANNOTATION)
        ),
        "",
    )


def labels_of(
    root: Path, name: str, spots: np.ndarray, reach: float
) -> tuple[np.ndarray | None, str, list[str]]:
    """The class of each spot (None where there is none to be had), the section they are carried over from ("" for its own), and the files that were read.

    reach: how far, in px of the annotated section's image, an annotated spot may lie from one that takes its class.
    """
    if (own := path_of(name, ANNOTATION)) and (root / own).exists():
        return read_labels(root / own, spots, f"her2st section {name}"), "", [own]
    if not (other := annotated_section(name)):
        return None, "", []
    files = [path_of(name, ALIGNMENT), path_of(other, ALIGNMENT), path_of(other, ANNOTATION)]
    if not all((root / path).exists() for path in files):
        return None, "", []
    here, there = (
        read_alignment(root / path, f"her2st section {section}")
        for path, section in zip(files[:2], (name, other), strict=True)
    )
    known = read_labels(root / files[2], there.index.to_numpy(), f"her2st section {other}")
    if (known == NO_LABEL).all():
        raise BadInput(
            f"her2st section {other}: {root / files[2]} and {root / files[1]} have no spot in common; fetch both again"
        )
    return carried_over(spots, here, there, known, reach), other, files


def read_labels(path: Path, spots: np.ndarray, where: str) -> np.ndarray:
    """The pathologist's class of each spot ("" where none); joined on the rounded array position."""
    table = read_table(path, ("x", "y", "label"), where).dropna(subset=["x", "y"])
    unknown = sorted(set(table["label"]) - set(LABELS))
    if unknown:
        raise BadInput(
            f"{where}: label {unknown[0]!r} in {path} is none of {', '.join(LABELS)}; correct the table"
        )
    by_spot = dict(zip(_spot_names(table, path, where), table["label"], strict=True))
    return np.array([by_spot.get(spot, NO_LABEL) for spot in spots])


def read_alignment(path: Path, where: str) -> pd.DataFrame:
    """A published alignment by spot: [label, warped_x, warped_y], the joint expression cluster and the place in px of the annotated section's image."""
    table = read_table(path, ("x", "y", "label", "warped_x", "warped_y"), where)
    check_numbers(table[["warped_x", "warped_y"]], path, where)
    table.index = _spot_names(table, path, where)
    return table[["label", "warped_x", "warped_y"]]


def _spot_names(table: pd.DataFrame, path: Path, where: str) -> pd.Index:
    check_numbers(table[["x", "y"]], path, where)
    position = table[["x", "y"]].round().astype(int).astype(str)
    return pd.Index(position["x"] + "x" + position["y"])


def carried_over(
    spots: np.ndarray, here: pd.DataFrame, there: pd.DataFrame, known: np.ndarray, reach: float
) -> np.ndarray:
    """For each spot the class of the nearest annotated spot of the other section; "" where none lies within reach, or the alignment has no such spot.

    here, there: alignments of the section and of the annotated one; known: the class of each row of `there`.
    """
    annotated = known != NO_LABEL
    rows, px = nearest(here, there[annotated])
    label = np.where(px <= reach, known[annotated][rows], NO_LABEL)
    by_spot = dict(zip(here.index, label, strict=True))
    return np.array([by_spot.get(spot, NO_LABEL) for spot in spots])


def nearest(here: pd.DataFrame, there: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `here` the nearest row of `there`, by number, and its distance in px."""
    px, rows = cKDTree(there[["warped_x", "warped_y"]]).query(here[["warped_x", "warped_y"]])
    return rows, px


def agreement(root: Path, name: str, reach: float = np.inf) -> dict[str, float]:
    """How well a section's alignment to the annotated one holds: spots, median_px, and the agreement of joint expression clusters beside chance.

    agreement: share of spots whose nearest spot in the annotated section, if within reach, is of the same cluster. chance: the share that would be, were
    both drawn at random from the spots compared. Clusters come from the counts, so they test the alignment and not the pathologist.
    """
    here, there = (
        read_alignment(root / path_of(each, ALIGNMENT), f"her2st section {each}")
        for each in (name, annotated_section(name))
    )
    rows, px = nearest(here, there)
    near = px <= reach
    mine, other = here["label"].to_numpy()[near], there["label"].to_numpy()[rows[near]]
    chance = sum(
        float((mine == cluster).mean() * (other == cluster).mean()) for cluster in set(mine)
    )
    return {
        "spots": int(near.sum()),
        "median_px": float(np.median(px[near])),
        "agreement": float((mine == other).mean()),
        "chance": chance,
    }
