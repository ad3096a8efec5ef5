"""Reader of the Visium sections of Wu et al. (2021).

Their archives as they are unpacked, or a folder a section as the benchmark has them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from compendium.data.download.checksums import blob_id
from compendium.data.readers import tables, visium
from compendium.data.section import NO_LABEL, Section, check_once
from compendium.data.sources import SectionSource, cohort
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


def read(root: Path, name: str, px: int, spots: str = FILTERED) -> Section:
    """Read one section of the cohort from its raw files under `root`.

    Parameters
    ----------
    px
        Side of the stored tiles in px of the full image.
    spots
        `filtered`, or `unfiltered` as HisToGene and Hist2ST were benchmarked.

    Returns
    -------
    Section with the classes of the catalogue as labels; counts-only without an image, and without
    labels where there is no metadata.
    """
    if spots not in (FILTERED, UNFILTERED):
        raise BadInput(f"unknown --spots {spots}; known: {FILTERED}, {UNFILTERED}")
    source = cohort("wu").section(name)
    images = _found(root, "image", name)
    image = visium.find_image(images, images[0].stem) if images else None
    places = (_needed(root, spots, name), _needed(root, "spatial", name), image)
    section = replace(visium.read_files(root, *places, source, px), spot_set=spots)
    if not (listed := _found(root, "metadata", name)):
        return section
    labels = read_labels(listed[0], section.spots, section.genes)
    sources = section.sources | {str(listed[0].relative_to(root)): blob_id(listed[0])}
    return replace(section, labels=labels, sources=sources)


def has_counts(root: Path, source: SectionSource) -> bool:
    """Test whether counts of a section lie under `root`."""
    return any(_found(root, spots, source.name) for spots in (FILTERED, UNFILTERED))


def read_labels(path: Path, spots: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """Read the class of each spot ("" where none), joined by barcode.

    The catalogue states the classes, after a later version of the benchmark; other labels of the
    pathologist have none. DCIS is normal there, and here what it is.
    """
    table = tables.read_table(path, (LABELS,))
    if doubled := sorted({*table.columns} & {*genes}):
        mend = "a name must mean one thing, take the column out of the table"
        raise BadInput(f"{doubled[0]} is a column of {path} and a gene of the counts; {mend}")
    table = table.set_index(table.columns[0])
    check_once("spot", table.index, path)
    if not table.index.isin(spots).any():
        mend = "both must be of one section"
        raise BadInput(f"{path} and the counts have no spot in common, e.g. {spots[0]}; {mend}")
    stated = table[LABELS].str.strip().reindex(spots, fill_value=NO_LABEL)
    named = {label: group for group, labels in cohort("wu").classes.items() for label in labels}
    return np.array([named.get(label, NO_LABEL) for label in stated])


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
        place = f"one folder of {kind} should be, {root / PLACES[what][0].format(name)},"
        raise BadInput(f"where {place} is {there}; run compendium fetch wu")
    return found[0]
