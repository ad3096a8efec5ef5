"""Tissue classes of HER2+ spots, the pathologist's or transferred ones, and their alignment.

The publishers aligned the sections of a patient to the annotated one, from which the others take
their labels.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy.spatial import cKDTree

from compendium.data.readers.tables import check_numbers, read_table
from compendium.data.section import NO_LABEL
from compendium.data.sources import cohort
from compendium.errors import BadInput

ANNOTATION, ALIGNMENT = "/ST-pat/", "/ST-cluster/"  # in the paths of the catalogue


def path_of(name: str, part: str) -> str:
    """Return the catalogued file of a section that lies under `part`, "" where there is none."""
    return next((path for path in cohort("her2st").section(name).files if part in path), "")


def annotated_section(name: str) -> str:
    """Return the other, annotated section of the patient; "" for the annotated one itself."""
    sections = cohort("her2st").sections
    others = (other for other in sections if other != name and path_of(other, ANNOTATION))
    patient = cohort("her2st").section(name).patient
    return next((other for other in others if sections[other].patient == patient), "")


def labels_of(
    root: Path, name: str, spots: np.ndarray, reach: float
) -> tuple[np.ndarray | None, str, list[str]]:
    """Read or transfer the class of each spot.

    Parameters
    ----------
    root
        Folder of the raw files.
    reach
        How far, in px of the annotated section's image, an annotated spot may lie from one that
        takes its class.

    Returns
    -------
    Labels (None where there are none), the section they are transferred from ("" for its own), and
    the files that were read.
    """
    if (own := path_of(name, ANNOTATION)) and (root / own).exists():
        return read_labels(root / own, spots), "", [own]
    if not (other := annotated_section(name)):
        return None, "", []
    files = [path_of(name, ALIGNMENT), path_of(other, ALIGNMENT), path_of(other, ANNOTATION)]
    if not all((root / path).exists() for path in files):
        return None, "", []
    here, there = (read_alignment(root / path) for path in files[:2])
    known = read_labels(root / files[2], there.index.to_numpy())
    if (known == NO_LABEL).all():
        mend = "fetch both again"
        raise BadInput(f"{root / files[2]} and {root / files[1]} have no spot in common; {mend}")
    return transferred(spots, here, there, known, reach), other, files


def read_labels(path: Path, spots: np.ndarray) -> np.ndarray:
    """Read the pathologist's class of each spot ("" where none), joined on the rounded place."""
    table = read_table(path, ("x", "y", "label")).dropna(subset=["x", "y"])
    classes = cohort("her2st").classes
    if unknown := sorted(set(table["label"]) - set(classes)):
        mend = "correct the table"
        raise BadInput(f"label {unknown[0]!r} in {path} is none of {', '.join(classes)}; {mend}")
    return _by_spot(spots, _spot_names(table, path), table["label"])


def _by_spot(spots: np.ndarray, names: pd.Index, labels: Iterable[str]) -> np.ndarray:
    """Return the label of each spot, "" where no name is its own."""
    known = dict(zip(names, labels, strict=True))
    return np.array([known.get(spot, NO_LABEL) for spot in spots])


def read_alignment(path: Path) -> pd.DataFrame:
    """Read a published alignment.

    Returns
    -------
    By spot [label, warped_x, warped_y]: the joint expression cluster, and the place in px of the
    annotated section's image.
    """
    table = read_table(path, ("x", "y", "label", "warped_x", "warped_y"))
    check_numbers(table[["warped_x", "warped_y"]], path)
    table.index = _spot_names(table, path)
    return table[["label", "warped_x", "warped_y"]]


def aligned_places(root: Path, name: str, spots: np.ndarray) -> Float64[np.ndarray, "spot 2"]:
    """Return the place of each spot of a section in the publishers' alignment of its patient.

    Parameters
    ----------
    root
        Folder of the raw files.
    name
        The section.
    spots
        Names of its counted spots.

    Returns
    -------
    Px of the annotated section's image; NaN for a spot that the alignment leaves out.

    Raises
    ------
    BadInput
        Where the file is missing or damaged, or has none of the spots.
    """
    path = root / path_of(name, ALIGNMENT)
    if not path.is_file():
        raise BadInput(f"no alignment of section {name} in {path}; run compendium fetch her2st")
    table = read_alignment(path)[["warped_x", "warped_y"]]
    places = table.reindex(spots).to_numpy(np.float64)
    if np.isnan(places).all():
        raise BadInput(f"{path} has no spot of section {name}; fetch it again")
    return places


def _spot_names(table: pd.DataFrame, path: Path) -> pd.Index:
    check_numbers(table[["x", "y"]], path)
    position = table[["x", "y"]].round().astype(int).astype(str)
    return pd.Index(position["x"] + "x" + position["y"])


def transferred(
    spots: np.ndarray, here: pd.DataFrame, there: pd.DataFrame, known: np.ndarray, reach: float
) -> np.ndarray:
    """Give each spot the class of the nearest annotated spot of the other section.

    Parameters
    ----------
    here, there
        Alignments of the section and of the annotated one.
    known
        Class of each row of `there`.
    reach
        In px; beyond it a spot has no class.
    """
    annotated = known != NO_LABEL
    rows, px = nearest(here, there[annotated])
    label = np.where(px <= reach, known[annotated][rows], NO_LABEL)
    return _by_spot(spots, here.index, label)


def nearest(here: pd.DataFrame, there: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row of `here` the number of the nearest row of `there`, and the px to it."""
    px, rows = cKDTree(there[["warped_x", "warped_y"]]).query(here[["warped_x", "warped_y"]])
    return rows, px


def agreement(root: Path, name: str, reach: float = np.inf) -> dict[str, float]:
    """Measure how well a section is aligned to the annotated one.

    Clusters come from the counts, so they test the alignment and not the pathologist.

    Returns
    -------
    spots, median_px; agreement, the share of spots whose nearest spot in the annotated section, if
    within reach, is of the same joint expression cluster; chance, the share that would be, were
    both drawn at random from the spots compared.
    """
    names = (name, annotated_section(name))
    here, there = (read_alignment(root / path_of(each, ALIGNMENT)) for each in names)
    rows, px = nearest(here, there)
    near = px <= reach
    mine, other = here["label"].to_numpy()[near], there["label"].to_numpy()[rows[near]]
    shares = [float((mine == one).mean() * (other == one).mean()) for one in set(mine)]
    return {
        "spots": int(near.sum()),
        "median_px": float(np.median(px[near])),
        "agreement": float((mine == other).mean()),
        "chance": sum(shares),
    }
