"""The cost of a training step of each row, measured in one run.

The seconds that are stored with fits depend on what else the machine did at the time.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.data.section import Section
from compendium.evaluation.comparison import Fitted
from compendium.runs.fit import fit
from compendium.runs.inputs.prepare import RunInputs, prepare_inputs
from compendium.runs.run import Run

ROUNDS = 2  # short fits of each row, in turn, so that a busy moment spoils one at most
EPOCHS = 4


def per_step(
    group: Fitted, sections: Sequence[Section], reference: str, device: str
) -> pd.DataFrame:
    """Measure a training step of each row.

    A step is one section of the first fold of the row. Its seconds are those of the shortest epoch
    of some short fits, without frozen features and prediction.

    Parameters
    ----------
    group
        Rows with their runs and records.
    sections
        Sections of the cohort.
    reference
        Key of the row to which the others are compared.
    device
        Where they are fitted.

    Returns
    -------
    Columns row, trainable (parameters), seconds_per_step, relative (to the reference); NaN for a
    method in closed form.
    """
    first: dict[str, tuple[Run, int]] = {}
    for (key, run), record in zip(group.jobs, group.records, strict=True):
        first.setdefault(key, (run, record.facts["trainable"]))
    prepared = {
        key: (run, prepare_inputs(run, sections, device))
        for key, (run, _) in first.items()
        if run.epochs or run.steps
    }
    seconds = dict.fromkeys(first, np.nan)
    for _ in range(ROUNDS):
        for key, (run, seen) in prepared.items():
            step = shortest(run, seen, device) / len(seen.training)
            seconds[key] = np.fmin(seconds[key], step)
    table = pd.DataFrame({"row": list(first), "trainable": [count for _, count in first.values()]})
    table["seconds_per_step"] = list(seconds.values())
    return table.assign(relative=table["seconds_per_step"] / seconds.get(reference, np.nan))


def shortest(run: Run, seen: RunInputs, device: str) -> float:
    """Measure the shortest epoch of a short fit, without the first, which pays for loading."""
    run, ends = replace(run, epochs=EPOCHS, steps=0), []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, tick = Path(folder) / "checkpoint", lambda _: ends.append(time.perf_counter())
        fit(run, seen.training, [], device, checkpoint, tick)
    return min(end - began for began, end in pairwise(ends))
