"""What methods are made of: the batch, the contract, the image input, attention."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from compendium.images import encoders

HEAD_WIDTH = 64
Expression = Float[Tensor, "spot gene"]
State = Float[Tensor, "spot width"]
Loss = Float[Tensor, ""]


@dataclass(frozen=True)
class Batch:
    """Spots of one step; of a method whose unit is the section, all spots of exactly one."""

    image: Float[Tensor, "spot 3 px px"] | Float[Tensor, "spot feature"]
    """Tiles, or frozen features of them."""
    grid: Int[Tensor, "spot 2"]
    """Array positions."""
    target: Expression | None = None
    """Expression on the run's target, in training."""
    counts: Expression | None = None
    """UMI counts of the same genes, in training."""
    size: Float[Tensor, "spot"] | None = None
    """Size factors; their meaning follows the target (compendium.runs.inputs.batches)."""
    labels: Int[Tensor, "spot"] | None = None
    """Class of each spot, -1 where it has none."""
    section: Int[Tensor, "spot"] | None = None
    """Number of the training section of each spot, in `fit_closed_form`."""
    views: Float[Tensor, "view spot feature"] | None = None
    """Frozen features of augmented copies of the section, in training with distillation."""

    def to(self, device: str) -> "Batch":
        """Copy the batch to another device."""
        moved = {name: part.to(device) for name, part in vars(self).items() if part is not None}
        return replace(self, **moved)


@dataclass(frozen=True)
class ModelSpec:
    """What a method is built for: genes, training statistics, and the kind of image."""

    genes: int
    """Number of genes."""
    mean: Float[Tensor, "gene"]
    """Training mean of each gene on the target."""
    target: str = "wide"
    """Target of the run."""
    classes: int = 0
    """Number of tissue classes among the labels."""
    spots: int = 0
    """Number of training spots; 0 where that is not known."""
    features: int = 0
    """Width of frozen features; 0 where the method is given tiles."""
    tile_px: int = 0
    """Side of a tile in pixels."""
    encoder: str = ""
    """timm name of the encoder of tiles."""
    weights: str = ""
    """Weights of that encoder: a file, "random", or "" for those that its name says."""
    scale: str = encoders.NORMALISED
    """Pixel values of the tiles."""
    rates: Float[Tensor, "gene"] | None = None
    """exp(mean of ln(1 + count / size factor)) - 1 over the training spots, if known."""


class Method(nn.Module):
    """A method: `losses` for training by gradient or `fit_closed_form`, and `forward`."""

    per_spot_buffers: tuple[str, ...] = ()
    """Buffers that hold one row of each training spot."""
    has_likelihood = False
    """Whether a likelihood of counts is trained, so that `dispersion` can be asked for."""
    training_only: tuple[str, ...] = ()
    """Parts that prediction does without; published weights lack them."""
    weight_bits: int = 8
    """Bits of each value of a matrix in published weights, 8 or 16."""
    exact: tuple[str, ...] = ()
    """Parts whose published weights are in single precision all the same."""

    def forward(self, batch: Batch) -> Expression:
        """Predict expression on the method's own target."""
        raise TypeError(f"{type(self).__name__} has no forward")

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Return named, weighted terms whose sum is minimised."""
        return {}

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Fit what is fitted in closed form; called once, after training by gradient.

        Parameters
        ----------
        batches
            All training spots in order, section after section (`Batch.section`).
        """

    def predict(self, batch: Batch) -> Expression:
        """Predict at test; a method that averages views overrides it."""
        return self(batch)

    def dispersion(self, batch: Batch) -> Expression:
        """Predict the dispersion of the count likelihood; variance = mean + mean^2 / dispersion."""
        raise TypeError(f"{type(self).__name__} has no likelihood of counts")

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest) -> None:
        """Give per-spot buffers as many rows as were stored; no other size gives way."""
        for name in self.per_spot_buffers:
            if prefix + name in state_dict:
                own = getattr(self, name)
                setattr(self, name, own.new_empty(len(state_dict[prefix + name]), *own.shape[1:]))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def full_precision(of: Tensor) -> torch.autocast:
    """Compute in float32 within the block, whatever the precision of the run.

    Parameters
    ----------
    of
        A tensor of the device; what enters the block is to be converted by `float()`.
    """
    return torch.autocast(of.device.type, enabled=False)


def checkpointed(module: nn.Module, *inputs) -> Tensor:
    """Apply a module, keep its inputs alone, and compute it again for the gradient.

    The second pass draws the same random numbers and leaves running statistics as they are.
    """
    return checkpoint(
        nn.Module.__call__,
        module,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _frozen_statistics(module)),
    )


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the batch without updating its running statistics."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
    norms = [each for each in norms if each.track_running_stats]
    before = [(each.momentum, each.num_batches_tracked.clone()) for each in norms]
    for each in norms:
        each.momentum = 0.0
    try:
        yield
    finally:
        for each, (momentum, batches) in zip(norms, before, strict=True):
            each.momentum = momentum
            each.num_batches_tracked.copy_(batches)


class ActivationCheckpoint(nn.Module):
    """Module over all spots of a section, with activation checkpointing as an option.

    With `checkpoint_activations` only its input is kept in training: less memory, a third more
    time.
    """

    checkpoint_activations = False

    def __call__(self, *inputs) -> Tensor:
        """Apply the module."""
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpointed(self, *inputs)
        return super().__call__(*inputs)


class ImageEncoder(nn.Module):
    """Encoder of tiles, or the identity on frozen features.

    Parameters
    ----------
    spec
        Kind of image, name and weights of the encoder.
    frozen
        Keep the weights, and the statistics of batch normalisation in training too.
    """

    def __init__(self, spec: ModelSpec, frozen: bool = False):
        super().__init__()
        self.network = (
            nn.Identity() if spec.features else encoders.encoder(spec.encoder, spec.weights)
        )
        # What is left without the classifier; num_features is narrower in VGG.
        self.width = spec.features or self.network.head_hidden_size
        self.frozen = frozen
        self.network.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Set the mode; a frozen encoder stays in evaluation."""
        return super().train(mode and not self.frozen)

    def forward(self, image: Tensor) -> State:
        """Return the features of each spot."""
        return self.network(image)


class Attention(nn.Module):
    """Multi-head self-attention over the spots of a section, without an N x N matrix in memory.

    out = softmax(Q K^T / 8) V for each head of 64, then one linear layer.

    References
    ----------
    Vaswani et al. 2017, Eq. 1.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * heads * HEAD_WIDTH, bias=False)
        self.out = nn.Sequential(nn.Linear(heads * HEAD_WIDTH, width), nn.Dropout(dropout))

    def forward(self, x: State) -> State:
        """Let every spot attend to every spot."""
        q, k, v = (
            part.unflatten(1, (self.heads, HEAD_WIDTH)).transpose(0, 1)
            for part in self.qkv(x).chunk(3, dim=1)
        )  # (heads, spot, 64)
        mixed = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]
        return self.out(mixed.transpose(0, 1).flatten(1))


class Block(ActivationCheckpoint):
    """Pre-norm transformer block: x + attention(LN(x)), then x + MLP(LN(x)) with GELU."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        wider, back = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.feed = nn.Sequential(wider, nn.GELU(), nn.Dropout(dropout), back, nn.Dropout(dropout))

    def forward(self, x: State) -> State:
        """Return the new state of each spot."""
        x = x + self.attention(self.norm1(x))
        return x + self.feed(self.norm2(x))


class GridEmbedding(nn.Module):
    """Sum of two learned tables, one for each array coordinate."""

    def __init__(self, positions: int, width: int):
        super().__init__()
        self.x, self.y = nn.Embedding(positions, width), nn.Embedding(positions, width)

    def forward(self, grid: Int[Tensor, "spot 2"]) -> State:
        """Embed array positions; one beyond the table is an IndexError of torch."""
        return self.x(grid[:, 0]) + self.y(grid[:, 1])
