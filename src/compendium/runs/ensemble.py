"""Several fits of one run from other seeds, their predictions averaged: STimage's ensemble, for any method."""

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
    """The fits of a run, each a run of its own that is stored as one and can stand alone; the first has the run's own seed."""
    return [
        replace(run, members=1, seed=seed_of("member", run.seed, i) if i else run.seed)
        for i in range(run.members)
    ]


def average(run: Run, fits: Sequence[Record], target: Path) -> Record:
    """Store the mean prediction (and class probability) of the fits, and as `spread` their standard deviation (n - 1) at every spot and gene.

    The training curve is their mean too, seconds and parameters are their sums, what else is told is of the first fit.
    """
    first = fits[0].facts
    spread = {
        name: np.std([fit.predictions[name] for fit in fits], axis=0, ddof=1)
        for name in fits[0].predictions
    }
    predictions = {
        name: np.mean([fit.predictions[name] for fit in fits], axis=0)
        for name in fits[0].predictions
    }
    probabilities = {
        name: np.mean([fit.probabilities[name] for fit in fits], axis=0)
        for name in fits[0].probabilities
    }
    curve = [
        {term: float(np.mean([row[term] for row in rows])) for term in rows[0]}
        for rows in zip(*(fit.facts["curve"] for fit in fits), strict=True)
    ]
    facts = first | {
        "run": asdict(run),
        "line": run.line,
        "members": [fit.id for fit in fits],
        "curve": curve,
        "finished": max(fit.facts["finished"] for fit in fits),
    }
    facts |= {word: sum(fit.facts[word] for fit in fits) for word in SUMMED}
    return store.write(
        target, facts, fits[0].genes, predictions, spread, probabilities, fits[0].rows
    )
