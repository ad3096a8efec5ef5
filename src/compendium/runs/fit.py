"""The loop: one method, its training sections, a checkpoint it can continue from."""

import logging
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from tqdm import tqdm

from compendium.data.section import Section
from compendium.disk import whole_file
from compendium.errors import BadInput
from compendium.methods import recipe
from compendium.methods.layers import Method, Shape
from compendium.methods.registry import NONE, OWN
from compendium.runs.batches import Inputs, in_order, inputs, training
from compendium.runs.matching import Part
from compendium.runs.plan import Run
from compendium.runs.seeds import seed_of
from compendium.runs.store import fingerprint

CHECKPOINT_SECONDS = 20.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """A trained method with its training curve: one dict of mean loss terms an epoch, and validation loss where there is one."""

    method: Method
    curve: list[dict[str, float]]
    best_epoch: int


def pick_device(word: str) -> str:
    """`auto` is the GPU if there is one; `cuda` without one is an error, never a silent CPU run."""
    if word not in ("auto", "cpu", "cuda"):
        raise BadInput(f"unknown device {word!r}; known: auto, cpu, cuda")
    if word == "cuda" and not torch.cuda.is_available():
        raise BadInput("device cuda asked for, but this machine has no usable GPU; use device=cpu or device=auto")
    return ("cuda" if torch.cuda.is_available() else "cpu") if word == "auto" else word


def build(run: Run, parts: list[Inputs], genes: int) -> Method:
    """The untrained method, its parameters drawn from the run's seed."""
    facts = recipe(run.method)
    mean = torch.from_numpy(np.concatenate([part.target for part in parts]).mean(axis=0))
    classes = 1 + max(int(part.labels.max()) for part in parts)
    spots = sum(len(part) for part in parts)
    if run.encoder == OWN:
        shape = Shape(genes, mean, run.target, classes, spots, tile_px=run.tile_px, encoder=facts.encoder, weights=run.weights)
    else:
        shape = Shape(genes, mean, run.target, classes, spots, features=0 if run.encoder == NONE else parts[0].image.shape[1])
    torch.manual_seed(seed_of("build", run.seed))
    return facts.build(shape, **dict(run.model))


def fit(run: Run, parts: list[Inputs], valid: list[Inputs], genes: int, device: str, checkpoint: Path, after_epoch: Callable[[int], None] | None = None) -> Fitted:
    """Train from the checkpoint if there is one, else from the start; every draw of an epoch follows from seed and epoch.

    Without validation sections the last epoch is kept; with them the epoch of lowest validation loss.
    """
    with torch.random.fork_rng():
        method = build(run, parts, genes).to(device)
        curve: list[dict[str, float]] = []
        if run.epochs and any(p.requires_grad for p in method.parameters()):
            curve = _epochs(run, method, parts, valid, device, checkpoint, after_epoch)
        method.eval()
        with torch.inference_mode():
            method.remember(batch.to(device) for part in parts for batch in in_order(run, part))
    losses = [row["validation"] for row in curve if "validation" in row]
    return Fitted(method, curve, int(np.argmin(losses)) if losses else len(curve) - 1)


def _epochs(run: Run, method: Method, parts: list[Inputs], valid: list[Inputs], device: str, checkpoint: Path, after_epoch) -> list[dict[str, float]]:
    optimiser = _optimiser(run, method)
    state = _resume(run, checkpoint, method, optimiser, device)
    saved = time.monotonic()
    for epoch in tqdm(range(len(state["curve"]), run.epochs), desc=f"{run.method} {run.split.name}", disable=None):
        torch.manual_seed(seed_of("epoch", run.seed, epoch))
        for group in optimiser.param_groups:
            group["lr"] = run.lr * run.lr_decay ** (epoch // run.lr_every if run.lr_every else 0)
        row = _epoch(run, method, optimiser, parts, epoch, device)
        if valid:
            row["validation"] = _loss(run, method, valid, device)
            if row["validation"] < min((old["validation"] for old in state["curve"]), default=np.inf):
                state["best"] = {key: value.clone() for key, value in method.state_dict().items()}
        state["curve"].append(row)
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            with whole_file(checkpoint) as aside:
                torch.save(state | {"method": method.state_dict(), "optimiser": optimiser.state_dict()}, aside)
            saved = time.monotonic()
        if after_epoch:
            after_epoch(epoch)
    if state["best"]:
        method.load_state_dict(state["best"])
    return state["curve"]


def _epoch(run: Run, method: Method, optimiser: torch.optim.Optimizer, parts: list[Inputs], epoch: int, device: str) -> dict[str, float]:
    """One pass over the training batches; mean of each loss term. A loss that is not finite ends the run."""
    method.train()
    sums, steps = {}, 0
    for batch in training(run, parts, epoch):
        terms = method.losses(batch.to(device))
        loss = sum(terms.values())
        if not torch.isfinite(loss):
            raise BadInput(f"method {run.method} on {run.split.name}: the loss is {loss.item()} in epoch {epoch}; lower lr (now {run.lr:g})")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item()
    return {name: value / steps for name, value in sums.items()}


@torch.inference_mode()
def _loss(run: Run, method: Method, parts: list[Inputs], device: str) -> float:
    method.eval()
    return float(np.mean([sum(method.losses(batch.to(device)).values()).item() for part in parts for batch in in_order(run, part)]))


def _optimiser(run: Run, method: Method) -> torch.optim.Optimizer:
    parameters = [p for p in method.parameters() if p.requires_grad]
    if run.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=run.lr, momentum=run.momentum, weight_decay=run.weight_decay)
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[run.optimiser]
    return make(parameters, lr=run.lr, weight_decay=run.weight_decay)


def _maker(run: Run) -> str:
    """What must be the same for a fit to go on where it stopped: the code and torch."""
    return f"{fingerprint(run.method)} torch {torch.__version__}"


def _resume(run: Run, checkpoint: Path, method: Method, optimiser: torch.optim.Optimizer, device: str) -> dict:
    """Curve and best weights so far; nothing where there is no checkpoint, or one that is damaged or of other code (reported)."""
    fresh = {"curve": [], "best": {}, "maker": _maker(run)}
    if not checkpoint.exists():
        return fresh
    start = {key: value.clone() for key, value in method.state_dict().items()}
    try:
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        if state["maker"] != fresh["maker"]:
            raise ValueError("it was made by other code")
        method.load_state_dict(state.pop("method"))
        optimiser.load_state_dict(state.pop("optimiser"))
    except (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
        log.warning("checkpoint %s cannot be continued (%s); training starts again", checkpoint, " ".join(str(error).split())[:200])
        method.load_state_dict(start)
        return fresh
    return state


@torch.inference_mode()
def predict(run: Run, method: Method, section: Section, device: str) -> Float32[np.ndarray, "spot gene"]:
    """Predicted expression of every spot of a section whose counts are gone."""
    hidden = section.without_counts()
    part = inputs(run, Part(hidden, hidden), None, device)
    method.eval()
    predicted = torch.cat([method.predict(batch.to(device)).float().cpu() for batch in in_order(run, part)]).numpy()
    if not np.isfinite(predicted).all():
        raise BadInput(f"method {run.method} on {run.split.name}: {(~np.isfinite(predicted)).sum()} predictions for {section.name} are not finite; lower lr (now {run.lr:g})")
    return predicted
