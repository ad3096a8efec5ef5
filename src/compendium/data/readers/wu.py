"""Reader of the Visium sections of Wu et al. (2021).

Their archives as they are unpacked, or a folder a section as the benchmark has them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.download.checksums import blob_id
from compendium.data.readers import visium
from compendium.data.readers.tables import one_line
from compendium.data.section import NO_LABEL, Section
from compendium.data.sources import cohort
from compendium.errors import BadInput

# The publishers' own choice of spots; every spot in tissue, of which theirs lacks poor ones.
FILTERED, UNFILTERED = "filtered", "unfiltered"
PLACES = {  # of a section's files, {} its name: the first that is there
    FILTERED: ("filtered_count_matrices/{}_*", "{}/filtered_count_matrix"),
    UNFILTERED: ("raw_count_matrices/{}_*", "{}/raw_feature_bc_matrix"),
    "spatial": ("spatial/{}_spatial", "{}/spatial"),
    "metadata": ("metadata/{}_metadata.csv", "{}/metadata.csv"),
    "image": ("images/{}.*", "{}/image.*"),
}
LABELS = "Classification"  # column of the metadata
# Class -> labels of the pathologist, after a later version of the benchmark; other labels have
# none. DCIS is normal there, and here what it is.
CLASSES = {
    "invasive cancer": (
        "Invasive cancer",
        "Invasive cancer + stroma",
        "Invasive cancer + lymphocytes",
        "Invasive cancer + stroma + lymphocytes",
        "Invasive cancer + adipose tissue + lymphocytes",
    ),
    "stroma": ("Stroma", "Stroma + adipose tissue", "Adipose tissue"),
    "lymphocyte": (
        "Lymphocytes",
        "Normal glands + lymphocytes",
        "Normal + stroma + lymphocytes",
        "Cancer trapped in lymphocyte aggregation",
    ),
    "normal": ("Normal duct",),
    "cancer in situ": ("DCIS",),
}
GROUPS = {label: name for name, labels in CLASSES.items() for label in labels}


def read(root: Path, name: str, px: int, spots: str = FILTERED) -> Section:
    """Read one section of the cohort from its raw files under `root`.

    Parameters
    ----------
    px
        Side of the stored patches in px of the full image.
    spots
        `filtered`, or `unfiltered` as HisToGene and Hist2ST were benchmarked.

    Returns
    -------
    Section with the classes of GROUPS as labels; counts-only without an image, and without labels
    where there is no metadata.
    """
    if spots not in (FILTERED, UNFILTERED):
        raise BadInput(f"unknown --spots {spots}; known: {FILTERED}, {UNFILTERED}")
    source = cohort("wu").section(name)
    images = _found(root, "image", name)
    image = visium.find_image(images, source.where, images[0].stem) if images else None
    files = visium.Files(root, _needed(root, spots, name), _needed(root, "spatial", name), image)
    section = replace(visium.read_files(files, source, px), spot_set=spots)
    if not (tables := _found(root, "metadata", name)):
        return section
    labels = read_labels(tables[0], section.spots, section.genes, source.where)
    sources = section.sources | {str(tables[0].relative_to(root)): blob_id(tables[0])}
    return replace(section, labels=labels, sources=sources)


def counted(root: Path) -> list[str]:
    """Return the names of the sections of which counts lie under `root`."""
    return [
        name
        for name in cohort("wu").sections
        if _found(root, FILTERED, name) or _found(root, UNFILTERED, name)
    ]


def read_labels(path: Path, spots: np.ndarray, genes: np.ndarray, where: str) -> np.ndarray:
    """Read the class of each spot (GROUPS; "" where none), joined by barcode."""
    try:
        table = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise BadInput(
            f"{where}: {path} is no comma-separated table ({one_line(error)}); fetch it again"
        ) from error
    if LABELS not in table:
        raise BadInput(
            f"{where}: {path} lacks the column {LABELS}; it should be the publishers' table of "
            "their spots, fetch it again"
        )
    if doubled := sorted({*table.columns} & {*genes}):
        raise BadInput(
            f"{where}: {doubled[0]} is a column of {path} and a gene of the counts; "
            "a name must mean one thing, take the column out of the table"
        )
    if len(twice := table.index[table.index.duplicated()]):
        raise BadInput(
            f"{where}: spot {twice[0]} stands twice in {path}; keep one row of each spot"
        )
    if not table.index.isin(spots).any():
        raise BadInput(
            f"{where}: {path} and the counts have no spot in common, e.g. {spots[0]}; "
            "both must be of one section"
        )
    stated = table[LABELS].str.strip().reindex(spots, fill_value=NO_LABEL)
    return np.array([GROUPS.get(label, NO_LABEL) for label in stated])


def _found(root: Path, what: str, name: str) -> list[Path]:
    """Return files or folders of a kind in the first place that has any."""
    places = (sorted(root.glob(place.format(name))) for place in PLACES[what])
    return next(filter(None, places), [])


def _needed(root: Path, what: str, name: str) -> Path:
    """Return the one folder of a kind; of a matrix the one in which its files lie."""
    found = _found(root, what, name)
    if what != "spatial":
        found = sorted({path.parent for each in found for path in each.rglob("matrix.mtx*")})
    if len(found) != 1:
        there = " and ".join(str(path) for path in found) or "nothing"
        kind = "spatial positions" if what == "spatial" else f"{what} counts"
        raise BadInput(
            f"wu section {name}: where one folder of {kind} should be, "
            f"{root / PLACES[what][0].format(name)}, is {there}; run compendium fetch wu"
        )
    return found[0]
