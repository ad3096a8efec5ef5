"""Reader of the HER2+ breast tumour cohort (Andersson et al. 2021) in the layout of its public repository."""

from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.download.checksums import blob_id
from compendium.data.readers import slides
from compendium.data.readers.her2st_labels import labels_of
from compendium.data.readers.tables import (
    check_numbers,
    in_order,
    read_counts,
    read_table,
    um_per_px,
)
from compendium.data.section import Section
from compendium.data.sources import cohort
from compendium.errors import BadInput

PITCH_UM = 200.0  # centre-to-centre distance of the spots of the legacy array (Ståhl et al. 2016)


def read(root: Path, name: str, px: int) -> Section:
    """One section of the cohort from its raw files under `root`; without an image file it is counts-only, without labels of its own it takes those of data/labels.py.

    Spots are the rows of the count matrix; `px` is the side of the stored patches in pixels of the full image.
    """
    facts = cohort("her2st").section(name)
    where = f"her2st section {name}"
    files = _present(root, facts.files, where)
    spots, genes, counts = read_counts(root / files["counts"], where)
    table = read_spots(root / files["spots"], spots, where)
    pixels = table[["pixel_x", "pixel_y"]].to_numpy(np.float32)
    grid = table[["x", "y"]].to_numpy(np.int32)
    image = {}
    if "image" in files:
        image = slides.section_fields(slides.read_slide(root / files["image"]), pixels, px, where)
    scale = um_per_px(PITCH_UM, grid, pixels, where)
    labels, labels_from, labelling = labels_of(root, name, spots, reach=PITCH_UM / scale / 2)
    return Section(
        cohort="her2st",
        name=name,
        patient=facts.patient,
        lab=facts.lab,
        technology=facts.technology,
        genes=genes,
        spots=spots,
        grid=grid,
        pixels=pixels,
        um_per_px=scale,
        counts=counts,
        labels=labels,
        labels_from=labels_from,
        sources={path: blob_id(root / path) for path in sorted([*files.values(), *labelling])},
        **image,
    )


def counted(root: Path) -> list[str]:
    """Names of the sections whose count table lies under `root`."""
    listed = cohort("her2st").sections
    return [
        name
        for name, facts in listed.items()
        if any("/ST-cnts/" in path and (root / path).exists() for path in facts.files)
    ]


def _present(root: Path, catalogued: dict[str, str], where: str) -> dict[str, str]:
    """Kind of file -> relative path, for the catalogued files that lie under `root`; counts and spots must."""
    kinds = {"ST-cnts": "counts", "ST-spotfiles": "spots", "ST-imgs": "image"}
    files = {
        kind: path
        for path in catalogued
        for part, kind in kinds.items()
        if f"/{part}/" in f"/{path}" and (root / path).exists()
    }
    for kind in ("counts", "spots"):
        if kind not in files:
            raise BadInput(
                f"{where}: no {kind} file under {root}; run compendium fetch her2st first"
            )
    return files


def read_spots(path: Path, spots: np.ndarray, where: str) -> pd.DataFrame:
    """Rows of the spot table (x, y, pixel_x, pixel_y, ...) in the order of the counted spots."""
    table = read_table(path, ("x", "y", "pixel_x", "pixel_y"), where)
    check_numbers(table[["x", "y", "pixel_x", "pixel_y"]], path, where)
    table.index = table["x"].astype(str) + "x" + table["y"].astype(str)
    return in_order(table, spots, path, where)
