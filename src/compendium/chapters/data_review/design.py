"""Design of the data review: the sections that are described; nothing is fitted."""

from collections.abc import Sequence

from compendium.data.splits import Placed
from compendium.evaluation.comparison import Design
from compendium.evaluation.describe import printed

LISTS = {"HER2+": "hvg_769", "Visium": "hvg_685"}
"""Gene list of the benchmark by the data set as its Table 1 names it."""


def design(
    cohort: str, sections: Sequence[Placed], panel: str = "", bins: int = 32, slides: int = 6
) -> Design:
    """Return what the data review describes; no run belongs to it.

    Parameters
    ----------
    cohort
        Cohort whose prepared sections are counted.
    sections
        Sections whose images are described.
    panel
        Genes searched for missing variance; by default the benchmark's list where it has the
        cohort, else all.
    bins
        Bins of the colour histograms.
    slides
        How many slides are drawn at most.
    """
    asked = {
        "panel": panel or LISTS.get(printed(cohort).get("dataset"), "all"),
        "channel_bins": bins,
        "slides": slides,
    }
    return Design(cohort, sections, {}, "counts and images as deposited, no transform", asked)
