"""Runs -> records: what is stored is read, what is missing is fitted, predicted and stored."""

import datetime
import logging
import os
import pickle
import platform
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import torch

from compendium.data.panels import panel, shared_genes
from compendium.data.section import Section
from compendium.data.targets.transforms import Target, counted, fit_target
from compendium.errors import BadInput, cause
from compendium.machine import peak_memory_mb
from compendium.methods.layers import Method
from compendium.runs import ensemble, store
from compendium.runs.executors.local import Serial
from compendium.runs.fit import classify, fit, pick_device, predict
from compendium.runs.inputs.batches import class_names, inputs, rows_predicted, windowed
from compendium.runs.inputs.matching import TrainingSubset, matched, uncut
from compendium.runs.inputs.prepare import kept, learned, stained
from compendium.runs.run import Run
from compendium.runs.store import Record
from compendium.storage import home

log = logging.getLogger(__name__)
ONE_AT_A_TIME = threading.Lock()  # a process has one generator, which a run seeds, and one home


class RunsFailed(BadInput):
    """Some runs ended without a record; the others are stored. failed: these, each with the reason."""

    def __init__(self, line: str, failed: Sequence[tuple[Run, str]] = ()) -> None:
        super().__init__(line)
        self.failed = list(failed)


def execute(
    runs: Sequence[Run],
    sections: Sequence[Section],
    *,
    device: str = "auto",
    executor: Executor | None = None,
) -> list[Record]:
    """The record of every run, in order: computed wherever the executor computes (see compendium.runs.executors.local), without one here, one after the other.

    A run that fails does not stop the others; RunsFailed then says how many failed, and why.
    """
    if not runs:
        return []
    calls = [(run, PackedSections(used(run, sections)), device, str(home())) for run in runs]
    try:
        ends = list((executor or Serial()).map(attempt, *zip(*calls, strict=True)))
    except Exception as error:  # whatever an engine raises when it loses its workers; what a run raises is an end of that run
        why = (
            "a worker was killed, often for want of memory: use fewer workers"
            if isinstance(error, BrokenExecutor)
            else store.reason(error)
        )
        raise RunsFailed(
            f"the engine gave up ({why}); finished runs are stored, run the same again to continue"
        ) from error
    failed = [(run, end) for run, end in zip(runs, ends, strict=True) if isinstance(end, str)]
    if failed:
        run, why = failed[0]
        raise RunsFailed(
            f"{len(failed)} of {len(runs)} runs failed, the others are stored; {'first ' if failed[1:] else ''}{run.method} {run.split.name}: {why}",
            failed,
        )
    return [_read(end) for end in ends]


class PackedSections:
    """Sections on their way to a worker, opened there by the run that needs them: one that cannot be opened ends that run, not the worker."""

    def __init__(self, sections: Sequence[Section], packed: bytes = b"") -> None:
        self.sections, self.packed = sections, packed

    def __reduce__(self) -> tuple:
        return PackedSections, (
            (),
            self.packed or pickle.dumps(self.sections),
        )  # it may pass through many hands

    def open(self) -> Sequence[Section]:
        """The sections; BadInput where one of them has changed on disk."""
        return pickle.loads(self.packed) if self.packed else self.sections


def attempt(run: Run, sections: PackedSections, device: str, at: str) -> Path | str:
    """What an engine computes: the folder of the run's record below the home `at`, or the line that says why there is none."""
    with ONE_AT_A_TIME:
        if at != str(home()):
            os.environ["COMPENDIUM_HOME"] = at  # a worker that was started elsewhere
        try:
            return run_once(run, sections.open(), device).folder
        except Exception as error:  # written down, and told by execute
            if not cause(error):
                log.exception("%s %s", run.method, run.split.name)
            return store.reason(error)


def _read(folder: Path) -> Record:
    if record := store.read(folder):
        return record
    raise RunsFailed(
        f"a worker stored its record in {folder}, which is not there; all workers must see the same COMPENDIUM_HOME"
    )


def run_once(
    run: Run,
    sections: Sequence[Section],
    device: str = "auto",
    after_epoch: Callable[[int], None] | None = None,
) -> Record:
    """The stored record if there is a good one; else fit, predict and store. An interrupted fit goes on from its checkpoint."""
    device = pick_device(device)
    target = store.folder(run, run.identity(used(run, sections)))
    if record := _stored(target, quiet=True):
        store.tidy(record)
        return record
    with store.locked(target) as work:
        with store.failure_noted(target):
            record = _stored(target)
            if not record and run.members > 1:
                record = ensemble.average(
                    run,
                    [
                        run_once(each, sections, device, after_epoch)
                        for each in ensemble.members(run)
                    ],
                    target,
                )
            record = record or _make(
                run, sections, device, target, work / store.CHECKPOINT, after_epoch
            )
        (work / store.CHECKPOINT).unlink(missing_ok=True)
    return record


def _stored(target: Path, quiet: bool = False) -> Record | None:
    try:
        return store.read(target)
    except store.Damaged as error:
        if not quiet:
            log.warning("%s", error)
        return None


def _make(
    run: Run,
    sections: Sequence[Section],
    device: str,
    target: Path,
    checkpoint: Path,
    after_epoch: Callable[[int], None] | None,
) -> Record:
    train, expression = training_set(run, sections)
    images = stained(run, used(run, sections))
    train = [replace(part, whole=images[part.whole.name]) for part in train]
    valid, test = (
        uncut([images[name] for name in names]) for names in (run.split.valid, run.split.test)
    )
    classes = class_names(train)
    parts = windowed(
        run,
        train,
        learned(run, [inputs(run, part, expression, device, True, classes) for part in train]),
        expression,
    )
    valid = [replace(part, section=counted(part.section, run.target)) for part in valid]
    checks = windowed(
        run,
        valid,
        [inputs(run, part, expression, device, classes=classes) for part in valid],
        expression,
    )
    for part in test:
        inputs(
            run, part, None, device
        )  # frozen features are computed once a section and are no cost of this run
    began = time.monotonic()
    fitted = fit(run, parts, checks, len(expression.genes), device, checkpoint, after_epoch)
    predictions = {
        part.whole.name: predict(run, fitted.method, part.whole, device) for part in test
    }
    probabilities = (
        {part.whole.name: classify(run, fitted.method, part.whole, device) for part in test}
        if hasattr(fitted.method, "classify")
        else {}
    )
    rows = {
        part.whole.name: found
        for part in test
        if (found := rows_predicted(run, part.whole)) is not None
    }
    size = {
        "training_spots": sum(len(part) for part in parts),
        "parameters": count(fitted.method),
        "trainable": count(fitted.method, trainable=True),
    }
    facts = {
        "run": asdict(run),
        "line": run.line,
        "data": {s.name: s.digest for s in used(run, sections)},
        "stages": run.versions(),
        "classes": classes,
        "curve": fitted.curve,
        "best_epoch": fitted.best_epoch,
        "seconds": round(fitted.earlier + time.monotonic() - began, 4),
        "process_peak_memory_mb": peak_memory_mb(),
        "device": device_line(device),
        "precision": "float32",
        "threads": torch.get_num_threads(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {
            name: version(name)
            for name in ("compendium", "torch", "numpy", "scipy", "scikit-learn", "timm")
        },
    }
    return store.write(
        target, facts | size, expression.genes, predictions, probabilities=probabilities, rows=rows
    )


def count(method: Method, trainable: bool = False) -> int:
    """Number of parameters of a method."""
    return sum(p.numel() for p in method.parameters() if p.requires_grad or not trainable)


def used(run: Run, sections: Sequence[Section]) -> list[Section]:
    """The sections a run touches: train, validation, test and those it is matched to."""
    names = set(run.split.train + run.split.valid + run.split.test + run.split.match)
    return [section for section in sections if section.name in names]


def training_set(run: Run, sections: Sequence[Section]) -> tuple[list[TrainingSubset], Target]:
    """The training sections (only the spots that the run keeps, matched where the split says so) and the target fitted on them; the same at every call."""
    touched = {
        section.name: TrainingSubset(section, counted(section, run.target))
        for section in used(run, sections)
    }
    shared = shared_genes([part.section for part in touched.values()])
    train, others = (
        [kept(run, touched[name]) for name in names] for names in (run.split.train, run.split.match)
    )
    parts = matched(train, others, shared, run.seed) if others else train
    trained = [part.section for part in parts]
    return parts, fit_target(run.target, panel(run.panel, trained, shared), trained, shared)


def device_line(device: str) -> str:
    """Device as a page prints it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return (
        f"Apple GPU ({platform.machine()})"
        if device == "mps"
        else f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"
    )
