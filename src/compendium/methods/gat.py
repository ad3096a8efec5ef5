"""Hist2ST with graph attention (Jiang et al. 2023): a frozen encoder and four attention layers.

Attention is over neighbouring spots; LSTM and heads are those of Hist2ST.
"""

import warnings
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods import hist2st_layers as parts
from compendium.methods.graph import PRUNING, Graph
from compendium.methods.hist2st import TRAINING
from compendium.methods.layers import ActivationCheckpoint, Batch, ModelSpec, State
from compendium.methods.registry import Recipe, choice, register

SLOPE = 0.2  # of the leaky ReLU
GAIN = 1.414  # of the layers' first weights
RESIZED = 224  # side in pixels that a tile is resized to


@dataclass(frozen=True)
class GATConfig(parts.GraphConfig):
    """Architecture of Hist2ST with graph attention; its width is a multiple of `heads`."""

    heads: int = 2
    """Attention heads."""
    prune: str = choice("NA", PRUNING)
    """Which of the neighbours are edges (see compendium.methods.graph.nearest)."""
    loops: bool = True
    """Whether a spot attends to itself."""
    shared: bool = False
    """Whether one layer is applied `graph_layers` times, as in the published code."""
    attention: bool = True
    """False takes the mean of the neighbours instead."""
    gain: float = 4.0
    """Factor on frozen features given in place of tiles."""
    batch_statistics: bool = False
    """Whether batch normalisation of the encoder goes by the section, as published."""


class GAT(parts.GraphMethod):
    """Hist2ST with graph attention.

    state = LSTM(attention layers(W encoder(tile) + b)); prediction = Linear(LayerNorm(state));
    loss = MSE + 0.25 ZINB.

    Parameters
    ----------
    spec
        Number of genes, their training statistics, and the kind of image.
    config
        Architecture.

    Raises
    ------
    BadInput
        Where the width is no multiple of the heads, or torch-geometric is missing.

    References
    ----------
    Jiang et al. 2023, Methods; Velickovic et al. 2018.
    """

    def __init__(self, spec: ModelSpec, config: GATConfig):
        super().__init__()
        width, self.repeats = config.width, config.graph_layers if config.shared else 1
        self.tokens = (
            parts.FeatureTokens(spec.features, config)
            if spec.features
            else parts.EncoderTokens(spec, config, RESIZED, config.batch_statistics)
        )
        layers = (
            GraphAttention(width, config.heads) if config.attention else GraphMean(width)
            for _ in range(1 if config.shared else config.graph_layers)
        )
        self.graph = nn.ModuleList(layers)
        self.add_heads(spec, config)

    def state(self, batch: Batch) -> State:
        """Return the state of each spot before the heads."""
        x, graph, states = self.tokens(batch.image), self.neighbours(batch), []
        for layer in self.graph:
            for _ in range(self.repeats):
                x = layer(x, graph)
                states.append(x)
        return self.jump(states)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Return the mean squared error and the likelihood of counts."""
        state = self.state(batch)
        return self.supervised(self.head(state), state, batch)


class GraphAttention(ActivationCheckpoint):
    """Graph attention layer, torch-geometric's with the bias before the attention.

    z = W h + b; e_ij = LeakyReLU(a . z_i + c . z_j) for each head;
    out_i = sum of softmax_j(e_ij) z_j over the neighbours j of i.

    torch-geometric adds its bias after the attention. Here b is a column of W, and every h ends in
    a 1, so that b enters scores and mean. A spot without neighbours takes the mean of z over all
    spots, as where a softmax is taken of equal numbers.

    References
    ----------
    Velickovic et al. 2018, Eq. 1 to 5.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % heads:
            raise BadInput(
                f"width={width} of method hist2st-gat cannot be divided among heads={heads}; set "
                "width to a multiple"
            )
        self.attention = gat_conv()(
            width + 1, width // heads, heads, negative_slope=SLOPE, add_self_loops=False, bias=False
        )
        self.start(width, heads)

    @torch.no_grad()
    def start(self, width: int, heads: int) -> None:
        """Draw W and (a, c) as published, b as a linear layer does."""
        weight, both = self.attention.lin.weight, torch.empty(heads, 2 * (width // heads))
        for drawn in (weight[:, :width], both):
            nn.init.xavier_uniform_(drawn, gain=GAIN)
        nn.init.uniform_(weight[:, width], -(width**-0.5), width**-0.5)
        own, other = both.chunk(2, dim=1)
        self.attention.att_dst.copy_(own[None])
        self.attention.att_src.copy_(other[None])

    def forward(self, x: State, graph: Graph) -> State:
        """Return the new state of each spot, heads one after the other."""
        x = F.pad(x, (0, 1), value=1.0)
        return torch.where(
            graph.degree[:, None] > 0,
            self.attention(x, graph.pairs),
            self.attention.lin(x.mean(dim=0)),
        )


class GraphMean(ActivationCheckpoint):
    """The same layer without attention: out_i = mean of z_j = W h_j + b over the neighbours j.

    A spot without neighbours takes the mean over all spots.
    """

    def __init__(self, width: int):
        super().__init__()
        self.project = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.project.weight, gain=GAIN)

    def forward(self, x: State, graph: Graph) -> State:
        """Return the new state of each spot."""
        z = self.project(x)
        return torch.where(graph.degree[:, None] > 0, graph.mean(z), z.mean(dim=0))


def gat_conv() -> type[nn.Module]:
    """Import torch-geometric's layer; BadInput where the library is not installed."""
    try:
        with warnings.catch_warnings():
            # torch-geometric calls torch.jit.script when it is imported.
            warnings.simplefilter("ignore", FutureWarning)
            from torch_geometric.nn import GATConv
    except ImportError as error:
        raise BadInput(
            f"method hist2st-gat is built of {error.name}, which is not installed; run pip install "
            "'compendium[graph]'"
        ) from error
    return GATConv


register(
    GAT,
    Recipe(
        name="hist2st-gat",
        unit="section",
        tile_px=112,
        target="scprep",
        encoder="resnet50.tv_in1k",
        lr=1e-4,
        batch=1,
        epochs=350,
        scale="0-255",
        config=GATConfig(),
        published={"loops": False, "shared": True, "batch_statistics": True},
        laptop=TRAINING | {"width": 256},
        smoke={"lr": 1e-3, "epochs": 3, "width": 32, "graph_layers": 2},
    ),
)
