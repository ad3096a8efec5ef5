"""Training: one method, its training inputs, and a checkpoint that it can continue from."""

import io
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from pickle import PickleError

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
from compendium.methods.registry import OWN
from compendium.runs.inputs.batches import (
    Inputs,
    in_order,
    inputs,
    pooled,
    steps_an_epoch,
    training,
    windowed,
)
from compendium.runs.inputs.matching import TrainingSubset
from compendium.runs.run import Run
from compendium.runs.seeds import seed_of
from compendium.storage import read_checksummed, write_checksummed

CHECKPOINT_SECONDS = 20.0
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
UNREADABLE = (RuntimeError, ValueError, LookupError, TypeError, EOFError, OSError, PickleError)
Apply = Callable[[Batch], torch.Tensor]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """A trained method.

    Parameters
    ----------
    method
        The method, in evaluation mode.
    curve
        Mean of each loss term in each epoch, and the validation loss where there is one.
    steps
        Number of optimiser steps at the end of each epoch.
    best_epoch
        Epoch whose weights are kept.
    earlier
        Seconds of training before the checkpoint that was continued; 0 where there was none.
    """

    method: Method
    curve: list[dict[str, float]]
    steps: list[int]
    best_epoch: int
    earlier: float


def check_device(device: str) -> str:
    """Validate the name of a device; availability is checked where the run executes."""
    if device not in DEVICES:
        raise BadInput(f"unknown device {device!r}; known: {', '.join(DEVICES)}")
    return device


def pick_device(device: str) -> str:
    """Choose the device: `auto` is the GPU (cuda, else mps) if there is one, else cpu.

    Raises
    ------
    BadInput
        If a GPU is asked for and there is none of its kind.
    """
    gpus = DEVICES[2:]
    if check_device(device) in gpus and not usable(device):
        raise BadInput(
            f"device {device} asked for, but this machine has no usable GPU of that kind;"
            " use device=cpu or device=auto"
        )
    return next(filter(usable, gpus), "cpu") if device == "auto" else device


def build(run: Run, sections: list[Inputs]) -> Method:
    """Build the untrained method, its weights drawn from the run's seed.

    Parameters
    ----------
    run
        The run.
    sections
        Training inputs.
    """
    facts = recipe(run.method)
    targets = np.concatenate([each.target for each in sections])
    spec = ModelSpec(
        genes=targets.shape[1],
        mean=torch.from_numpy(targets.mean(axis=0)),
        target=run.target,
        classes=1 + max(int(each.labels.max()) for each in sections),
        spots=len(targets),
        features=0 if run.encoder == OWN else sections[0].image.shape[1],
        tile_px=run.tile_px,
        encoder=facts.encoder,
        weights=run.weights,
        scale=run.scale,
        rates=_rates(sections),
    )
    torch.manual_seed(seed_of("build", run.seed))
    method = facts.build(spec, **dict(run.model))
    for part in method.modules():
        if isinstance(part, ActivationCheckpoint):
            part.checkpoint_activations = run.checkpoint_activations
    return method


def _rates(sections: list[Inputs]) -> torch.Tensor:
    """Of each gene exp(mean of ln(1 + count / size)) - 1; a spot of size 0 counts as 0."""
    counts = np.concatenate([each.counts for each in sections]).astype(np.float64)
    size = np.concatenate([each.size for each in sections]).astype(np.float64)[:, None]
    rates = np.divide(counts, size, out=np.zeros_like(counts), where=size > 0)
    return torch.from_numpy(np.expm1(np.log1p(rates).mean(axis=0))).float()


def fit(
    run: Run,
    sections: list[Inputs],
    valid: list[Inputs],
    device: str,
    checkpoint: Path,
    after_epoch: Callable[[int], None] | None = None,
) -> Fitted:
    """Train from the checkpoint if there is one, else from the start.

    Every draw of an epoch follows from seed and epoch. Without validation inputs the last epoch is
    kept, else the epoch of lowest validation loss.

    Parameters
    ----------
    run
        The run.
    sections, valid
        Training and validation inputs.
    device
        Device of the method.
    checkpoint
        File of the checkpoint.
    after_epoch
        Called with the number of each epoch when it ends.
    """
    with torch.random.fork_rng():
        method = build(run, sections).to(device)
        state, ends = {"curve": [], "seconds": 0.0}, []
        if (run.steps or run.epochs) and any(p.requires_grad for p in method.parameters()):
            loop = _Training(run, method, sections, valid, device, checkpoint)
            state, ends = loop.to_the_end(after_epoch), loop.ends
        method.eval()
        with torch.inference_mode():
            method.fit_closed_form(each.to(device) for each in _numbered(run, sections))
    curve = state["curve"]
    losses = [row["validation"] for row in curve if "validation" in row]
    best = int(np.argmin(losses)) if losses else len(curve) - 1
    return Fitted(method, curve, ends, best, state["seconds"])


def epoch_ends(run: Run, an_epoch: int) -> list[int]:
    """Return the number of steps at the end of each epoch of a run.

    Parameters
    ----------
    run
        The run; where it states a number of steps, its last epoch is cut short at that number.
    an_epoch
        Steps of a whole epoch.
    """
    total = run.steps or run.epochs * an_epoch
    return [*range(an_epoch, total, an_epoch), total]


def autocast(run: Run, device: str) -> torch.autocast:
    """Compute in the precision of the run within the block."""
    return torch.autocast(device, torch.bfloat16, enabled=run.precision == "bf16")


def _numbered(run: Run, sections: list[Inputs]) -> Iterator[Batch]:
    """Yield every training spot in order, with the number of its section."""
    for number, section in enumerate(sections):
        for batch in in_order(run, section):
            yield replace(batch, section=torch.full((len(batch.grid),), number))


@dataclass
class _Training:
    """Training of a method by gradients, from its checkpoint if there is one."""

    run: Run
    method: Method
    sections: list[Inputs]
    valid: list[Inputs]
    device: str
    checkpoint: Path

    def __post_init__(self) -> None:
        run = self.run
        weights = [p for p in self.method.parameters() if p.requires_grad]
        # Fused: on a CPU the loop over tensors took a fifth of a step.
        own = {"momentum": run.momentum} if run.optimiser == "sgd" else {"fused": True}
        self.optimiser = OPTIMISERS[run.optimiser](
            weights, lr=run.lr, weight_decay=run.weight_decay, **own
        )
        self.pool = pooled(run, self.sections)
        self.ends = epoch_ends(run, steps_an_epoch(run, self.sections))
        self.began = self.saved = time.monotonic()

    def to_the_end(self, after_epoch: Callable[[int], None] | None) -> dict:
        """Train; curve, best weights, and seconds before the checkpoint."""
        run, state = self.run, self.resume()
        left = range(len(state["curve"]), len(self.ends))
        for epoch in tqdm(left, desc=f"{run.method} {run.split.name}", disable=None):
            torch.manual_seed(seed_of("epoch", run.seed, epoch))
            decays = epoch // run.lr_every if run.lr_every else 0
            for group in self.optimiser.param_groups:
                group["lr"] = run.lr * run.lr_decay**decays
            row = self.epoch(epoch)
            if self.valid:
                row["validation"] = self.validation_loss()
                earlier = (old["validation"] for old in state["curve"])
                if row["validation"] < min(earlier, default=np.inf):
                    state["best"] = _copied(self.method)
            state["curve"].append(row)
            if (now := time.monotonic()) - self.saved >= CHECKPOINT_SECONDS:
                self.save(state, now)
            if after_epoch:
                after_epoch(epoch)
        if state["best"]:
            self.method.load_state_dict(state["best"])
        return state

    def epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training batches, or what is left of one; mean of each loss term."""
        self.method.train()
        sums: Counter[str] = Counter()
        steps = self.ends[epoch] - (self.ends[epoch - 1] if epoch else 0)
        batches = training(self.run, self.sections, epoch, self.device, self.pool)
        for batch in islice(batches, steps):
            with autocast(self.run, self.device):
                terms = self.method.losses(batch)
                loss = sum(terms.values())
            if not torch.isfinite(loss):
                raise BadInput(
                    f"method {self.run.method} on {self.run.split.name}: the loss is {loss.item()}"
                    f" in epoch {epoch}; lower lr (now {self.run.lr:g})"
                )
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            sums.update({name: term.item() for name, term in terms.items()})
        return {name: value / steps for name, value in sums.items()}

    @torch.inference_mode()
    def validation_loss(self) -> float:
        """Mean loss of the validation batches."""
        self.method.eval()
        batches = (batch for each in self.valid for batch in in_order(self.run, each))
        with autocast(self.run, self.device):
            terms = (self.method.losses(batch.to(self.device)) for batch in batches)
            return float(np.mean([sum(each.values()).item() for each in terms]))

    def save(self, state: dict, now: float) -> None:
        """Write the checkpoint."""
        trained = {
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "seconds": state["seconds"] + now - self.began,
        }
        packed = io.BytesIO()  # torch hides the reason of a full disk, a file gives it
        torch.save(state | trained, packed)
        write_checksummed(self.checkpoint, packed.getbuffer())
        self.saved = time.monotonic()

    def resume(self) -> dict:
        """Load the checkpoint; an empty state where there is none that can be continued."""
        fresh = {"curve": [], "best": {}, "seconds": 0.0, "maker": _maker(self.device)}
        if not self.checkpoint.exists():
            return fresh
        start = _copied(self.method)
        try:
            stored = io.BytesIO(read_checksummed(self.checkpoint))
            state = torch.load(stored, weights_only=True, map_location=self.device)
            if state["maker"] != fresh["maker"]:
                raise ValueError("made by another version of torch, or on another kind of device")
            self.method.load_state_dict(state["method"])
            self.optimiser.load_state_dict(state["optimiser"])
            return {key: state[key] for key in fresh}
        except UNREADABLE as error:
            why = " ".join(str(error).split())[:200]
            line = "checkpoint %s cannot be continued (%s); training starts again"
            log.warning(line, self.checkpoint, why)
            self.method.load_state_dict(start)
            return fresh


def _copied(method: Method) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


def _maker(device: str) -> str:
    """What a checkpoint must share with the fit that continues it, beside the identity."""
    return f"torch {torch.__version__} {device}"


@torch.inference_mode()
def predict(
    run: Run, method: Method, section: Section, device: str, apply: Apply | None = None
) -> Float32[np.ndarray, "spot value"]:
    """Predict the expression of every spot of a section, whose counts are removed first.

    Parameters
    ----------
    run, method
        The run and its trained method.
    section
        Test section, with the stains that the run asks for.
    device
        Device of the method.
    apply
        What is predicted of a batch: `method.predict` by default, `method.classify` for the
        probability of each class.

    Returns
    -------
    Predictions in the order of the spots, under windows=published of those that `rows_predicted`
    names.
    """
    hidden = section.without_counts()
    whole = TrainingSubset(hidden, hidden)
    pieces = windowed(run, [whole], [inputs(run, whole, None, device)], None)
    method.eval()
    batches = (batch.to(device) for each in pieces for batch in in_order(run, each))
    apply = apply or method.predict
    with autocast(run, device):
        values = torch.cat([apply(batch).float().cpu() for batch in batches]).numpy()
    if not np.isfinite(values).all():
        raise BadInput(
            f"method {run.method} on {run.split.name}: {(~np.isfinite(values)).sum()} predictions"
            f" for {section.name} are not finite; lower lr (now {run.lr:g})"
        )
    if run.windows == CLEAN:
        return values[np.argsort(np.concatenate(windows(section, CLEAN)))]
    return values
