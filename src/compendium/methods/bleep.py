"""BLEEP (Xie et al. 2023): a tile is given the expression of the training spots nearest to it.

Image and expression are projected into one space, in which nearness is measured.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods.layers import (
    Batch,
    Expression,
    ImageEncoder,
    Method,
    ModelSpec,
    State,
    full_precision,
)
from compendium.methods.registry import Config, Recipe, choice, register

RETRIEVALS = ("simple", "average", "weighted")
METRICS = ("cosine", "euclidean")


@dataclass(frozen=True)
class BLEEPConfig(Config):
    """Architecture of BLEEP."""

    width: int = 256
    """Width of the common space."""
    dropout: float = 0.1
    """Dropout of the projections."""
    temperature: float = 1.0
    """Temperature T of the contrastive loss, above 0."""
    retrieval: str = choice("average", RETRIEVALS)
    """Nearest spot alone, mean of the nearest, or mean weighted by distance."""
    metric: str = choice("cosine", METRICS)
    """Measure of nearness."""
    neighbours: int = 50
    """Number of reference spots that are averaged."""

    def __post_init__(self):
        super().__post_init__()
        if self.temperature <= 0:
            raise BadInput(
                f"temperature={self.temperature:g} of method bleep must be above 0; the published "
                "one is 1"
            )


class BLEEP(Method):
    """Contrastive learning of image and expression, and retrieval from a reference bank.

    prediction = sum of w_j y_j over the k keys E(y_j) nearest to I(f(tile)), with projections I of
    the image and E of the expression. The reference bank holds the training spots and no others.

    Parameters
    ----------
    spec
        Number of genes and training spots, and the kind of image.
    config
        Architecture.

    Raises
    ------
    BadInput
        Where the training spots are no more than the neighbours asked for.

    References
    ----------
    Xie et al., NeurIPS 2023, Section 3.
    """

    per_spot_buffers = ("keys", "measured")
    training_only = ("of_expression",)
    weight_bits = 16
    exact = ("of_image", "keys")  # rounded to 16 bits, some tiles take another neighbour

    def __init__(self, spec: ModelSpec, config: BLEEPConfig):
        super().__init__()
        self.temperature, self.metric = config.temperature, config.metric
        self.weighted = config.retrieval == "weighted"
        self.neighbours = 1 if config.retrieval == "simple" else config.neighbours
        self.genes = spec.genes
        if spec.spots:
            self._check_bank(spec.spots)
        self.image = ImageEncoder(spec)
        self.of_image = Projection(self.image.width, config.width, config.dropout)
        self.of_expression = Projection(spec.genes, config.width, config.dropout)
        self.register_buffer("keys", torch.zeros(0, config.width))
        self.register_buffer("measured", torch.zeros(0, spec.genes))

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Return the contrastive loss of a batch of spots."""
        images = self.of_image(self.image(batch.image))
        expressions = self.of_expression(batch.target)
        with full_precision(images):
            loss = contrastive(images.float(), expressions.float(), self.temperature)
        return {"contrastive": loss}

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Fill the reference bank: expression of every training spot, and its projection."""
        measured = torch.cat([batch.target for batch in batches])
        self._check_bank(len(measured))
        if measured.shape[1] != self.genes:
            raise BadInput(
                f"method bleep predicts {self.genes} genes but its reference spots have "
                f"{measured.shape[1]}; give both the same panel"
            )
        self.keys, self.measured = self.of_expression(measured), measured

    def forward(self, batch: Batch) -> Expression:
        """Average the expression of the nearest reference spots."""
        query = self.of_image(self.image(batch.image))
        how = (self.neighbours, self.metric, self.weighted)
        with full_precision(query):
            near, weight = retrieve(query.float(), self.keys, *how)
            return F.embedding_bag(near, self.measured, per_sample_weights=weight, mode="sum")

    def _check_bank(self, spots: int) -> None:
        if self.neighbours >= spots:
            raise BadInput(
                f"neighbours={self.neighbours} of method bleep must be below the {spots} training "
                "spots that it chooses from; lower it"
            )


class Projection(nn.Module):
    """Projection to the common space: u = A x + a; LayerNorm(dropout(B gelu(u) + b) + u)."""

    def __init__(self, inputs: int, width: int, dropout: float):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, width)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "spot inputs"]) -> State:
        """Return the position of each spot in the common space."""
        u = self.first(x)
        return self.norm(self.dropout(self.second(F.gelu(u))) + u)


def contrastive(images: State, expressions: State, temperature: float) -> Float[Tensor, ""]:
    """Return the contrastive loss with soft targets.

    Cross-entropy of E I' / T against the softmax of (I I' + E E') T / 2, over rows and over
    columns, halved. The targets of the columns are those of the rows; gradients flow into the
    targets too. Embeddings of width w have squared length w (LayerNorm), so that at T = 1 the
    target of each spot is nearly itself alone.

    References
    ----------
    Xie et al., NeurIPS 2023, Eq. 1 to 4.
    """
    logits = expressions @ images.T / temperature
    alike = (images @ images.T + expressions @ expressions.T) / 2
    targets = (alike * temperature).softmax(dim=1)
    rows = (targets * logits.log_softmax(dim=1)).sum(dim=1)
    columns = (targets * logits.log_softmax(dim=0)).sum(dim=0)
    return -(rows + columns).mean() / 2


def retrieve(
    query: State, keys: Float[Tensor, "reference width"], k: int, metric: str, weighted: bool
) -> tuple[Int[Tensor, "spot k"], Float[Tensor, "spot k"]]:
    """Find the k nearest keys of each query.

    Parameters
    ----------
    query, keys
        Positions in the common space.
    k
        Number of neighbours.
    metric
        "cosine" or "euclidean".
    weighted
        Weights are a softmax of -d^2, d the Euclidean distance whatever the metric, which is
        the published exp(d_1^2 - d^2 - 1) over its sum without its overflow; else they are equal.

    Returns
    -------
    Rows of the keys, and weights that add up to 1.

    Raises
    ------
    BadInput
        Where there are fewer than k keys.
    """
    if k > len(keys):
        raise BadInput(
            f"{k} nearest reference spots asked for, of {len(keys)}; lower neighbours, or fill the "
            "reference bank (fit_closed_form) first"
        )
    squared = None
    if weighted or metric == "euclidean":
        squared = torch.cdist(query, keys, compute_mode="donot_use_mm_for_euclid_dist").square()
    far = squared if metric == "euclidean" else -F.normalize(query) @ F.normalize(keys).T
    near = far.topk(k, dim=1, largest=False).indices
    if weighted:
        return near, torch.softmax(-squared.gather(1, near), dim=1)
    return near, torch.full(near.shape, 1 / k, device=query.device)


register(
    BLEEP,
    Recipe(
        name="bleep",
        unit="spot",
        tile_px=224,
        target="raw",
        encoder="resnet50.tv_in1k",
        optimiser="adamw",
        lr=1e-3,
        weight_decay=1e-3,
        batch=256,
        epochs=150,
        augment="bleep",
        config=BLEEPConfig(),
        published={"scale": "0-255-bgr"},
        laptop={"lr": 1e-3, "steps": 110, "batch": 128},
        smoke={"epochs": 3, "batch": 32, "width": 32, "neighbours": 5},
    ),
)
