"""Reader of the HER2+ breast tumours of Andersson et al. (2021), as their repository has them."""

from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.download.checksums import blob_id
from compendium.data.readers import slides, tables
from compendium.data.readers.her2st_labels import labels_of
from compendium.data.section import ARRAYS, Section
from compendium.data.sources import SectionSource, cohort
from compendium.errors import BadInput

PITCH_UM = ARRAYS["square"][1]
PLACE = ("x", "y", "pixel_x", "pixel_y")
KINDS = {"ST-cnts": "counts", "ST-spotfiles": "spots", "ST-imgs": "image"}  # by folder


def read(root: Path, name: str, px: int) -> Section:
    """Read one section of the cohort from its raw files under `root`.

    Parameters
    ----------
    px
        Side of the stored tiles in px of the full image.

    Returns
    -------
    Section with the spots of the count matrix; counts-only without an image file. Without labels of
    its own it has those that her2st_labels.py transfers.

    Raises
    ------
    BadInput
        Where counts or spots are missing, or a file is damaged.
    """
    source = cohort("her2st").section(name)
    files = _present(root, source.files)
    spots, genes, counts = tables.read_counts(root / files["counts"])
    table = read_spots(root / files["spots"], spots)
    pixels = table[["pixel_x", "pixel_y"]].to_numpy(np.float32)
    grid = table[["x", "y"]].to_numpy(np.int32)
    slide = slides.read_slide(root / files["image"]) if "image" in files else None
    image = slides.section_fields(slide, pixels, px) if slide else {}
    scale = tables.measured(PITCH_UM, grid, pixels)
    labels, labels_from, labelling = labels_of(root, name, spots, reach=PITCH_UM / scale / 2)
    measured = {"genes": genes, "spots": spots, "counts": counts, "grid": grid, "pixels": pixels}
    return Section(
        **source.section_facts(),
        **measured,
        um_per_px=scale,
        labels=labels,
        labels_from=labels_from,
        sources={path: blob_id(root / path) for path in sorted([*files.values(), *labelling])},
        **image,
    )


def has_counts(root: Path, source: SectionSource) -> bool:
    """Test whether counts of a section lie under `root`."""
    return any("/ST-cnts/" in path and (root / path).exists() for path in source.files)


def _present(root: Path, catalogued: dict[str, str]) -> dict[str, str]:
    """Return kind -> relative path of the files under `root`; counts and spots must be there."""
    there = [path for path in catalogued if (root / path).exists()]
    files = {kind: path for path in there for part, kind in KINDS.items() if f"/{part}/" in path}
    if missing := [kind for kind in ("counts", "spots") if kind not in files]:
        raise BadInput(f"no {missing[0]} file under {root}; run compendium fetch her2st first")
    return files


def read_spots(path: Path, spots: np.ndarray) -> pd.DataFrame:
    """Read the spot table (x, y, pixel_x, pixel_y, ...) in the order of the counted spots."""
    table = tables.read_table(path, PLACE)
    tables.check_numbers(table[[*PLACE]], path)
    table.index = table["x"].astype(str) + "x" + table["y"].astype(str)
    return tables.in_order(table, spots, path)
