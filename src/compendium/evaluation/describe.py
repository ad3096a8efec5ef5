"""What sections and published tables hold, as several chapters and figures describe it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.storage import resource

CHANNELS = ("red", "green", "blue")
TILES = {
    112: "HisToGene, Hist2ST",
    224: "ST-Net, BLEEP",
    299: "STimage",
    376: "DeepSpaCE (shrunk to 224)",
}
"""Side of the square that methods cut from the image, px: Table S1 of the benchmark. It gives
DeepSpaCE the 224 px to which the code shrinks what it cuts, 2.5 radii of 75 px to each side."""


def printed(cohort: str, tissue: str = "") -> dict[str, object]:
    """Return what Table 1 of the benchmark prints of a cohort (data/published/table1.csv).

    Parameters
    ----------
    cohort
        A cohort, or several joined by `+`.
    tissue
        "frozen" or "FFPE" for these rows alone; all by default.

    Returns
    -------
    The first row, with patients, sections and spots of all rows; empty where a cohort is missing.
    """
    table, names = pd.read_csv(resource("published/table1.csv")), cohort.split("+")
    rows = table[table["cohort"].isin(names)]
    rows = rows[rows["tissue"] == tissue] if tissue else rows
    if set(rows["cohort"]) != set(names):
        return {}
    return rows.iloc[0].to_dict() | rows[["patients", "sections", "spots"]].sum().to_dict()


def image_sides(section: Section) -> tuple[int, int]:
    """Return width and height of the full image in px, to about one pixel of the thumbnail."""
    height, width = section.thumbnail.shape[:2]
    return round(width / section.thumbnail_scale), round(height / section.thumbnail_scale)


def channel_shares(sections: Iterable[Section], bins: int = 32, step: int = 8) -> pd.DataFrame:
    """Return how often each brightness occurs around the spots.

    Parameters
    ----------
    sections
        Sections; those without an image are left out.
    bins
        Bins of the histogram over the 256 levels.
    step
        Every `step`-th row and column of a stored tile is counted.

    Returns
    -------
    One line a section, channel and bin: section, patient, lab, channel, level (middle of the bin,
    0 dark to 255 bright), share (of the pixels; sums to 1 over the levels).
    """
    if not 2 <= bins <= 256:
        raise BadInput(
            f"channel_bins {bins} is out of range: colours have 256 levels; give 2 to 256"
        )
    tables = []
    for section in sections:
        if section.stored_tiles is None:
            continue
        facts = {"section": section.name, "patient": section.patient, "lab": section.lab}
        pixels = np.asarray(section.stored_tiles[:, step // 2 :: step, step // 2 :: step]).reshape(
            -1, 3
        )
        for channel, values in zip(CHANNELS, pixels.T, strict=True):
            counts, edges = np.histogram(values, bins=bins, range=(0, 256))
            levels, shares = (edges[:-1] + edges[1:] - 1) / 2, counts / counts.sum()
            table = facts | {"channel": channel, "level": levels, "share": shares}
            tables.append(pd.DataFrame(table))
    columns = ["section", "patient", "lab", "channel", "level", "share"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
