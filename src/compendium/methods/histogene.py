"""HisToGene (Pang et al. 2021): a vision transformer over all spots of a section."""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.methods.hist2st_layers import gene_head, start_at_mean
from compendium.methods.layers import Batch, Block, Expression, GridEmbedding, Method, ModelSpec
from compendium.methods.registry import Config, Recipe, register


@dataclass(frozen=True)
class HisToGeneConfig(Config):
    """Architecture of HisToGene."""

    width: int = 1024
    """Width of a token."""
    layers: int = 8
    """Transformer blocks."""
    heads: int = 16
    """Attention heads of 64 numbers each."""
    hidden: int = 2048
    """Width of the hidden layer of a block."""
    dropout: float = 0.1
    """Dropout of tokens and blocks."""
    positions: int = 64
    """Rows of each position table."""
    gain: float = 4.0
    """Factor on frozen features given in place of tiles."""


class HisToGene(Method):
    """Transformer over the spots of a section.

    token = W tile + b + X[x] + Y[y]; prediction = Linear(LayerNorm(blocks(tokens))).

    Parameters
    ----------
    spec
        Number of genes, their training means, and the kind of image.
    config
        Architecture.

    References
    ----------
    Pang et al., bioRxiv 2021, Methods.
    """

    def __init__(self, spec: ModelSpec, config: HisToGeneConfig):
        super().__init__()
        self.gain = config.gain if spec.features else 1.0
        self.patch = nn.Linear(spec.features or 3 * spec.tile_px**2, config.width)
        self.position = GridEmbedding(config.positions, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.hidden, config.dropout)
            for _ in range(config.layers)
        )
        self.head = gene_head(config.width, spec.genes)
        start_at_mean(self.head, None, spec)

    def forward(self, batch: Batch) -> Expression:
        """Predict all spots of one section at once."""
        x = self.dropout(self.patch(self.gain * batch.image.flatten(1)) + self.position(batch.grid))
        for block in self.blocks:
            x = block(x)
        return self.head(x)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Return the mean squared error over spots and genes."""
        return {"mean squared error": F.mse_loss(self(batch), batch.target)}


# Architecture in the budget laptop.
SMALL = {"width": 256, "layers": 2, "heads": 4, "hidden": 512}

register(
    HisToGene,
    Recipe(
        name="histogene",
        unit="section",
        tile_px=112,
        target="scprep",
        lr=1e-5,
        batch=1,
        epochs=100,
        scale="0-255",
        config=HisToGeneConfig(),
        laptop={"lr": 9e-4, "steps": 20, "dropout": 0.3} | SMALL,
        smoke={"lr": 1e-3, "epochs": 3, "width": 32, "layers": 1, "heads": 1, "hidden": 32},
    ),
)
