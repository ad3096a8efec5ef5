"""Runs -> records: what is stored is read, what is missing is fitted, predicted and stored."""

import datetime
import logging
import os
import pickle
import platform
import threading
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from compendium.data.section import Section
from compendium.errors import BadInput, cause
from compendium.machine import keep_freed_memory, peak_memory_mb
from compendium.methods.layers import Method
from compendium.runs import published, store
from compendium.runs.executors.local import Serial
from compendium.runs.fit import Fitted, fit, pick_device, predict
from compendium.runs.inputs.batches import inputs, rows_predicted
from compendium.runs.inputs.matching import uncut
from compendium.runs.inputs.prepare import RunInputs, prepare_inputs, used
from compendium.runs.run import Run
from compendium.runs.seeds import seed_of
from compendium.storage import home

SUMMED = ("seconds", "parameters", "trainable")  # over the fits of a run of several
PACKAGES = ("compendium", "torch", "numpy", "scipy", "scikit-learn", "timm")
log = logging.getLogger(__name__)
ONE_AT_A_TIME = threading.Lock()  # a process has one random generator and one home


class RunsFailed(BadInput):
    """Some runs ended without a record; the others are stored.

    Parameters
    ----------
    line
        The message.
    failed
        These runs, each with its reason.
    """

    def __init__(self, line: str, failed: Sequence[tuple[Run, str]] = ()) -> None:
        super().__init__(line)
        self.failed = list(failed)


def execute(
    runs: Sequence[Run],
    sections: Sequence[Section],
    *,
    device: str = "auto",
    executor: Executor | None = None,
) -> list[store.Record]:
    """Compute the runs that are not there, and return the record of every run, in order.

    A stored record goes before a published one (see compendium.runs.published), and a published one
    before a new fit.

    Parameters
    ----------
    runs, sections
        The runs, and the sections of their cohort.
    device
        Where each run computes.
    executor
        See compendium.runs.executors; by default runs are computed here, one after the other.

    Raises
    ------
    RunsFailed
        If runs failed, when all others are stored.
    """
    known = [taken_as_published(run, sections) for run in runs]
    due = [run for run, record in zip(runs, known, strict=True) if not record]
    computed = iter(_all_computed(due, sections, device, executor))
    return [record or next(computed) for record in known]


def taken_as_published(run: Run, sections: Sequence[Section]) -> store.Record | None:
    """Return the published record of a run that is not stored here; None where there is none."""
    stored = store.folder(run, run.identity(used(run, sections))).exists()
    return None if stored else published.find(run, sections)


def _all_computed(
    runs: Sequence[Run], sections: Sequence[Section], device: str, executor: Executor | None
) -> list[store.Record]:
    if not runs:
        return []
    calls = [(run, PackedSections(used(run, sections)), device, str(home())) for run in runs]
    try:
        ends = list((executor or Serial()).map(attempt, *zip(*calls, strict=True)))
    except Exception as error:  # of an executor that lost its workers; a run's own is its end
        killed = "a worker was killed, often for want of memory: use fewer workers"
        why = killed if isinstance(error, BrokenExecutor) else store.reason(error)
        raise RunsFailed(
            f"the executor gave up ({why}); finished runs are stored, run the same again to"
            " continue"
        ) from error
    failed = [(run, end) for run, end in zip(runs, ends, strict=True) if isinstance(end, str)]
    if failed:
        run, why = failed[0]
        raise RunsFailed(
            f"{len(failed)} of {len(runs)} runs failed, the others are stored;"
            f" {'first ' if failed[1:] else ''}{run.method} {run.split.name}: {why}",
            failed,
        )
    return [_read(end) for end in ends]


class PackedSections:
    """Sections on their way to a worker.

    They are opened by the run that needs them, so that a section that cannot be opened ends that
    run and not the worker.
    """

    def __init__(self, sections: Sequence[Section], packed: bytes = b"") -> None:
        self.sections, self.packed = sections, packed

    def __reduce__(self) -> tuple:
        # packed once, through however many hands it passes
        return PackedSections, ((), self.packed or pickle.dumps(self.sections))

    def open(self) -> Sequence[Section]:
        """Return the sections; BadInput where one of them has changed on disk."""
        return pickle.loads(self.packed) if self.packed else self.sections


def attempt(run: Run, sections: PackedSections, device: str, at: str) -> Path | str:
    """Compute one run in a worker.

    Parameters
    ----------
    run, sections, device
        What is computed.
    at
        COMPENDIUM_HOME, for workers that were started elsewhere.

    Returns
    -------
    Folder of the record, or one line that says why there is none.
    """
    with ONE_AT_A_TIME:
        if at != str(home()):
            os.environ["COMPENDIUM_HOME"] = at
        try:
            return run_once(run, sections.open(), device).folder
        except Exception as error:  # reported by execute
            if not cause(error):
                log.exception("%s %s", run.method, run.split.name)
            return store.reason(error)


def _read(folder: Path) -> store.Record:
    if record := store.read(folder):
        return record
    raise RunsFailed(
        f"a worker stored its record in {folder}, which is not there; all workers must see the same"
        " COMPENDIUM_HOME"
    )


def run_once(run: Run, sections: Sequence[Section], device: str = "auto") -> store.Record:
    """Return the stored record if there is a good one, else fit, predict and store.

    An interrupted fit continues from its checkpoint. Of several processes that ask for the same run
    at once, one computes it and the others wait.

    Parameters
    ----------
    run, sections, device
        What is computed.
    """
    keep_freed_memory()
    device = pick_device(device)
    target = store.folder(run, run.identity(used(run, sections)))
    with suppress(store.Damaged):  # reported when the run is made again
        if record := store.read(target):
            store.tidy(record)
            return record
    with store.locked(target) as work, store.failure_noted(target):
        try:
            record = store.read(target)
        except store.Damaged as error:
            log.warning("%s", error)
            record = None
        record = record or _computed(run, sections, device, target, work)
        (work / store.CHECKPOINT).unlink(missing_ok=True)
    return record


def _computed(
    run: Run, sections: Sequence[Section], device: str, target: Path, work: Path
) -> store.Record:
    if run.members > 1:
        fits = [run_once(each, sections, device) for each in members(run)]
        return average(run, fits, target)
    prepared = prepare_inputs(run, sections, device)
    for spots in uncut(prepared.test):
        inputs(run, spots, None, device)  # features are cached, and no cost of this run
    began = time.monotonic()
    checkpoint = work / store.CHECKPOINT
    fitted = fit(run, prepared.training, prepared.validation, device, checkpoint)
    predicted = _predicted(run, fitted.method, prepared.test, device)
    seconds = round(fitted.earlier + time.monotonic() - began, 4)
    facts = {
        "run": asdict(run),
        "line": run.line,
        "stages": run.versions(),
        "data": {s.name: s.digest for s in used(run, sections)},
        "seconds": seconds,
        **_training_facts(prepared, fitted),
        **_machine_facts(run, device),
    }
    return store.write(
        target,
        facts,
        prepared.target.genes,
        **predicted,
        fitted_target=store.fitted_arrays(prepared.target),
    )


def members(run: Run) -> list[Run]:
    """List the fits of a run, each a run that is stored too; the first has the run's seed."""
    return [
        replace(run, members=1, seed=seed_of("member", run.seed, i) if i else run.seed)
        for i in range(run.members)
    ]


def average(run: Run, fits: Sequence[store.Record], target: Path) -> store.Record:
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
    curve = [
        {term: float(np.mean([row[term] for row in rows])) for term in rows[0]} for rows in curves
    ]
    own = {
        "run": asdict(run),
        "line": run.line,
        "curve": curve,
        "members": [fit.id for fit in fits],
        "finished": max(fit.facts["finished"] for fit in fits),
    }
    sums = {name: sum(fit.facts[name] for fit in fits) for name in SUMMED}
    predictions = [fit.predictions for fit in fits]
    return store.write(
        target,
        first.facts | own | sums,
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


def _predicted(
    run: Run, method: Method, test: Sequence[Section], device: str
) -> dict[str, store.Arrays]:
    """What a trained method says of each test section."""
    values = {"predictions": {s.name: predict(run, method, s, device) for s in test}}
    if classify := getattr(method, "classify", None):
        values["probabilities"] = {s.name: predict(run, method, s, device, classify) for s in test}
    if method.has_likelihood:
        dispersion = {s.name: predict(run, method, s, device, method.dispersion) for s in test}
        values["dispersion"] = {name: _as_float16(each) for name, each in dispersion.items()}
    rows = {section.name: rows_predicted(run, section) for section in test}
    values["rows"] = {name: spots for name, spots in rows.items() if spots is not None}
    return values


def _as_float16(values: np.ndarray) -> np.ndarray:
    """Values at half precision, kept within its range."""
    return np.minimum(values, np.finfo(np.float16).max).astype(np.float16)


def _training_facts(prepared: RunInputs, fitted: Fitted) -> dict:
    """What a record states of training."""
    target = prepared.target
    return {
        "classes": prepared.classes,
        "target": {"transform": target.transform, "spots": target.spots},
        "training_spots": sum(len(each) for each in prepared.training),
        "curve": fitted.curve,
        "steps": fitted.steps,
        "best_epoch": fitted.best_epoch,
        "parameters": count(fitted.method),
        "trainable": count(fitted.method, trainable=True),
    }


def _machine_facts(run: Run, device: str) -> dict:
    """What a record states of the machine, the time and the packages."""
    return {
        "device": device_line(device),
        "precision": run.precision,
        "threads": torch.get_num_threads(),
        "process_peak_memory_mb": peak_memory_mb(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
    }


def count(method: Method, trainable: bool = False) -> int:
    """Count the parameters of a method, all or those that are trained."""
    return sum(p.numel() for p in method.parameters() if p.requires_grad or not trainable)


def device_line(device: str) -> str:
    """Describe the device as a page prints it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    if device == "mps":
        return f"Apple GPU ({platform.machine()})"
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"
