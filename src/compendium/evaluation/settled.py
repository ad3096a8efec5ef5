"""Rows that carry no verdict for how they were trained: not settled, or fitted with one seed."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from compendium.evaluation.results import Results

TAIL = 0.1
"""Last share of the steps."""
STILL = 0.05
"""Largest fall of the training loss in that share at which a row is settled."""
NAMED = 3
"""Rows that a limit names; of more it gives the number."""


def fall(step: Int[np.ndarray, "epoch"], loss: Float[np.ndarray, "epoch"]) -> float:
    """Return by how much a training loss fell in the last tenth of the steps.

    It is read from the straight line through the epochs that end there (least squares): single
    epochs of few steps go up and down.

    Parameters
    ----------
    step, loss
        Number of steps at the end of each epoch, and its mean loss.

    Returns
    -------
    Share of the loss before the last tenth; NaN for a single epoch.
    """
    ends = np.unique(step)
    if len(ends) < 2:
        return np.nan
    start = (1 - TAIL) * ends[-1]
    late = step >= min(start, ends[-2])
    line = np.polynomial.Polynomial.fit(step[late], loss[late], 1)
    return float(1 - line(ends[-1]) / line(start))


def last_fall(curves: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Return by how much the training loss of each row fell at the end, and whether it settled.

    Parameters
    ----------
    curves
        Training loss: method, split, fold, epoch, loss, and step where epochs are not equally long.
    by
        Columns that make a row.

    Returns
    -------
    One line a row: the columns `by`, fall (see `fall`; mean over splits and folds), settled (fall
    of at most 5 %).
    """
    steps = curves.assign(step=curves.get("step", curves["epoch"] + 1))
    one = [*dict.fromkeys([*by, "split", "fold"])]
    fits = steps.groupby(one, sort=False)
    falls = [(*key, fall(each["step"].to_numpy(), each["loss"].to_numpy())) for key, each in fits]
    table = pd.DataFrame(falls, columns=[*one, "fall"])
    table = table.groupby(list(by), sort=False)["fall"].mean().reset_index()
    return table.assign(settled=~(table["fall"] > STILL))


def no_verdict(results: Results) -> dict[str, set[str]]:
    """Return the rows that carry no verdict, by reason: "not settled", "one seed".

    Rows in closed form have no training loss and no seed. Without a table of seeds there was one.
    """
    if "curves" not in results.tables or results["curves"].empty:
        return {}
    trained, seeds = last_fall(results["curves"]), results.tables.get("seeds", pd.DataFrame())
    repeated = set()
    if len(seeds):
        numbers = seeds.groupby(["method", "split"])["seed"].nunique().groupby("method").min()
        repeated = set(numbers.index[numbers > 1])
    return {
        "not settled": set(trained.loc[~trained["settled"], "method"]),
        "one seed": set(trained["method"]) - repeated,
    }


def training_limits(
    results: Results, rows: Collection[str], titles: Mapping[str, str] | None = None
) -> list[str]:
    """List what keeps rows from deciding anything, see `no_verdict`.

    Parameters
    ----------
    rows
        Keys of the rows that a statement is about.
    titles
        Their titles; those of the facts by default.
    """
    titles, limits = titles or results.facts.get("titles", {}), []
    for reason, found in no_verdict(results).items():
        own = [titles.get(row, row) for row in rows if row in found]
        if own:
            which = ", ".join(own) if len(own) <= NAMED else f"{len(own)} rows"
            limits.append(f"{reason}: {which}")
    return limits
