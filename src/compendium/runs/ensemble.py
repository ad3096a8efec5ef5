"""Several fits of one run with other seeds, their predictions averaged, for any method."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from compendium.runs import store
from compendium.runs.run import Run
from compendium.runs.seeds import seed_of
from compendium.runs.store import Record

SUMMED = ("seconds", "parameters", "trainable")


def members(run: Run) -> list[Run]:
    """List the fits of a run, each a run that is stored too; the first has the run's seed."""
    return [
        replace(run, members=1, seed=seed_of("member", run.seed, i) if i else run.seed)
        for i in range(run.members)
    ]


def average(run: Run, fits: Sequence[Record], target: Path) -> Record:
    """Store the mean of several fits.

    Parameters
    ----------
    run
        The run of several members.
    fits
        Records of its members.
    target
        Folder of its record.

    Returns
    -------
    Mean predictions and class probabilities, and as `spread` the standard deviation (n - 1) of the
    predictions. The training curve is a mean, seconds and numbers of parameters are sums, all other
    facts are of the first fit.
    """
    first = fits[0]
    curves = zip(*(fit.facts["curve"] for fit in fits), strict=True)
    facts = first.facts | {
        "run": asdict(run),
        "line": run.line,
        "members": [fit.id for fit in fits],
        "curve": [
            {term: float(np.mean([row[term] for row in rows])) for term in rows[0]}
            for rows in curves
        ],
        "finished": max(fit.facts["finished"] for fit in fits),
    }
    predictions = [fit.predictions for fit in fits]
    return store.write(
        target,
        facts | {name: sum(fit.facts[name] for fit in fits) for name in SUMMED},
        first.genes,
        predictions=_over(predictions, np.mean),
        spread=_over(predictions, np.std, ddof=1),
        probabilities=_over([fit.probabilities for fit in fits], np.mean),
        rows=first.rows,
        fitted_target=first.fitted_target,
    )


def _over(fits: list[dict[str, np.ndarray]], statistic, **settings) -> dict[str, np.ndarray]:
    """A statistic over the fits, for each section."""
    return {name: statistic([fit[name] for fit in fits], axis=0, **settings) for name in fits[0]}
