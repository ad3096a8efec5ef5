"""The parts of Hist2ST, in the order in which a section passes through them."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods.count_losses import nb_log_odds, zinb, zinb_parameters
from compendium.methods.graph import Graph
from compendium.methods.layers import Batch, ImageEncoder, ModelSpec, Stage, recomputed
from compendium.methods.registry import Step

SEEN_PX = 224  # side of what a pre-trained encoder is shown
POLICIES = ("mean", "max")
PIECE = 64  # tiles at once through an encoder that is not trained
LSTM = Step("context", "LSTM over the {graph_layers} outputs", "their mean is the state of a spot")
ZINB = Step(
    "distribution",
    "ZINB of the counts",
    "mean, dispersion and dropout of each gene; -log-likelihood x {zinb:g}",
    side="out",
)
HEAD = Step("head", "linear layer", "behind layer normalisation")
# What the benchmark's variants have in common.
VARIANT = {
    "citation": "jiang2023benchmark",
    "evaluated": "HER2+ (BC1); Visium breast (BC2, BC3)",
    "compared": ("hist2st",),
}
TUNED_PIECE = 32  # and through one that is, whose activations are made again for the gradient: else a section of 283 tiles of 112 px takes 7 GB


class PatchMixer(Stage):
    """Tile -> token without pre-training: non-overlapping patches as channels, ConvMixer blocks over them, channels cut to an eighth, flattened."""

    def __init__(
        self,
        tile_px: int,
        width: int,
        channels: int,
        kernel: int,
        patch: int,
        layers: int,
        dropout: float,
    ):
        super().__init__()
        side, fewer = tile_px // patch, channels // 8
        if width != side**2 * fewer:
            raise BadInput(
                f"width={width} does not fit: {side} x {side} patches of channels={channels} / 8 are {side**2 * fewer} wide; set width to that, or channels or patch"
            )
        self.embed = nn.Conv2d(3, channels, patch, stride=patch)
        self.dropout = nn.Dropout(dropout)
        self.mixers = nn.Sequential(*(Mixer(channels, kernel) for _ in range(layers)))
        self.down = nn.Conv2d(channels, fewer, 1)

    def forward(self, image: Float[Tensor, "spot 3 px px"]) -> Float[Tensor, "spot width"]:
        """Tokens; channels vary slowest."""
        return self.down(self.mixers(self.dropout(self.embed(image)))).flatten(1)


class Mixer(Stage):
    """x + twice [depthwise convolution, batch norm, GELU] of x; then across channels: GELU before batch norm, nothing added."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        twice = (self._depthwise(channels, kernel) for _ in range(2))
        self.space = nn.Sequential(*(part for parts in twice for part in parts))
        self.across = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.GELU(), nn.BatchNorm2d(channels)
        )

    @staticmethod
    def _depthwise(channels: int, kernel: int) -> tuple[nn.Module, ...]:
        return (
            nn.Conv2d(channels, channels, kernel, groups=channels, padding="same"),
            nn.BatchNorm2d(channels),
            nn.GELU(),
        )

    def forward(
        self, x: Float[Tensor, "spot channel side side"]
    ) -> Float[Tensor, "spot channel side side"]:
        """Same shape."""
        return self.across(x + self.space(x))


class Encoded(nn.Module):
    """Tile -> token with a pre-trained encoder, or from frozen features: one linear layer, dropout.

    resized: side that a tile is brought to before its central 224 px are taken, or all of it where that is less. tuned: the encoder is trained with all else;
    its batch normalisation goes by pieces of a section. batch_statistics: that of an encoder which is not trained goes by the section, as published, instead of by
    what it learned.
    gain: factor on frozen features given in place of tiles.
    """

    def __init__(
        self,
        shape: ModelSpec,
        width: int,
        dropout: float,
        resized: int,
        batch_statistics: bool,
        gain: float,
        tuned: bool = False,
    ):
        super().__init__()
        if tuned and shape.features:
            raise BadInput(
                "tuned=True trains the encoder, and frozen features come without one; give encoder=own, or tuned=False"
            )
        self.image = (
            ImageEncoder(shape, frozen=not (tuned or batch_statistics))
            .requires_grad_(tuned)
            .to(memory_format=torch.channels_last)
        )
        self.resized, self.batch_statistics, self.tuned = (
            0 if shape.features else resized,
            batch_statistics,
            tuned,
        )
        self.gain = gain if shape.features else 1.0
        self.project = nn.Sequential(nn.Linear(self.image.width, width), nn.Dropout(dropout))

    def forward(self, image: Tensor) -> Float[Tensor, "spot width"]:
        """Tokens; the encoder takes the section in pieces where its statistics allow that."""
        if self.tuned and self.training:
            seen = [
                recomputed(self.image, self._resized(piece))
                for piece in image.tensor_split(-(-len(image) // TUNED_PIECE))
            ]
        else:
            seen = [
                self.image(self._resized(piece))
                for piece in image.split(
                    len(image) if self.batch_statistics and self.training else PIECE
                )
            ]
        return self.project(self.gain * torch.cat(seen))

    def _resized(self, image: Tensor) -> Tensor:
        if not self.resized:
            return image
        cut = max(self.resized - SEEN_PX, 0) // 2
        image = (
            F.interpolate(image, size=self.resized, mode="bilinear", align_corners=False)
            if image.shape[-1] != self.resized
            else image
        )
        return image[..., cut : cut + SEEN_PX, cut : cut + SEEN_PX]


class GraphLayer(Stage):
    """h <- rows of unit length of ReLU(W m); m is the mean (or maximum) over the neighbours.

    gcn: m alone is used, so that without self-loops a spot's own state is gone. Without gcn, W is of [own state, m], and for the mean the identity is
    taken off the adjacency matrix, as published: m = (sum over neighbours - own) / (degree - 1), here 0 where that would divide by 0.
    """

    def __init__(self, width: int, gcn: bool, policy: str):
        super().__init__()
        if policy not in POLICIES:
            raise BadInput(
                f"unknown policy {policy!r} of a graph layer; known: {', '.join(POLICIES)}"
            )
        self.gcn, self.policy = gcn, policy
        self.weight = nn.Parameter(torch.empty(width, width if gcn else 2 * width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Float[Tensor, "spot width"], graph: Graph) -> Float[Tensor, "spot width"]:
        """New state of each spot."""
        near = (
            graph.max(x)
            if self.policy == "max"
            else graph.mean(x)
            if self.gcn
            else self._others(x, graph)
        )
        return F.normalize(
            F.relu(F.linear(near if self.gcn else torch.cat([x, near], dim=1), self.weight))
        )

    @staticmethod
    def _others(x: Float[Tensor, "spot width"], graph: Graph) -> Float[Tensor, "spot width"]:
        others = (graph.degree - 1)[:, None]
        return torch.where(
            others == 0, 0.0, (graph.sum(x) - x) / others.masked_fill(others == 0, 1)
        )


class Jump(Stage):
    """Jumping knowledge: the outputs of the graph layers are read by an LSTM of two layers as a sequence for each spot; mean over its outputs."""

    def __init__(self, width: int):
        super().__init__()
        self.lstm = nn.LSTM(width, width, 2)

    def forward(self, states: list[Float[Tensor, "spot width"]]) -> Float[Tensor, "spot width"]:
        """One state of each spot."""
        return self.lstm(torch.stack(states))[0].mean(dim=0)


class CountHead(nn.Module):
    """A likelihood of the raw counts beside the prediction: ZINB, or with `nb` the negative binomial."""

    def __init__(self, width: int, genes: int, nb: bool = False):
        super().__init__()
        self.nb = nb
        self.outputs = nn.ModuleList(nn.Linear(width, genes) for _ in range(2 if nb else 3))

    def loss(self, state: Float[Tensor, "spot width"], batch: Batch) -> Float[Tensor, ""]:
        """-log-likelihood of the batch's counts."""
        values = [output(state) for output in self.outputs]
        return (
            nb_log_odds(batch.counts, *values)
            if self.nb
            else zinb(batch.counts, *zinb_parameters(*values), batch.size)
        )


def start_at_mean(head: nn.Sequential, counts: CountHead | None, shape: ModelSpec) -> None:
    """Prediction and ZINB begin at the training mean of each gene, on whatever target, not near 0, which lies far below most.

    From there the whole network would first move towards one large constant, and a short training ends in it.
    """
    with torch.no_grad():
        head[1].bias.copy_(shape.mean)
        if counts and not counts.nb and shape.rates is not None:
            counts.outputs[0].bias.copy_(shape.rates.clamp(min=1e-3).log())


def coefficient_head(width: int) -> nn.Sequential:
    """State -> how much a view's prediction counts in the mixture that is distilled."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))


def gene_head(width: int, genes: int) -> nn.Sequential:
    """State -> expression."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, genes))
