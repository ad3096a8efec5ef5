"""BLEEP (Xie et al. 2023): image and expression meet in one space, and a tile is given the expression of the training spots nearest there."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods.layers import Batch, ImageEncoder, Method, ModelSpec
from compendium.methods.registry import LOSS, Step, register

RETRIEVALS = ("simple", "average", "weighted")
METRICS = ("cosine", "euclidean")


@register(
    "bleep",
    title="BLEEP",
    unit="spot",
    tile_px=224,
    target="raw",
    citation="xie2023bleep",
    encoder="resnet50.tv_in1k",
    optimiser="adamw",
    lr=1e-3,
    weight_decay=1e-3,
    batch=256,
    epochs=150,
    augment="bleep",
    published={"scale": "0-255-bgr"},
    model={
        "width": 256,
        "dropout": 0.1,
        "temperature": 1.0,
        "retrieval": "average",
        "metric": "cosine",
        "neighbours": 50,
    },
    choices={"retrieval": RETRIEVALS, "metric": METRICS},
    laptop={"epochs": 50, "batch": 128},
    smoke={"epochs": 3, "batch": 32, "width": 32, "neighbours": 5},
    summary="ResNet-50, all layers trained, and the expression of the same spot are projected to 256 numbers each and drawn together by a contrastive loss; "
    "a prediction is the mean expression of the 50 training spots nearest to the tile.",
    loss="cross-entropy of the matches, tiles to expressions and back",
    flow=(
        Step("encoder", "ResNet-50", "ImageNet weights, all layers trained on"),
        Step(
            "encoder", "projection", "to {width} numbers, the common space of tiles and expressions"
        ),
        Step(
            "training",
            "projection of the expression",
            "of the same spot, to the common space",
            side="in",
        ),
        LOSS,
        Step(
            "head",
            "retrieval",
            "the {neighbours} nearest training spots by {metric} similarity; mean of their expression",
        ),
        Step(
            "head",
            "reference bank",
            "expression of every training spot, and its projection",
            side="in",
        ),
    ),
    evaluated="human liver, Visium",
    compared=("stnet", "histogene"),
    deviations=(
        "The reference bank is the training spots and no others; the benchmark's out-of-distribution runs retrieve from validation sections too.",
        "Nothing is augmented at test, neither tiles nor reference; the benchmark turns and mirrors both at random.",
        "Tiles are normalised as the weights of ResNet-50 expect them; the benchmark's are 0-255, their channels in reverse (scale=0-255-bgr, as in the published protocol).",
        "The target is raw counts as benchmarked; the original normalises, takes logarithms and removes batch effects with Harmony. target=harmony is that over the training "
        "sections alone: what is retrieved is corrected, test sections are scored as they are.",
        "The last batch of an epoch is kept, however small; the original drops it. One of a single spot has loss 0 and teaches nothing.",
        "Validation is by section; the original holds out a random fifth of the training spots.",
        "Soft targets are the softmax of S x T as in the benchmark; the original's newest code divides by T, which is the same at T = 1.",
        "The enlarged set of genes is a word of the panel, e.g. panel=markers_12+hvg_union(1000), chosen on the training sections of each fold; the published one, 5,689 genes on "
        "Visium, was chosen on all sections.",
        "Retrieval is by cosine similarity as in the code; metric=euclidean and retrieval=weighted are what the text of the benchmark describes.",
        "In the laptop budget there are 50 epochs of batches of 128.",
    ),
)
class BLEEP(Method):
    """Two projections I (image) and E (expression) with one space; prediction = weighted mean expression of the k keys E nearest to I."""

    remembered = ("keys", "measured")

    def __init__(
        self,
        shape: ModelSpec,
        width: int = 256,
        dropout: float = 0.1,
        temperature: float = 1.0,
        retrieval: str = "average",
        metric: str = "cosine",
        neighbours: int = 50,
    ):
        super().__init__()
        for what, word, known in (
            ("retrieval", retrieval, RETRIEVALS),
            ("metric", metric, METRICS),
        ):
            if word not in known:
                raise BadInput(
                    f"unknown {what} {word!r} for method bleep; known: {', '.join(known)}"
                )
        if temperature <= 0:
            raise BadInput(
                f"temperature={temperature:g} of method bleep must be above 0; the published one is 1"
            )
        self.temperature, self.metric, self.weighted = temperature, metric, retrieval == "weighted"
        self.neighbours = 1 if retrieval == "simple" else neighbours
        self.genes = shape.genes
        if shape.spots:
            self._check_bank(shape.spots)
        self.image = ImageEncoder(shape)
        self.of_image = Projection(self.image.width, width, dropout)
        self.of_expression = Projection(shape.genes, width, dropout)
        self.register_buffer("keys", torch.zeros(0, width))
        self.register_buffer("measured", torch.zeros(0, shape.genes))

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """The contrastive loss of a batch of spots."""
        images, expressions = (
            self.of_image(self.image(batch.image)),
            self.of_expression(batch.target),
        )
        return {"contrastive": contrastive(images, expressions, self.temperature)}

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """The reference bank: expression of every training spot, and its projection as the key."""
        measured = torch.cat([batch.target for batch in batches])
        self._check_bank(len(measured))
        if measured.shape[1] != self.genes:
            raise BadInput(
                f"method bleep predicts {self.genes} genes but its reference spots have {measured.shape[1]}; give both the same panel"
            )
        self.keys, self.measured = self.of_expression(measured), measured

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """Expression of the nearest reference spots, averaged."""
        query = self.of_image(self.image(batch.image))
        near, weight = retrieve(query, self.keys, self.neighbours, self.metric, self.weighted)
        return F.embedding_bag(near, self.measured, per_sample_weights=weight, mode="sum")

    def _check_bank(self, spots: int) -> None:
        if self.neighbours >= spots:
            raise BadInput(
                f"neighbours={self.neighbours} of method bleep must be below the {spots} training spots that it chooses from; lower it"
            )


class Projection(nn.Module):
    """u = A x + a; LayerNorm(dropout(B gelu(u) + b) + u)."""

    def __init__(self, inputs: int, width: int, dropout: float):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, width)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "spot inputs"]) -> Float[Tensor, "spot width"]:
        """Where a spot lies in the common space."""
        u = self.first(x)
        return self.norm(self.dropout(self.second(F.gelu(u))) + u)


def contrastive(
    images: Float[Tensor, "spot width"],
    expressions: Float[Tensor, "spot width"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Cross-entropy of E I' / T against the softmax of (I I' + E E') T / 2, over rows and over columns, halved.

    The targets of the columns are those of the rows transposed, as they are; gradients flow into the targets too. Embeddings of width w
    have squared length w (LayerNorm), so that at T = 1 each spot's target is all but itself alone.
    """
    logits = expressions @ images.T / temperature
    alike = (images @ images.T + expressions @ expressions.T) / 2
    targets = (alike * temperature).softmax(dim=1)
    rows, columns = (
        (targets * logits.log_softmax(dim=1)).sum(dim=1),
        (targets * logits.log_softmax(dim=0)).sum(dim=0),
    )
    return -(rows + columns).mean() / 2


def retrieve(
    query: Float[Tensor, "spot width"],
    keys: Float[Tensor, "reference width"],
    k: int,
    metric: str,
    weighted: bool,
) -> tuple[Int[Tensor, "spot k"], Float[Tensor, "spot k"]]:
    """The k nearest keys by cosine similarity or Euclidean distance, and their weights, which add up to 1: equal, or a softmax of -d.

    d is the squared Euclidean distance whatever the metric: exp(d_1 - d - 1) over its sum, as published, without its overflow.
    """
    if k > len(keys):
        raise BadInput(
            f"{k} nearest reference spots asked for, of {len(keys)}; lower neighbours, or fill the bank (remember) first"
        )
    squared = (
        torch.cdist(query, keys, compute_mode="donot_use_mm_for_euclid_dist").square()
        if weighted or metric == "euclidean"
        else None
    )
    far = squared if metric == "euclidean" else -F.normalize(query) @ F.normalize(keys).T
    near = far.topk(k, dim=1, largest=False).indices
    weight = (
        torch.softmax(-squared.gather(1, near), dim=1)
        if weighted
        else torch.full(near.shape, 1 / k, device=query.device)
    )
    return near, weight
