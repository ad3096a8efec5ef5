"""Share of the best reachable score, on synthetic cohorts, whose model is known."""

import pandas as pd

from compendium.evaluation.results import Results
from compendium.evaluation.settled import last_fall

SHARE = 0.5
"""Share of the image-attainable PCC that a method is expected to reach."""


def reached(scores: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Set the PCC of each learnable gene beside the best that an image allows.

    Parameters
    ----------
    scores
        Scores of one split.
    truth
        section, gene, image_attainable, learnable (see `compendium.data.synthetic.expression`).

    Returns
    -------
    One row a method and gene: method, gene, pcc, image_attainable; both are means over the
    sections where the PCC exists.
    """
    rows = scores.dropna(subset="pcc").merge(truth[truth["learnable"]], on=["section", "gene"])
    values = rows.groupby(["method", "gene"], sort=False)[["pcc", "image_attainable"]]
    return values.mean().reset_index()


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the attainable PCC that each method reaches.

    Parameters
    ----------
    rows
        Table of `reached`.

    Returns
    -------
    One row a method: method, pcc, image_attainable (medians over genes), share (their ratio),
    reached (whether it is at least SHARE).
    """
    medians = rows.groupby("method", sort=False)[["pcc", "image_attainable"]].median()
    share = medians["pcc"] / medians["image_attainable"]
    return medians.assign(share=share, reached=share >= SHARE).reset_index()


def share_table(results: Results) -> pd.DataFrame:
    """Return `shares` beside `last_fall`, as the page prints it."""
    share = shares(results["attainable"]).merge(last_fall(results["curves"]), how="left")
    columns = {"image_attainable": "attainable", "reached": "half or more", "fall": "last fall"}
    return share.dropna(subset="pcc").rename(columns=columns).set_index("method")
