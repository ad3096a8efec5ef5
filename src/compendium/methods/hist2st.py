"""Hist2ST (Zeng et al. 2022): ConvMixer, transformer and graph layers over the spots of a section.

A likelihood of the counts and self-distillation are trained beside the squared error.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES, family
from compendium.images.augment.views import VIEWS
from compendium.methods import hist2st_layers as parts
from compendium.methods.graph import Graph
from compendium.methods.layers import (
    ActivationCheckpoint,
    Batch,
    Block,
    Expression,
    GridEmbedding,
    Loss,
    ModelSpec,
    State,
)
from compendium.methods.registry import Recipe, choice, register


@dataclass(frozen=True)
class Hist2STConfig(parts.GraphConfig):
    """Architecture of Hist2ST."""

    channels: int = 32
    """Channels of the ConvMixer."""
    kernel: int = 5
    """Side of its convolutions in patches."""
    patch: int = 7
    """Side of a patch in pixels."""
    mixer_layers: int = 2
    """ConvMixer blocks."""
    layers: int = 8
    """Transformer blocks."""
    heads: int = 16
    """Attention heads of 64 numbers each."""
    positions: int = 64
    """Rows of each position table."""
    gcn: bool = True
    """Whether a graph layer uses the neighbours alone, without the spot's own state."""
    policy: str = choice("mean", parts.POLICIES)
    """How a graph layer aggregates neighbours."""
    nb: bool = False
    """Whether the likelihood is a negative binomial without zero inflation."""
    distill: float = 0.5
    """Weight of the distillation; 0 for none."""
    views: int = 5
    """Augmented views of a section at each step."""
    view: str = choice("hist2st", FAMILIES)
    """Augmentation family of the views."""
    transposed: bool = False
    """Whether tiles are given transposed, as in the published code."""


class Hist2ST(parts.GraphMethod):
    """Hist2ST.

    state = LSTM(graph layers(transformer(token + X[x] + Y[y])));
    prediction = Linear(LayerNorm(state)); loss = MSE + 0.25 ZINB + 0.5 distillation.

    Parameters
    ----------
    spec
        Number of genes, their training statistics, and the kind of image.
    config
        Architecture.

    Raises
    ------
    BadInput
        Where parameters do not fit each other.

    References
    ----------
    Zeng et al., Briefings in Bioinformatics 2022, Methods.
    """

    def __init__(self, spec: ModelSpec, config: Hist2STConfig):
        super().__init__()
        if spec.features and config.distill and config.views > VIEWS:
            raise BadInput(
                f"views={config.views} of method hist2st are more than the {VIEWS} that are kept "
                f"of frozen features; set views={VIEWS} or less"
            )
        width = config.width
        self.transposed = config.transposed and not spec.features
        self.family, self.scaling = family(config.view), (spec.scale, spec.encoder)
        self.tokens = self.embedding(spec, config)
        self.position = GridEmbedding(config.positions, width)
        self.blocks = nn.ModuleList(
            Block(width, config.heads, width, config.dropout) for _ in range(config.layers)
        )
        self.graph = nn.ModuleList(
            parts.GraphLayer(width, config.gcn, config.policy) for _ in range(config.graph_layers)
        )
        self.add_heads(spec, config, config.nb, distilled=config.distill > 0)

    def embedding(self, spec: ModelSpec, config: Hist2STConfig) -> nn.Module:
        """Build what makes a token of a tile, or of its frozen features."""
        if spec.features:
            return parts.FeatureTokens(spec.features, config)
        return PatchMixer(spec.tile_px, config)

    def state(self, batch: Batch) -> State:
        """Return the state of each spot before the heads."""
        image, graph = self.inputs(batch)
        return self.state_of(image, batch, graph)

    def state_of(self, image: Tensor, batch: Batch, graph: Graph) -> State:
        """Return the same of an image that may be a view of the batch."""
        x = self.tokens(image) + self.position(batch.grid)
        for block in self.blocks:
            x = block(x)
        states = []
        for layer in self.graph:
            x = layer(x, graph)
            states.append(x)
        return self.jump(states)

    def inputs(self, batch: Batch) -> tuple[Tensor, Graph]:
        """Return the image in the orientation of the run, and the neighbour graph."""
        image = batch.image.transpose(2, 3) if self.transposed else batch.image
        return image, self.neighbours(batch)

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Return squared error, likelihood of counts, and in training the distillation."""
        image, graph = self.inputs(batch)
        state = self.state_of(image, batch, graph)
        predicted = self.head(state)
        terms = self.supervised(predicted, state, batch)
        if self.coefficient and self.training:
            states = [self.state_of(view, batch, graph) for view in self.views_of(image, batch)]
            distilled = F.mse_loss(self.mixed(torch.stack(states)), predicted)
            terms["distillation"] = self.config.distill * distilled
        return terms | self.further_losses(state, batch)

    def views_of(self, image: Tensor, batch: Batch) -> Iterable[Tensor]:
        """Augment the section, with one draw a view for all spots, or draw kept features."""
        views = self.config.views
        if batch.views is None:
            tiles = encoders.unscaled(image, *self.scaling).permute(0, 3, 1, 2)
            return (
                encoders.scaled(self.family(tiles, whole=True).permute(0, 2, 3, 1), *self.scaling)
                for _ in range(views)
            )
        return batch.views[torch.randperm(len(batch.views))[:views]]

    def mixed(self, states: Float[Tensor, "view spot width"]) -> Expression:
        """Average the predictions of views, weighted by a softmax of their coefficients.

        Gradients flow through weights and predictions.
        """
        return (self.coefficient(states).softmax(dim=0) * self.head(states)).sum(dim=0)

    def further_losses(self, state: State, batch: Batch) -> dict[str, Loss]:
        """Return the terms that a variant adds."""
        return {}


class PatchMixer(ActivationCheckpoint):
    """Tokens of tiles without pre-training, a ConvMixer.

    Non-overlapping patches as channels, ConvMixer blocks over them, channels cut to an eighth,
    flattened.

    Raises
    ------
    BadInput
        Where that is not as wide as a token.

    References
    ----------
    Trockman and Kolter 2022; Zeng et al. 2022.
    """

    def __init__(self, tile_px: int, config: Hist2STConfig):
        super().__init__()
        channels, patch = config.channels, config.patch
        side, fewer = tile_px // patch, channels // 8
        if config.width != side**2 * fewer:
            raise BadInput(
                f"width={config.width} does not fit: {side} x {side} patches of "
                f"channels={channels} / 8 are {side**2 * fewer} wide; set width to that, or "
                "channels or patch"
            )
        self.embed = nn.Conv2d(3, channels, patch, stride=patch)
        self.dropout = nn.Dropout(config.dropout)
        mixers = (Mixer(channels, config.kernel) for _ in range(config.mixer_layers))
        self.mixers = nn.Sequential(*mixers)
        self.down = nn.Conv2d(channels, fewer, 1)

    def forward(self, image: Float[Tensor, "spot 3 px px"]) -> State:
        """Return the tokens; channels vary slowest."""
        return self.down(self.mixers(self.dropout(self.embed(image)))).flatten(1)


class Mixer(ActivationCheckpoint):
    """ConvMixer block: x + twice [depthwise convolution, batch norm, GELU] of x, then pointwise.

    The pointwise convolution has GELU before batch norm, and nothing is added to it.
    """

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
        """Apply the block."""
        return self.across(x + self.space(x))


# Architecture in the budgets smoke and laptop.
TINY = {"width": 32, "channels": 16, "patch": 28, "mixer_layers": 1, "layers": 1, "heads": 1}
SMALL = {"width": 256, "patch": 14, "layers": 2, "heads": 4, "distill": 0.0}
TRAINING = {"lr": 9e-4, "steps": 140}
"""Training in the budget laptop, of Hist2ST and of its variants; where from: data/training."""
HIST2ST = Recipe(
    name="hist2st",
    unit="section",
    tile_px=112,
    target="scprep",
    lr=1e-5,
    lr_decay=0.9,
    lr_every=50,
    batch=1,
    epochs=350,
    scale="0-255",
    config=Hist2STConfig(),
    published={"transposed": True},
    laptop=TRAINING | {"lr_decay": 1.0, "lr_every": 0} | SMALL,
    smoke={"lr": 1e-3, "epochs": 3, "graph_layers": 2, "views": 2} | TINY,
)

register(Hist2ST, HIST2ST)
