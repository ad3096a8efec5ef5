"""BLEEP trained towards its enlarged genes, against BLEEP trained towards the panel alone."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.evaluation.comparison import Fitted, Job, over_seeds
from compendium.evaluation.scores import by_panel

METHOD = "bleep"
UNION = "hvg_union({})"
SCORES = ("pcc", "pcc_pearson")
"""The PCC on both targets."""


def jobs(fits: Sequence[Job], genes: int | None) -> list[Job]:
    """Plan each fit of BLEEP again, towards more genes.

    Parameters
    ----------
    fits
        Fits of the chapter.
    genes
        Variable genes of each training section that are added to the panel; None plans nothing.
    """
    own = [(key, run) for key, run in fits if key == METHOD]
    if not genes:
        return []
    if not own:
        raise BadInput(f"enlarged={genes} is for {METHOD}; add it to methods, or leave it out")
    if "all" in own[0][1].panel.split("+"):
        raise BadInput(f"enlarged={genes} adds no gene to panel=all; give another panel")
    return [(key, replace(run, panel=f"{UNION.format(genes)}+{run.panel}")) for key, run in own]


def table(alone: Fitted, enlarged: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Compare both on the genes of the panel that have a correlation in both.

    Parameters
    ----------
    alone, enlarged
        Fits of BLEEP towards the panel, and towards more genes.
    sections
        The sections.

    Returns
    -------
    One row a split, part of the panel and section: split, panel, section, patient, trained (genes
    that the enlarged fit was trained towards), genes (compared); medians over these of pcc and
    pcc_pearson, means over seeds, each as NAME_alone, NAME_enlarged and NAME_difference.
    """
    place = ["split", "section", "patient"]
    if not enlarged.jobs:
        return pd.DataFrame(columns=place)
    small, large = (over_seeds(each.scores(sections)) for each in (alone, enlarged))
    large["trained"] = large.groupby(["split", "section"])["gene"].transform("size")
    columns = [*place, "gene", *SCORES]
    both = small[[*columns, "panels"]].merge(
        large[[*columns, "trained"]], on=[*place, "gene"], suffixes=("_alone", "_enlarged")
    )
    values = [f"{name}_{which}" for name in SCORES for which in ("alone", "enlarged")]
    rows = by_panel(both.dropna(subset=values))
    groups = rows.groupby(["split", "panel", "section", "patient", "trained"], sort=False)
    found = groups[values].median().assign(genes=groups.size())
    for name in SCORES:
        found[f"{name}_difference"] = found[f"{name}_enlarged"] - found[f"{name}_alone"]
    return found.reset_index().sort_values(["panel", "split"], kind="stable", ignore_index=True)


def printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `table` as the page prints it."""
    titles = {"pcc": "PCC (wide)", "pcc_pearson": "PCC (Pearson residuals)"}
    values = {
        f"{name}_{which}": f"{title}, {which}"
        for name, title in titles.items()
        for which in ("alone", "enlarged", "difference")
    }
    names = {"trained": "genes trained on"} | values
    return rows[["panel", "split", "section", "genes", *names]].rename(columns=names)
