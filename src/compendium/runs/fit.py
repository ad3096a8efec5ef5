"""The loop: one method, its training sections, a checkpoint it can continue from."""

import io
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
from compendium.data.windows import CLEAN, windows
from compendium.errors import BadInput
from compendium.machine import DEVICES, usable
from compendium.methods import recipe
from compendium.methods.layers import ActivationCheckpoint, Batch, Method, ModelSpec
from compendium.methods.registry import NONE, OWN
from compendium.runs.inputs.batches import Inputs, in_order, inputs, training, windowed
from compendium.runs.inputs.matching import TrainingSubset
from compendium.runs.run import Run
from compendium.runs.seeds import seed_of
from compendium.storage import read_checksummed, write_checksummed

CHECKPOINT_SECONDS = 20.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """A trained method with its training curve: one dict of mean loss terms an epoch, and validation loss where there is one.

    `earlier` is how many seconds of training the checkpoint saved that it went on from, 0 where there was none.
    """

    method: Method
    curve: list[dict[str, float]]
    best_epoch: int
    earlier: float


def check_device(word: str) -> str:
    """The word, if it is one for a device; whether there is one is for whoever computes to find out."""
    if word not in DEVICES:
        raise BadInput(f"unknown device {word!r}; known: {', '.join(DEVICES)}")
    return word


def pick_device(word: str) -> str:
    """`auto` is the GPU (cuda, else mps) if there is one, else cpu; a GPU asked for that is not there is an error, never a silent CPU run."""
    gpus = DEVICES[2:]
    if check_device(word) in gpus and not usable(word):
        raise BadInput(
            f"device {word} asked for, but this machine has no usable GPU of that kind; use device=cpu or device=auto"
        )
    return next(filter(usable, gpus), "cpu") if word == "auto" else word


def build(run: Run, parts: list[Inputs], genes: int) -> Method:
    """The untrained method, its parameters drawn from the run's seed."""
    facts = recipe(run.method)
    mean = torch.from_numpy(np.concatenate([part.target for part in parts]).mean(axis=0))
    classes = 1 + max(int(part.labels.max()) for part in parts)
    spots = sum(len(part) for part in parts)
    if run.encoder == OWN:
        seen = {
            "tile_px": run.tile_px,
            "encoder": facts.encoder,
            "weights": run.weights,
            "scale": run.scale,
        }
    else:
        seen = {"features": 0 if run.encoder == NONE else parts[0].image.shape[1]}
    shape = ModelSpec(genes, mean, run.target, classes, spots, rates=_rates(parts), **seen)
    torch.manual_seed(seed_of("build", run.seed))
    method = facts.build(shape, **dict(run.model))
    for module in method.modules():
        if isinstance(module, ActivationCheckpoint):
            module.recompute = run.recompute
    return method


def _rates(parts: list[Inputs]) -> torch.Tensor | None:
    """Of each gene exp(mean of ln(1 + count / size)) - 1 over the training spots; a spot without size shows nothing."""
    if any(part.counts is None for part in parts):
        return None
    counts, size = (
        np.concatenate([getattr(part, what) for part in parts]).astype(np.float64)
        for what in ("counts", "size")
    )
    logs = np.log1p(
        np.divide(counts, size[:, None], out=np.zeros_like(counts), where=size[:, None] > 0)
    )
    return torch.from_numpy(np.expm1(logs.mean(axis=0))).float()


def fit(
    run: Run,
    parts: list[Inputs],
    valid: list[Inputs],
    genes: int,
    device: str,
    checkpoint: Path,
    after_epoch: Callable[[int], None] | None = None,
) -> Fitted:
    """Train from the checkpoint if there is one, else from the start; every draw of an epoch follows from seed and epoch.

    Without validation sections the last epoch is kept; with them the epoch of lowest validation loss.
    """
    with torch.random.fork_rng():
        method = build(run, parts, genes).to(device)
        state = {"curve": [], "seconds": 0.0}
        if run.epochs and any(p.requires_grad for p in method.parameters()):
            state = _epochs(run, method, parts, valid, device, checkpoint, after_epoch)
        method.eval()
        with torch.inference_mode():
            method.fit_closed_form(
                batch.to(device) for part in parts for batch in in_order(run, part)
            )
    curve = state["curve"]
    losses = [row["validation"] for row in curve if "validation" in row]
    return Fitted(
        method, curve, int(np.argmin(losses)) if losses else len(curve) - 1, state["seconds"]
    )


def _epochs(
    run: Run,
    method: Method,
    parts: list[Inputs],
    valid: list[Inputs],
    device: str,
    checkpoint: Path,
    after_epoch,
) -> dict:
    """Train to the last epoch; the curve, the best weights and the seconds that the checkpoint saved."""
    began = saved = time.monotonic()
    optimiser = _optimiser(run, method)
    state = _resume(run, checkpoint, method, optimiser, device)
    for epoch in tqdm(
        range(len(state["curve"]), run.epochs), desc=f"{run.method} {run.split.name}", disable=None
    ):
        torch.manual_seed(seed_of("epoch", run.seed, epoch))
        for group in optimiser.param_groups:
            group["lr"] = run.lr * run.lr_decay ** (epoch // run.lr_every if run.lr_every else 0)
        row = _epoch(run, method, optimiser, parts, epoch, device)
        if valid:
            row["validation"] = _loss(run, method, valid, device)
            if row["validation"] < min(
                (old["validation"] for old in state["curve"]), default=np.inf
            ):
                state["best"] = {key: value.clone() for key, value in method.state_dict().items()}
        state["curve"].append(row)
        if (now := time.monotonic()) - saved >= CHECKPOINT_SECONDS:
            trained = {
                "method": method.state_dict(),
                "optimiser": optimiser.state_dict(),
                "seconds": state["seconds"] + now - began,
            }
            _save(state | trained, checkpoint)
            saved = time.monotonic()
        if after_epoch:
            after_epoch(epoch)
    if state["best"]:
        method.load_state_dict(state["best"])
    return state


def _save(state: dict, checkpoint: Path) -> None:
    packed = io.BytesIO()  # torch reports a full disk as a fault of its own, a file says what it is
    torch.save(state, packed)
    write_checksummed(checkpoint, packed.getbuffer())


def _epoch(
    run: Run,
    method: Method,
    optimiser: torch.optim.Optimizer,
    parts: list[Inputs],
    epoch: int,
    device: str,
) -> dict[str, float]:
    """One pass over the training batches; mean of each loss term. A loss that is not finite ends the run."""
    method.train()
    sums, steps = {}, 0
    for batch in training(run, parts, epoch, device):
        terms = method.losses(batch)
        loss = sum(terms.values())
        if not torch.isfinite(loss):
            raise BadInput(
                f"method {run.method} on {run.split.name}: the loss is {loss.item()} in epoch {epoch}; lower lr (now {run.lr:g})"
            )
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
    return float(
        np.mean(
            [
                sum(method.losses(batch.to(device)).values()).item()
                for part in parts
                for batch in in_order(run, part)
            ]
        )
    )


def _optimiser(run: Run, method: Method) -> torch.optim.Optimizer:
    parameters = [p for p in method.parameters() if p.requires_grad]
    if run.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=run.lr, momentum=run.momentum, weight_decay=run.weight_decay
        )
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[run.optimiser]
    return make(
        parameters, lr=run.lr, weight_decay=run.weight_decay, fused=True
    )  # one kernel a step: on a CPU the loop over tensors took a fifth of a step


def _maker(device: str) -> str:
    """What must be the same for a fit to go on where it stopped, beside its identity: torch and the kind of device."""
    return f"torch {torch.__version__} {device}"


def _resume(
    run: Run, checkpoint: Path, method: Method, optimiser: torch.optim.Optimizer, device: str
) -> dict:
    """Curve, best weights and seconds so far; nothing where there is no checkpoint, or one that is damaged or begun otherwise (reported)."""
    fresh = {"curve": [], "best": {}, "seconds": 0.0, "maker": _maker(device)}
    if not checkpoint.exists():
        return fresh
    start = {key: value.clone() for key, value in method.state_dict().items()}
    try:
        state = torch.load(
            io.BytesIO(read_checksummed(checkpoint)), weights_only=True, map_location=device
        )
        if state["maker"] != fresh["maker"]:
            raise ValueError(
                "it was made by another version of torch, or on another kind of device"
            )
        method.load_state_dict(state["method"])
        optimiser.load_state_dict(state["optimiser"])
        return {key: state[key] for key in fresh}
    except (
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        OSError,
        pickle.UnpicklingError,
    ) as error:
        log.warning(
            "checkpoint %s cannot be continued (%s); training starts again",
            checkpoint,
            " ".join(str(error).split())[:200],
        )
        method.load_state_dict(start)
        return fresh


def predict(
    run: Run, method: Method, section: Section, device: str
) -> Float32[np.ndarray, "spot gene"]:
    """Predicted expression of every spot of a section whose counts are gone; under windows=published of the spots that `rows_predicted` names."""
    return _over_spots(run, method, method.predict, section, device)


def classify(
    run: Run, method: Method, section: Section, device: str
) -> Float32[np.ndarray, "spot class"]:
    """Probability of each class at every spot of a section whose counts and labels are gone, by a method that has `classify`."""
    return _over_spots(run, method, method.classify, section, device)


@torch.inference_mode()
def _over_spots(
    run: Run, method: Method, verb: Callable[[Batch], torch.Tensor], section: Section, device: str
) -> Float32[np.ndarray, "spot value"]:
    hidden = section.without_counts()
    whole = TrainingSubset(hidden, hidden)
    pieces = windowed(run, [whole], [inputs(run, whole, None, device)], None)
    method.eval()
    found = torch.cat(
        [verb(batch.to(device)).float().cpu() for part in pieces for batch in in_order(run, part)]
    ).numpy()
    if not np.isfinite(found).all():
        raise BadInput(
            f"method {run.method} on {run.split.name}: {(~np.isfinite(found)).sum()} predictions for {section.name} are not finite; lower lr (now {run.lr:g})"
        )
    return (
        found[np.argsort(np.concatenate(windows(section, CLEAN)))]
        if run.windows == CLEAN
        else found
    )
