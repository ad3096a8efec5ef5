"""What methods are made of: the batch, the contract, the image input, attention."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from compendium.images import encoders

HEAD_WIDTH = 64


@dataclass(frozen=True)
class Batch:
    """Spots of one step: image tiles or features, array positions, and (in training) what is to be learned of them.

    target: expression on the run's target. counts: UMI counts of the same genes. size: the spot's size factor; its meaning follows the target
    (see compendium.runs.inputs.batches.size_factors). labels: class of each spot as a number, -1 where it has none.
    views: frozen features of augmented copies of the section, in training of a method that compares them.
    A batch of a method whose unit is the section holds the spots of exactly one section.
    """

    image: Float[Tensor, "spot 3 px px"] | Float[Tensor, "spot feature"]
    grid: Int[Tensor, "spot 2"]
    target: Float[Tensor, "spot gene"] | None = None
    counts: Float[Tensor, "spot gene"] | None = None
    size: Float[Tensor, "spot"] | None = None
    labels: Int[Tensor, "spot"] | None = None
    views: Float[Tensor, "view spot feature"] | None = None

    def to(self, device: str) -> "Batch":
        """The same batch on another device."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(
            self, **{name: part.to(device) for name, part in parts.items() if part is not None}
        )


@dataclass(frozen=True)
class ModelSpec:
    """What a method is built for: number of genes, their training mean and target, classes of the labels, training spots, input kind and size; of tiles their encoder and scale.

    rates: a typical count of each gene per unit of size factor, exp(mean of ln(1 + count / size)) - 1 over the training spots; None where that is not known.
    """

    genes: int
    mean: Float[Tensor, "gene"]
    target: str = "wide"
    classes: int = 0
    spots: int = 0  # in training; 0 where that is not known
    features: int = 0  # width of frozen features; 0 where the method sees tiles
    tile_px: int = 0
    encoder: str = ""
    weights: str = ""
    scale: str = encoders.NORMALISED
    rates: Float[Tensor, "gene"] | None = None


class Method(nn.Module):
    """A method has two verbs, `losses` and `forward`, and one more where it learns in closed form, `remember`.

    remembered: names of the buffers that hold one row of each training spot.
    """

    remembered: tuple[str, ...] = ()

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """Predicted expression on the method's own target."""
        raise TypeError(f"{type(self).__name__} does not say how it predicts")

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Named, weighted terms whose sum is minimised; none for a method in closed form."""
        return {}

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Learn in closed form from the training batches; called once, after gradient training."""

    def predict(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """Prediction at test; a method that averages views overrides it."""
        return self(batch)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest) -> None:
        """What is remembered of training spots has as many rows as were stored; no other size gives way."""
        for name in self.remembered:
            if prefix + name in state_dict:
                own = getattr(self, name)
                setattr(self, name, own.new_empty(len(state_dict[prefix + name]), *own.shape[1:]))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def recomputed(part: nn.Module, *seen) -> Tensor:
    """part(*seen), of which no more than that is kept: for the gradient it is computed again, with the same draws, and batch normalisation counts the batch once."""
    return checkpoint(
        nn.Module.__call__,
        part,
        *seen,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _counted_once(part)),
    )


@contextmanager
def _counted_once(part: nn.Module) -> Iterator[None]:
    """Batch normalisation goes by the batch, and its running statistics stay as they are."""
    norms = [
        each for each in part.modules() if isinstance(each, _BatchNorm) and each.track_running_stats
    ]
    was = [(each.momentum, each.num_batches_tracked.clone()) for each in norms]
    for each in norms:
        each.momentum = 0.0
    try:
        yield
    finally:
        for each, (momentum, batches) in zip(norms, was, strict=True):
            each.momentum = momentum
            each.num_batches_tracked.copy_(batches)


class Stage(nn.Module):
    """A part of a method through which all spots of a section pass. recompute: in training only its input is kept (see `recomputed`): less memory, a third more time."""

    recompute = False

    def __call__(self, *seen) -> Tensor:
        """As of any module."""
        return (
            recomputed(self, *seen)
            if self.recompute and torch.is_grad_enabled()
            else super().__call__(*seen)
        )


class ImageEncoder(nn.Module):
    """Tiles through the method's own encoder, or frozen features as they come; `width` is what comes out.

    frozen: the encoder keeps its weights, and its batch normalisation the statistics it came with, in training too.
    """

    def __init__(self, shape: ModelSpec, frozen: bool = False):
        super().__init__()
        self.network = (
            nn.Identity() if shape.features else encoders.encoder(shape.encoder, shape.weights)
        )
        self.width = (
            shape.features or self.network.head_hidden_size
        )  # what is left without the classifier; num_features is narrower in VGG
        self.frozen = frozen
        self.network.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Training or evaluation mode; a frozen encoder stays in the latter."""
        return super().train(mode and not self.frozen)

    def forward(self, image: Tensor) -> Float[Tensor, "spot width"]:
        """Features of each spot."""
        return self.network(image)


class Attention(nn.Module):
    """Multi-head self-attention over the spots of a section; heads are 64 wide, no N x N matrix is stored."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * heads * HEAD_WIDTH, bias=False)
        self.out = nn.Sequential(nn.Linear(heads * HEAD_WIDTH, width), nn.Dropout(dropout))

    def forward(self, x: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Every spot attends to every spot."""
        q, k, v = (
            part.unflatten(1, (self.heads, HEAD_WIDTH)).transpose(0, 1)
            for part in self.qkv(x).chunk(3, dim=1)
        )  # (heads, spot, 64)
        mixed = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]
        return self.out(mixed.transpose(0, 1).flatten(1))


class Block(Stage):
    """Pre-norm transformer block: attention and a GELU feed-forward layer, each added to its input."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Residual attention, residual feed-forward."""
        x = x + self.attention(self.norm1(x))
        return x + self.feed(self.norm2(x))


class GridEmbedding(nn.Module):
    """Two learned tables, one for each array coordinate, added together."""

    def __init__(self, positions: int, width: int):
        super().__init__()
        self.x, self.y = nn.Embedding(positions, width), nn.Embedding(positions, width)

    def forward(self, grid: Int[Tensor, "spot 2"]) -> Float[Tensor, "spot width"]:
        """Embedding of each spot's array position; a position beyond the table is an IndexError of torch."""
        return self.x(grid[:, 0]) + self.y(grid[:, 1])


def no_image(spots: int) -> Float[Tensor, "spot 0"]:
    """The image of a method that looks at none."""
    return torch.zeros(spots, 0)
