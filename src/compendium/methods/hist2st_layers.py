"""What Hist2ST and its variants have in common.

Their config and base, then their parts in the order in which a section passes through them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods.count_losses import failures, nb_log_odds, zinb, zinb_parameters
from compendium.methods.graph import METRICS, PRUNING, Graph, nearest
from compendium.methods.layers import (
    ActivationCheckpoint,
    Batch,
    Expression,
    ImageEncoder,
    Loss,
    Method,
    ModelSpec,
    State,
    checkpointed,
    full_precision,
)
from compendium.methods.registry import Config, choice

ENCODER_PX = 224  # side of what a pre-trained encoder is given
PIECE = 64  # tiles at once through an encoder that is not trained
# And through one that is, whose activations are computed again for the gradient: else a section of
# 283 tiles of 112 px takes 7 GB.
TUNED_PIECE = 32
POLICIES = ("mean", "max")


@dataclass(frozen=True)
class GraphConfig(Config):
    """Architecture that Hist2ST and all its variants have in common."""

    width: int = 1024
    """Width of the state of a spot."""
    graph_layers: int = 4
    """Graph layers."""
    dropout: float = 0.2
    """Dropout of tokens, and of transformer blocks where there are any."""
    k: int = 4
    """Neighbours of a spot."""
    prune: str = choice("Grid", PRUNING)
    """Which of them are edges (see compendium.methods.graph.nearest)."""
    metric: str = choice("square", METRICS)
    """Distance on the array."""
    loops: bool = False
    """Whether a spot is its own neighbour."""
    zinb: float = 0.25
    """Weight of the likelihood of counts; 0 for none."""
    gain: float = 10.0
    """Factor on frozen features given in place of tiles."""

    def __post_init__(self):
        super().__post_init__()
        if self.k < 1:
            raise BadInput(f"k={self.k} neighbours asked for; set k to at least 1")


class GraphMethod(Method):
    """What Hist2ST and its variants have in common: neighbour graph, LSTM, heads and losses."""

    def add_heads(
        self, spec: ModelSpec, config: GraphConfig, nb: bool = False, distilled: bool = True
    ) -> None:
        """Build what follows the graph layers.

        Parameters
        ----------
        spec, config
            As the method is built from them.
        nb
            Take a negative binomial without zero inflation for the likelihood of counts.
        distilled
            Build the weight of a view in the distilled mixture.
        """
        self.config, width = config, config.width
        self.jump = Jump(width)
        self.counts = CountHead(width, spec.genes, nb) if config.zinb else None
        self.has_likelihood = self.counts is not None
        self.coefficient = None
        if distilled:
            layers = nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
            self.coefficient = nn.Sequential(*layers)
        self.head = gene_head(width, spec.genes)
        start_at_mean(self.head, self.counts, spec)

    def state(self, batch: Batch) -> State:
        """Return the state of each spot before the heads."""
        raise TypeError(f"{type(self).__name__} has no state")

    def forward(self, batch: Batch) -> Expression:
        """Predict all spots of one section at once."""
        return self.head(self.state(batch))

    def dispersion(self, batch: Batch) -> Expression:
        """Predict the dispersion of the likelihood."""
        return self.counts.dispersion(self.state(batch))

    def neighbours(self, batch: Batch) -> Graph:
        """Connect the spots of a section."""
        config = self.config
        return nearest(batch.grid, config.k, config.prune, config.metric, config.loops)

    def supervised(self, predicted: Expression, state: State, batch: Batch) -> dict[str, Loss]:
        """Return squared error and likelihood of counts."""
        terms = {"mean squared error": F.mse_loss(predicted, batch.target)}
        if self.counts:
            terms["count likelihood"] = self.config.zinb * self.counts.loss(state, batch)
        return terms


class FeatureTokens(nn.Module):
    """Tokens of frozen features: dropout(W (gain x features) + b)."""

    def __init__(self, features: int, config: GraphConfig):
        super().__init__()
        self.gain = config.gain
        self.project = projection(features, config)

    def forward(self, image: Float[Tensor, "spot feature"]) -> State:
        """Return the tokens."""
        return self.project(self.gain * image)


class EncoderTokens(nn.Module):
    """Tokens of tiles by a pre-trained encoder: dropout(W encoder(tile) + b).

    Parameters
    ----------
    spec
        Name and weights of the encoder.
    config
        Width of a token and its dropout.
    resized
        Side in pixels that a tile is resized to before its central 224 px, or all of it where
        that is less, are taken.
    batch_statistics
        Batch normalisation of an encoder that is not trained goes by the section in training, as
        published, instead of by its ImageNet statistics.
    tuned
        Train the encoder with all else; its batch normalisation goes by pieces of a section.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: GraphConfig,
        resized: int,
        batch_statistics: bool,
        tuned: bool = False,
    ):
        super().__init__()
        encoder = ImageEncoder(spec, frozen=not (tuned or batch_statistics)).requires_grad_(tuned)
        self.image = encoder.to(memory_format=torch.channels_last)
        self.resized, self.batch_statistics, self.tuned = resized, batch_statistics, tuned
        self.project = projection(self.image.width, config)

    def forward(self, image: Float[Tensor, "spot 3 px px"]) -> State:
        """Return the tokens; the encoder takes the section in pieces where statistics allow it."""
        if self.tuned and self.training:
            features = [
                checkpointed(self.image, self._resized(piece))
                for piece in image.tensor_split(-(-len(image) // TUNED_PIECE))
            ]
        else:
            size = len(image) if self.batch_statistics and self.training else PIECE
            features = [self.image(self._resized(piece)) for piece in image.split(size)]
        return self.project(torch.cat(features))

    def _resized(self, image: Tensor) -> Tensor:
        cut = max(self.resized - ENCODER_PX, 0) // 2
        if image.shape[-1] != self.resized:
            image = F.interpolate(image, size=self.resized, mode="bilinear", align_corners=False)
        return image[..., cut : cut + ENCODER_PX, cut : cut + ENCODER_PX]


def projection(features: int, config: GraphConfig) -> nn.Sequential:
    """Build the linear layer from features to a token."""
    return nn.Sequential(nn.Linear(features, config.width), nn.Dropout(config.dropout))


class GraphLayer(ActivationCheckpoint):
    """Graph layer: h <- normalise(ReLU(W m)), m the mean or maximum over the neighbours.

    With `gcn` m alone is used, so that without self-loops a spot's own state is gone. Without it,
    W is of [own state, m], and for the mean the identity is taken off the adjacency matrix, as
    published: m = (sum over neighbours - own) / (degree - 1), here 0 where that would divide by 0.
    torch-geometric's SAGEConv is not used: it names its weights otherwise than stored fits do, and
    adds neighbours up in another order, which moves the last digits.

    References
    ----------
    Hamilton et al. 2017, Algorithm 1; Zeng et al. 2022.
    """

    def __init__(self, width: int, gcn: bool, policy: str):
        super().__init__()
        self.gcn, self.policy = gcn, policy
        self.weight = nn.Parameter(torch.empty(width, width if gcn else 2 * width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: State, graph: Graph) -> State:
        """Return the new state of each spot."""
        near = self._aggregated(x, graph)
        inputs = near if self.gcn else torch.cat([x, near], dim=1)
        return F.normalize(F.relu(F.linear(inputs, self.weight)))

    def _aggregated(self, x: Tensor, graph: Graph) -> Tensor:
        if self.policy == "max":
            return graph.max(x)
        if self.gcn:
            return graph.mean(x)
        others = (graph.degree - 1)[:, None]
        mean = (graph.sum(x) - x) / others.masked_fill(others == 0, 1)
        return torch.where(others == 0, 0.0, mean)


class Jump(ActivationCheckpoint):
    """Jumping knowledge: mean output of a two-layer LSTM over the graph layers' outputs.

    References
    ----------
    Xu et al. 2018; Zeng et al. 2022.
    """

    def __init__(self, width: int):
        super().__init__()
        self.lstm = nn.LSTM(width, width, 2)

    def forward(self, states: list[State]) -> State:
        """Return one state of each spot."""
        return self.lstm(torch.stack(states))[0].mean(dim=0)


class CountHead(nn.Module):
    """Likelihood of the raw counts: ZINB, or the negative binomial with `nb`."""

    def __init__(self, width: int, genes: int, nb: bool = False):
        super().__init__()
        self.nb = nb
        self.outputs = nn.ModuleList(nn.Linear(width, genes) for _ in range(2 if nb else 3))

    def loss(self, state: State, batch: Batch) -> Loss:
        """Return -log-likelihood of the batch's counts."""
        with full_precision(state):
            values = self._values(state)
            if self.nb:
                return nb_log_odds(batch.counts, *values)
            return zinb(batch.counts, *zinb_parameters(*values), batch.size)

    def dispersion(self, state: State) -> Expression:
        """Return the dispersion of the ZINB, or the number of failures of the NB."""
        with full_precision(state):
            values = self._values(state)
            return failures(values[0]) if self.nb else zinb_parameters(*values)[1]

    def _values(self, state: State) -> list[Expression]:
        return [output(state.float()) for output in self.outputs]


def start_at_mean(head: nn.Sequential, counts: CountHead | None, spec: ModelSpec) -> None:
    """Set prediction and mean of the ZINB to the training mean of each gene.

    From a start near 0, far below most means, the network would first move towards one large
    constant, and a short training ends in it.
    """
    head[1].bias.data.copy_(spec.mean)
    if counts and not counts.nb and spec.rates is not None:
        counts.outputs[0].bias.data.copy_(spec.rates.clamp(min=1e-3).log())


def gene_head(width: int, genes: int) -> nn.Sequential:
    """Build the layers from a state to expression."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, genes))
