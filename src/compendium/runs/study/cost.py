"""What runs will cost, before they start: from the times of stored runs of the same kind on this device, else from a measured trial."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.errors import cause
from compendium.images.features import COORDINATES, cache_path
from compendium.methods.registry import NONE, OWN
from compendium.runs import store
from compendium.runs.execution import device_line, training_set, used
from compendium.runs.fit import fit, pick_device
from compendium.runs.inputs.batches import banked, inputs, shown, windowed
from compendium.runs.inputs.prepare import stained
from compendium.runs.run import Run
from compendium.storage import home

KIND = (
    "method",
    "encoder",
    "tile_px",
    "batch",
    "model",
    "windows",
    "recompute",
)  # runs that agree in these take equally long a spot and epoch


def estimate(runs: Sequence[Run], sections: Sequence[Section], device: str = "auto") -> list[float]:
    """Seconds that each run will take on this machine, one at a time and without the features of frozen encoders (see features_left)."""
    device = pick_device(device)
    known = stored_rates(device_line(device))
    for run in runs:
        if kind(run) not in known:
            known[kind(run)] = _measured(trial, run, sections, device)
    return [known[kind(run)] * _work(run, sections) for run in runs]


def kind(run: Run) -> str:
    """What decides how long a spot takes an epoch."""
    return _key({word: getattr(run, word) for word in KIND})


def _key(words: dict) -> str:
    return json.dumps([words[word] for word in KIND])


def _work(run: Run, sections: Sequence[Section]) -> int:
    """Training spots times epochs times fits."""
    return (
        sum(len(section) for section in sections if section.name in run.split.train)
        * _passes(run.optimiser, run.epochs)
        * run.members
    )


def _passes(optimiser: str, epochs: int) -> int:
    """How often a spot is seen; a method in closed form sees it once, whatever its epochs say."""
    return 1 if optimiser == "closed form" else max(epochs, 1)


def stored_rates(device: str) -> dict[str, float]:
    """Kind of run -> seconds a training spot and epoch, the median of the stored runs that were made on such a device."""
    found: dict[str, list[float]] = {}
    for path in (home() / "runs").glob("*/*/*/*/run.json"):
        try:
            facts = store.stated(path.parent)
            if _unthreaded(facts["device"]) == _unthreaded(device):
                rate = facts["seconds"] / (
                    facts["training_spots"]
                    * _passes(facts["run"]["optimiser"], facts["run"]["epochs"])
                    * facts["run"].get("members", 1)
                )
                found.setdefault(_key(facts["run"]), []).append(rate)
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            continue  # a damaged record tells no time
    return {key: median(rates) for key, rates in found.items()}


def _unthreaded(device: str) -> str:
    """A device without its number of threads: workers that share the cores have fewer each."""
    return device.split(",")[0]


def trial(run: Run, sections: Sequence[Section], device: str) -> float:
    """Seconds a spot and epoch, measured: one epoch on the run's smallest training section, the second time it is done."""
    smallest = min((section for section in sections if section.name in run.split.train), key=len)
    short = replace(
        run,
        split=Split("trial", (smallest.name,), (), (smallest.name,), "nothing"),
        epochs=min(run.epochs, 1),
    )
    train, target = training_set(short, [smallest])
    parts = windowed(
        short, train, [inputs(short, part, target, device, training=True) for part in train], target
    )
    with tempfile.TemporaryDirectory() as nowhere:
        for _ in range(2):
            began = time.monotonic()
            fit(short, parts, [], len(target.genes), device, Path(nowhere) / "checkpoint")
    return (time.monotonic() - began) / len(smallest)


def features_left(runs: Sequence[Run], sections: Sequence[Section], device: str = "auto") -> float:
    """Seconds that the frozen encoders still need for sections without cached features, from computing (and caching) those of the smallest one."""
    device, left = pick_device(device), {}
    for run in runs:
        if run.encoder not in (OWN, NONE, COORDINATES):
            for section in (_measured(stained, run, used(run, sections)) or {}).values():
                for view in {"", *(banked(run) if section.name in run.split.train else ())}:
                    if not (
                        path := cache_path(
                            section,
                            run.encoder,
                            run.tile_px,
                            run.weights,
                            device,
                            run.scale,
                            view,
                            run.tile_um,
                        )
                    ).exists():
                        left[path] = (len(section), section, run, view)
    if not left:
        return 0.0
    spots, smallest, run, view = left.pop(min(left, key=lambda path: left[path][0]))
    began = time.monotonic()
    _measured(shown, run, smallest, device, view)
    return (time.monotonic() - began) / spots * sum(size for size, *_ in left.values())


def _measured(work: Callable, *arguments) -> object:
    """What the work gives, or 0.0 where it cannot be done: the runs that need it will say why, and the others are priced."""
    try:
        return work(*arguments)
    except Exception as error:
        if cause(error):
            return 0.0
        raise
