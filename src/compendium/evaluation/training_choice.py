"""The rule by which learning rates and numbers of steps are chosen, on the synthetic cohort."""

import numpy as np
import pandas as pd

from compendium.storage import resource

FILE = "training/validation_loss.csv"
GRID = (1 / 3, 1, 3)
"""Learning rates that are tried, as multiples of a base."""
WITHIN = 0.02
"""Share of the best validation loss, and of the fall to it, that the chosen step may miss."""
LATE = 0.9
"""Share of the steps that were tried; a best loss later than that lies at their end."""


def rates(base: float) -> list[float]:
    """Return the learning rates that are tried around a base, to one significant digit."""
    return [float(f"{base * factor:.1g}") for factor in GRID]


def recorded() -> pd.DataFrame:
    """Read data/training/validation_loss.csv: method, lr, step, loss (of validation)."""
    return pd.read_csv(resource(FILE))


def choose(losses: pd.DataFrame) -> pd.DataFrame:
    """Choose the learning rate and the number of steps of each method.

    The rate is that of the lowest validation loss. The steps are the smallest number at which the
    loss is within 2 % of its best, and within 2 % of the fall from the start to the best: a
    likelihood of counts has a part that no training removes, so that 2 % of the loss itself would
    be reached before anything is learned, and a loss that falls far is near its best only late.
    The start is the highest of the first records of the rates, which is the one nearest to the
    loss before training. Steps are rounded up to two significant digits.

    Why on synthetic sections: every real section with an image is a test section somewhere, so a
    number that is chosen on one of them is chosen on test data. Why steps and not epochs: an epoch
    of four sections is four times the work of an epoch of one. The rule was written before the
    losses were recorded (benchmarks/choose_training.py), and it is applied once.

    Parameters
    ----------
    losses
        Validation loss: method, lr, step, loss.

    Returns
    -------
    One row a method: method, lr, steps, start, best (losses), at_the_end (whether the best lies in
    the last tenth of the steps that were tried: more steps might be better), at_the_edge (whether
    the rate is the lowest or highest that was tried).
    """
    methods = losses.reset_index(drop=True).groupby("method", sort=False)
    return pd.DataFrame([{"method": name} | _chosen(table) for name, table in methods])


def _chosen(losses: pd.DataFrame) -> dict[str, object]:
    best = losses.loc[losses["loss"].idxmin()]
    start = losses.loc[losses.groupby("lr")["step"].idxmin(), "loss"].max()
    own = losses[losses["lr"] == best["lr"]]
    room = WITHIN * min(abs(best["loss"]), start - best["loss"])
    near = own.loc[own["loss"] <= best["loss"] + room, "step"].min()
    return {
        "lr": best["lr"],
        "steps": readable(int(near)),
        "start": start,
        "best": best["loss"],
        "at_the_end": bool(best["step"] > LATE * own["step"].max()),
        "at_the_edge": bool(best["lr"] in (losses["lr"].min(), losses["lr"].max())),
    }


def readable(steps: int) -> int:
    """Round up to two significant digits."""
    unit = 10 ** max(0, len(str(steps)) - 2)
    return -(-steps // unit) * unit


def thinned(losses: pd.DataFrame, records: int = 100) -> pd.DataFrame:
    """Keep about so many evenly spaced records of each method and rate, the first and last too."""
    rank = losses.groupby(["method", "lr"]).cumcount()
    last = losses.groupby(["method", "lr"])["step"].transform("size") - 1
    every = np.ceil((last + 1) / records)
    return losses[(rank % every == 0) | (rank == last)].reset_index(drop=True)
