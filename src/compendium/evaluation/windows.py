"""Whole slides against windows of 4,000 px, on synthetic Visium slides whose model is known."""

import pandas as pd

from compendium.data.windows import CLEAN, PUBLISHED, WHOLE
from compendium.methods import describe
from compendium.storage import resource

FILE = "windows/scores.csv"
SOURCE = "benchmarks/windows.py · synthetic Visium slides · data/windows/scores.csv"
"""Provenance line under tables of these scores."""
ATTAINABLE = "attainable"
"""Name of the row of what images tell, in place of a method."""
TITLES = {WHOLE: "whole slide", PUBLISHED: "windows as published", CLEAN: "windows, no spot lost"}


def read() -> pd.DataFrame:
    """Read data/windows/scores.csv: one row a fit, test slide and kind of genes."""
    return pd.read_csv(resource(FILE))


def by_windows(rows: pd.DataFrame) -> pd.DataFrame:
    """Set windows beside the whole slide.

    Parameters
    ----------
    rows
        Columns method, windows, equal (steps of the optimiser, or passes over the slides), seed,
        section, follows (tile or neighbourhood: what a gene follows), pcc (median over genes),
        pieces, lost, doubled.

    Returns
    -------
    One row a method, kind of windows and what is equal: method (title), windows, equal, the mean
    over seeds and slides of the PCC of each kind of genes, change (mean over both kinds, minus that
    of the whole slide), lowest and highest change of a seed, windows a slide, and spots lost and
    doubled on all test slides.
    """
    key = ["method", "windows", "equal"]
    found = rows.groupby([*key, "follows"], sort=False)["pcc"].mean().unstack("follows")
    by_seed = rows.groupby([*key, "seed"], sort=False)["pcc"].mean().reset_index()
    whole = by_seed[by_seed["windows"] == WHOLE].set_index(["method", "seed"])["pcc"]
    by_seed["change"] = by_seed["pcc"] - whole.reindex(by_seed[["method", "seed"]]).to_numpy()
    change = by_seed[by_seed["windows"] != WHOLE].groupby(key)["change"]
    found = found.join(change.agg(change="mean", lowest="min", highest="max"))
    slides = rows.drop_duplicates([*key, "section"]).groupby(key)
    found["windows a slide"] = slides["pieces"].mean()
    found = found.join(slides[["lost", "doubled"]].sum()).reset_index()
    titles = {name: describe(name).title for name in found["method"] if name != ATTAINABLE}
    return found.rename_axis(columns=None).replace({"windows": TITLES, "method": titles})
