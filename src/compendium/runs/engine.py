"""Runs -> records: what is stored is read, what is missing is fitted, predicted and stored."""

import datetime
import logging
import platform
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict

import torch

import compendium
from compendium.data.expression import Target, fit_target
from compendium.data.panels import panel, shared_genes
from compendium.data.section import Section
from compendium.runs import store
from compendium.runs.batches import inputs
from compendium.runs.fit import fit, pick_device, predict
from compendium.runs.matching import matched
from compendium.runs.plan import Run
from compendium.runs.store import Record

log = logging.getLogger(__name__)


def execute(runs: Sequence[Run], sections: Sequence[Section], *, device: str = "auto", executor: Executor | None = None) -> list[Record]:
    """The record of every run, in order. Without an executor one after the other; with one, wherever it computes."""
    if executor is None:
        return [run_once(run, sections, device) for run in runs]
    return list(executor.map(run_once, runs, [sections] * len(runs), [device] * len(runs)))


def run_once(run: Run, sections: Sequence[Section], device: str = "auto", after_epoch: Callable[[int], None] | None = None) -> Record:
    """The stored record if there is a good one; else fit, predict and store. An interrupted fit goes on from its checkpoint."""
    device = pick_device(device)
    target = store.folder(run, run.identity(used(run, sections)))
    if record := _stored(target):
        return record
    with store.locked(target) as work:
        record = _stored(target) or _make(run, sections, device, target, work, after_epoch)
        shutil.rmtree(work, ignore_errors=True)
    return record


def _stored(target) -> Record | None:
    try:
        return store.read(target)
    except store.Damaged as error:
        log.warning("%s", error)
        return None


def _make(run: Run, sections: Sequence[Section], device: str, target, work, after_epoch) -> Record:
    began = time.monotonic()
    train, expression = training_set(run, sections)
    by_name = {section.name: section for section in sections}
    parts = [inputs(run, section, expression, device) for section in train]
    valid = [inputs(run, by_name[name], expression, device) for name in run.split.valid]
    fitted = fit(run, parts, valid, len(expression.genes), device, work / "checkpoint.pt", after_epoch)
    predictions = {name: predict(run, fitted.method, by_name[name], device) for name in run.split.test}
    facts = {
        "run": asdict(run), "line": run.line, "result": run.result, "data": {s.name: s.digest for s in used(run, sections)}, "fingerprint": store.fingerprint(run.method),
        "training_spots": sum(len(s) for s in train), "parameters": sum(p.numel() for p in fitted.method.parameters()),
        "trainable": sum(p.numel() for p in fitted.method.parameters() if p.requires_grad), "curve": fitted.curve, "best_epoch": fitted.best_epoch,
        "seconds": round(time.monotonic() - began, 2), "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "device": device_line(device), "precision": "float32", "threads": torch.get_num_threads(), "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"compendium": compendium.__version__, "python": platform.python_version(), "torch": torch.__version__},
    }
    return store.write(target, facts, expression.genes, predictions)


def used(run: Run, sections: Sequence[Section]) -> list[Section]:
    """The sections a run touches: train, validation, test and those it is matched to."""
    names = set(run.split.train + run.split.valid + run.split.test + run.split.match)
    return [section for section in sections if section.name in names]


def training_set(run: Run, sections: Sequence[Section]) -> tuple[list[Section], Target]:
    """The training sections (matched where the split says so) and the target fitted on them; the same at every call."""
    by_name = {section.name: section for section in sections}
    shared = shared_genes(used(run, sections))
    train = [by_name[name] for name in run.split.train]
    if run.split.match:
        train = matched(train, [by_name[name] for name in run.split.match], shared, run.seed)
    return train, fit_target(run.target, panel(run.panel, train, shared), train, shared)


def device_line(device: str) -> str:
    """Device as a page prints it."""
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"
