"""What a training step of each row costs, measured in one run: the seconds that were stored with fits are of whatever else the machine did at the time."""

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
from compendium.runs.execution import training_set
from compendium.runs.fit import fit
from compendium.runs.inputs.batches import Inputs, class_names, inputs, windowed
from compendium.runs.run import Run

ROUNDS, EPOCHS = (
    2,
    4,
)  # short fits of each row, the rows in turn, so that a busy moment spoils one fit of a row at most


def per_step(
    group: Fitted, sections: Sequence[Section], reference: str, device: str
) -> pd.DataFrame:
    """[row, trainable, seconds_per_step, relative]: trainable parameters, seconds of a training step and their ratio to the row `reference`; NaN for a closed form.

    A step is one section of the first fold of the row. Its seconds are those of the shortest epoch of some short fits; frozen features and prediction are not counted.
    """
    first: dict[str, tuple[Run, int]] = {}
    for (key, run), record in zip(group.jobs, group.records, strict=True):
        first.setdefault(key, (run, record.facts["trainable"]))
    ready = {
        key: (run, *material(run, sections, device))
        for key, (run, _) in first.items()
        if run.epochs
    }
    seconds = dict.fromkeys(first, np.nan)
    for _ in range(ROUNDS):
        for key, (run, parts, genes) in ready.items():
            seconds[key] = np.fmin(seconds[key], shortest(run, parts, genes, device) / len(parts))
    return pd.DataFrame(
        [
            {
                "row": key,
                "trainable": trainable,
                "seconds_per_step": seconds[key],
                "relative": seconds[key] / seconds.get(reference, np.nan),
            }
            for key, (_, trainable) in first.items()
        ]
    )


def material(run: Run, sections: Sequence[Section], device: str) -> tuple[list[Inputs], int]:
    """What the run's training sections are to its method, and the number of genes."""
    train, expression = training_set(run, sections)
    classes = class_names(train)
    parts = [inputs(run, part, expression, device, True, classes) for part in train]
    return windowed(run, train, parts, expression), len(expression.genes)


def shortest(run: Run, parts: list[Inputs], genes: int, device: str) -> float:
    """Seconds of the shortest epoch of a short fit, the first left out, which pays for loading."""
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        fit(
            replace(run, epochs=EPOCHS),
            parts,
            [],
            genes,
            device,
            Path(folder) / "checkpoint",
            lambda epoch: ends.append(time.perf_counter()),
        )
    return min(end - began for began, end in pairwise(ends))
