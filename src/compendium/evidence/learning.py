"""The learning bar: where the best reachable score is known, how much of it a method reaches, and why not more."""

import numpy as np
import pandas as pd
from jaxtyping import Float

BAR = 0.5  # share of the image-attainable PCC that a method is expected to reach
SETTLED = 0.02  # a loss that fell by less than this share in the last tenth of its epochs has settled


def reached(table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """One row a method and learnable gene: PCC and image-attainable PCC, both the mean over the same sections.

    table: scores of one split. known: section, gene, image_attainable, learnable (see compendium.data.synthetic). A missing PCC counts in neither mean.
    """
    rows = table.dropna(subset="pcc").merge(known[known["learnable"]], on=["section", "gene"])
    return rows.groupby(["method", "gene"], sort=False)[["pcc", "image_attainable"]].mean().reset_index()


def bar(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a method: medians over the learnable genes, their ratio, and whether that is the bar or above."""
    medians = rows.groupby("method", sort=False)[["pcc", "image_attainable"]].median()
    share = medians["pcc"] / medians["image_attainable"]
    return medians.assign(share=share, reached=share >= BAR).reset_index()


def reason(losses: Float[np.ndarray, "epoch"], linear: float) -> str:
    """Why a method stays below the bar, as far as its training curve and the linear model tell.

    losses: training loss of each epoch. linear: what ridge on the same features and sections reaches; NaN where it was not fitted.
    """
    told = _training(losses)
    if np.isfinite(linear):
        told += f"; ridge on the same features reaches {linear:.0%}"
    return told


def _training(loss: Float[np.ndarray, "epoch"]) -> str:
    tail = max(1, len(loss) // 10)
    fell = 1 - loss[-1] / loss[-1 - tail] if len(loss) > tail else 0.0
    if fell > SETTLED:
        return f"the loss still fell by {fell:.0%} in the last {tail} of {len(loss)} epochs: it is not trained to the end"
    return f"the loss had settled by epoch {len(loss)}: what it has learned of the training sections does not carry over"
