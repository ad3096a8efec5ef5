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
from compendium.methods.graph import METRICS, PRUNING, Graph, check_neighbours, nearest
from compendium.methods.layers import Batch, Block, GridEmbedding, Method, ModelSpec
from compendium.methods.registry import (
    Config,
    Recipe,
    choice,
    register,
)


@dataclass(frozen=True)
class Hist2STConfig(Config):
    """Architecture of Hist2ST."""

    width: int = 1024
    """Width of the state of a spot."""
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
    graph_layers: int = 4
    """Graph layers."""
    dropout: float = 0.2
    """Dropout of tokens and transformer blocks."""
    positions: int = 64
    """Rows of each position table."""
    k: int = 4
    """Neighbours of a spot."""
    prune: str = choice("Grid", PRUNING)
    """Which of them are edges (see compendium.methods.graph.nearest)."""
    metric: str = choice("square", METRICS)
    """Distance on the array."""
    loops: bool = False
    """Whether a spot is its own neighbour."""
    gcn: bool = True
    """Whether a graph layer uses the neighbours alone, without the spot's own state."""
    policy: str = choice("mean", parts.POLICIES)
    """How a graph layer aggregates neighbours."""
    zinb: float = 0.25
    """Weight of the likelihood of counts; 0 for none."""
    nb: bool = False
    """Whether that is a negative binomial without zero inflation."""
    distill: float = 0.5
    """Weight of the distillation; 0 for none."""
    views: int = 5
    """Augmented views of a section at each step."""
    view: str = choice("hist2st", FAMILIES)
    """Augmentation family of the views."""
    gain: float = 10.0
    """Factor on frozen features given in place of tiles."""
    transposed: bool = False
    """Whether tiles are given transposed, as in the published code."""


class Hist2ST(Method):
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
                f"views={config.views} of method hist2st are more than the {VIEWS} that are kept of "
                f"frozen features; set views={VIEWS} or less"
            )
        check_neighbours(config.k)
        self.config, width = config, config.width
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
        self.jump = parts.Jump(width)
        self.counts = parts.CountHead(width, spec.genes, config.nb) if config.zinb else None
        self.coefficient = parts.coefficient_head(width) if config.distill else None
        self.head = parts.gene_head(width, spec.genes)
        parts.start_at_mean(self.head, self.counts, spec)

    def embedding(self, spec: ModelSpec, config: Hist2STConfig) -> nn.Module:
        """Build what makes a token of a tile, or of its frozen features."""
        if spec.features:
            return parts.FeatureTokens(spec.features, config.width, config.dropout, config.gain)
        return parts.PatchMixer(
            spec.tile_px,
            config.width,
            config.channels,
            config.kernel,
            config.patch,
            config.mixer_layers,
            config.dropout,
        )

    def state(self, image: Tensor, batch: Batch, graph: Graph) -> Float[Tensor, "spot width"]:
        """Return the state of each spot before the heads; the image may be a view of the batch."""
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
        config = self.config
        return image, nearest(batch.grid, config.k, config.prune, config.metric, config.loops)

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """Predict all spots of one section at once."""
        image, graph = self.inputs(batch)
        return self.head(self.state(image, batch, graph))

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Return squared error, likelihood of counts, and in training the distillation."""
        image, graph = self.inputs(batch)
        state = self.state(image, batch, graph)
        predicted = self.head(state)
        terms = {"mean squared error": F.mse_loss(predicted, batch.target)}
        if self.counts:
            terms["count likelihood"] = self.config.zinb * self.counts.loss(state, batch)
        if self.coefficient and self.training:
            states = [self.state(view, batch, graph) for view in self.views_of(image, batch)]
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

    def mixed(self, states: Float[Tensor, "view spot width"]) -> Float[Tensor, "spot gene"]:
        """Average the predictions of views, weighted by a softmax of their coefficients.

        Gradients flow through weights and predictions.
        """
        return (self.coefficient(states).softmax(dim=0) * self.head(states)).sum(dim=0)

    def further_losses(
        self, state: Float[Tensor, "spot width"], batch: Batch
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the terms that a variant adds."""
        return {}


HIST2ST = Recipe(
    name="hist2st",
    unit="section",
    tile_px=112,
    target="scprep",
    optimiser="adam",
    lr=1e-5,
    lr_decay=0.9,
    lr_every=50,
    batch=1,
    epochs=350,
    scale="0-255",
    config=Hist2STConfig(),
    published={"transposed": True},
    laptop={
        "lr": 3e-4,
        "epochs": 50,
        "width": 256,
        "patch": 14,
        "layers": 2,
        "heads": 4,
        "distill": 0.0,
    },
    smoke={
        "lr": 1e-3,
        "epochs": 3,
        "width": 32,
        "channels": 16,
        "patch": 28,
        "mixer_layers": 1,
        "layers": 1,
        "heads": 1,
        "graph_layers": 2,
        "views": 2,
    },
)


register(Hist2ST, HIST2ST)
