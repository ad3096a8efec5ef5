"""Design of the data review: the sections that are described; nothing is fitted."""

from collections.abc import Sequence

from compendium.evaluation.comparison import Design, placed
from compendium.evaluation.describe import printed

LISTS = {"HER2+": "hvg_769", "Visium": "hvg_685"}
"""Gene list of the benchmark by the data set as its Table 1 names it."""


def design(cohort: str, names: Sequence[str] | None, panel: str, bins: int, slides: int) -> Design:
    """Plan what the data review describes; no run belongs to it.

    Parameters
    ----------
    cohort
        Cohort whose prepared sections are counted.
    names
        Sections whose images are described, by default all.
    panel
        Genes searched for missing variance; by default the benchmark's list where it has the
        cohort, else all.
    bins
        Bins of the colour histograms.
    slides
        How many slides are drawn at most.
    """
    genes = panel or LISTS.get(printed(cohort).get("dataset"), "all")
    facts = {"panel": genes, "channel_bins": bins, "slides": slides}
    protocol = "counts and images as deposited, no transform"
    return Design(cohort, placed(cohort, names), {}, protocol, facts)
