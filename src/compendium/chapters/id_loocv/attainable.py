"""The learning bar: where the best reachable score is known, how much of it a method reaches, and why not more."""

import numpy as np
import pandas as pd
from jaxtyping import Float

BAR = 0.5  # share of the image-attainable PCC that a method is expected to reach
SETTLED = (
    0.02  # a loss that fell by less than this share in the last tenth of its epochs has settled
)


def reached(table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """One row a method and learnable gene: PCC and image-attainable PCC, both the mean over the same sections.

    table: scores of one split. known: section, gene, image_attainable, learnable (see compendium.data.synthetic.truth). A missing PCC counts in neither mean.
    """
    rows = table.dropna(subset="pcc").merge(known[known["learnable"]], on=["section", "gene"])
    return (
        rows.groupby(["method", "gene"], sort=False)[["pcc", "image_attainable"]]
        .mean()
        .reset_index()
    )


def bar(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a method: medians over the learnable genes, their ratio, and whether that is the bar or above."""
    medians = rows.groupby("method", sort=False)[["pcc", "image_attainable"]].median()
    share = medians["pcc"] / medians["image_attainable"]
    return medians.assign(share=share, reached=share >= BAR).reset_index()


def reason(loss: Float[np.ndarray, "epoch"]) -> str:
    """Why a method stays below the bar, as far as its training loss of each epoch tells."""
    tail = max(1, len(loss) // 10)
    fell = 1 - loss[-1] / loss[-1 - tail] if len(loss) > tail else 0.0
    if fell > SETTLED:
        return f"not trained to the end: the loss still fell by {fell:.0%} in the last {tail} of {len(loss)} epochs"
    return f"the loss had settled by epoch {len(loss)}: what it has learned of the training sections does not carry over"


def told(below: int, trained: int, linear: float) -> str:
    """In a sentence how many trained methods stay below the bar, and what ridge on the same features and sections reaches (NaN where it was not fitted)."""
    beside = f"; ridge on the same features reaches {linear:.0%}" if np.isfinite(linear) else ""
    return (
        f"{below} of {trained} trained methods stay below {BAR:.0%} of what can be reached{beside}."
    )
