"""What runs will cost: from stored runs of the same kind on this device, else measured."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from statistics import median
from typing import NamedTuple

from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.data.windows import WHOLE, windows
from compendium.errors import cause
from compendium.images.features import Encoding, cache_path
from compendium.methods import recipe
from compendium.methods.registry import NONE, OWN
from compendium.runs import store
from compendium.runs.execution import device_line
from compendium.runs.fit import fit, pick_device
from compendium.runs.inputs.batches import augmented_views, image_input
from compendium.runs.inputs.prepare import prepare_inputs, stained, used
from compendium.runs.run import Run
from compendium.storage import home

KIND = ("method", "encoder", "tile_px", "batch", "model", "windows", "checkpoint_activations")
"""Runs that agree in these take equally long for a spot each time that it is seen."""


def estimate(runs: Sequence[Run], sections: Sequence[Section], device: str = "auto") -> list[float]:
    """Estimate the seconds of each run on this machine.

    Parameters
    ----------
    runs, sections
        The runs, and the sections of their cohort.
    device
        Where they would run, one at a time.

    Returns
    -------
    Seconds of each run, without the features of frozen encoders (see `features_left`).
    """
    device = pick_device(device)
    known = stored_rates(device_line(device))
    for run in runs:
        if kind(vars(run)) not in known:
            known[kind(vars(run))] = _measured(trial, run, sections, device)
    return [known[kind(vars(run))] * work(run, sections) for run in runs]


def kind(run: Mapping[str, object]) -> str:
    """Return what decides how long a spot takes in an epoch, of the fields of a run."""
    return json.dumps([run.get("precision", Run.precision), *(run[name] for name in KIND)])


def work(run: Run, sections: Sequence[Section]) -> float:
    """Return how many spots the fits of a run see, each as often as it is seen.

    A method in closed form sees them once, whatever the epochs are.
    """
    train = [section for section in sections if section.name in run.split.train]
    whole = run.windows == WHOLE
    pieces = [[each] if whole else windows(each, run.windows) for each in train]
    seen = [len(piece) for several in pieces for piece in several]
    passes = max(run.epochs, 1)
    if run.steps:
        by_spot = recipe(run.method).unit == "spot"
        passes = run.steps / (ceil(sum(seen) / run.batch) if by_spot else len(seen))
    return (1 if run.optimiser == "closed form" else passes) * run.members * sum(seen)


def stored_rates(device: str) -> dict[str, float]:
    """Read the median seconds a training spot of each kind of stored run, each time it is seen.

    Parameters
    ----------
    device
        Device of the runs (see `device_line`), whatever its number of threads.
    """
    rates: dict[str, list[float]] = {}
    for path in (home() / "runs").glob("*/*/*/*/run.json"):
        try:
            facts = store.stated(path.parent)
            run = facts["run"]
            # without its number of threads: workers that share the cores have fewer each
            if facts["device"].split(",")[0] == device.split(",")[0]:
                ends = facts["steps"] or [1]
                seen = facts["training_spots"] * ends[-1] / ends[0] * run.get("members", 1)
                rates.setdefault(kind(run), []).append(facts["seconds"] / seen)
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            continue  # a damaged record
    return {key: median(values) for key, values in rates.items()}


def trial(run: Run, sections: Sequence[Section], device: str) -> float:
    """Measure the seconds a spot of one epoch on the smallest training section of a run.

    The epoch is fitted twice on the inputs of the run, and the second one is measured.
    """
    prepared = prepare_inputs(run, sections, device, smallest=True)
    (name,) = prepared.train
    split = Split("trial", (name,), (), (name,), "nothing")
    short = replace(run, split=split, epochs=min(run.epochs + run.steps, 1), steps=0)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            began = time.monotonic()
            fit(short, prepared.training, [], device, Path(folder) / "checkpoint")
    seconds = time.monotonic() - began
    return seconds / next(len(section) for section in sections if section.name == name)


def features_left(runs: Sequence[Run], sections: Sequence[Section], device: str = "auto") -> float:
    """Estimate the seconds that frozen encoders need for sections without cached features.

    The features of the smallest of them are computed, cached and timed.
    """
    device = pick_device(device)
    needed = [each for run in runs for each in _needed(run, sections, device)]
    once = {each.path: each for each in needed}.values()  # runs share features
    left = [each for each in once if not each.path.exists()]
    if not left:
        return 0.0
    smallest = min(left, key=lambda each: len(each.section))
    began = time.monotonic()
    _measured(image_input, smallest.run, smallest.section, device, smallest.view)
    seconds = time.monotonic() - began
    rest = sum(len(each.section) for each in left) - len(smallest.section)
    return seconds / len(smallest.section) * rest


class _Features(NamedTuple):
    """Features that a run is shown, of a section or of one of its augmented views."""

    path: Path
    run: Run
    section: Section
    view: str


def _needed(run: Run, sections: Sequence[Section], device: str) -> Iterator[_Features]:
    """The features of frozen encoders that a run is shown."""
    if run.encoder in (OWN, NONE):
        return
    asked = Encoding(run.encoder, run.tile_px, run.weights, device, run.scale, tile_um=run.tile_um)
    for section in (_measured(stained, run, used(run, sections)) or {}).values():
        views = augmented_views(run) if section.name in run.split.train else ()
        for view in dict.fromkeys(["", *views]):
            how = asked._replace(view=view)
            yield _Features(cache_path(section, how), run, section, view)


def _measured(work: Callable, *arguments) -> object:
    """Result of the work, or 0.0 where it cannot be done: the run itself will report why."""
    try:
        return work(*arguments)
    except Exception as error:
        if cause(error):
            return 0.0
        raise
