"""Controls: what a score is worth is what it adds to these."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from compendium.images.features import COLOUR, COORDINATES
from compendium.methods.layers import Batch, Method, Shape
from compendium.methods.registry import NONE, register


@register(
    "mean", title="Training mean", unit="spot", tile_px=224, target="wide", citation="", control=True, optimiser="closed form", epochs=0, frozen=NONE,
    summary="Every spot gets each gene's training mean; its PCC is undefined, its RMSE is the bar to beat.",
)
class Mean(Method):
    """Predicts the training mean of each gene."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.register_buffer("mean", shape.mean.clone())

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """The same row for every spot."""
        return self.mean.expand(len(batch.grid), -1)


RIDGE = {"unit": "spot", "target": "wide", "citation": "", "control": True, "optimiser": "closed form", "epochs": 0, "model": {"penalty": 1.0}}


@register(
    "permuted", title="Ridge, patches permuted", tile_px=224, permute=True, **RIDGE,
    summary="Ridge on frozen features whose patches were shuffled within each training section: what section means alone give.",
)
@register("coordinates", title="Ridge on coordinates", tile_px=224, frozen=COORDINATES, **RIDGE, summary="Ridge on array position (x, y, squares, product): tissue layout without any image.")
@register("colour", title="Ridge on six colours", tile_px=224, frozen=COLOUR, **RIDGE, summary="Ridge on the mean and standard deviation of red, green and blue over the tile.")
@register("ridge", title="Ridge on frozen features", tile_px=224, **RIDGE, summary="Ridge regression on the features of a frozen pre-trained encoder.")
class Ridge(Method):
    """Linear least squares with an L2 penalty on standardised features, in closed form.

    W = (Z'Z + penalty n I)^-1 Z'(Y - mean) with features Z standardised by the n training spots.
    """

    def __init__(self, shape: Shape, penalty: float = 1.0):
        super().__init__()
        self.penalty = penalty
        self.register_buffer("weight", torch.zeros(shape.features, shape.genes))
        self.register_buffer("centre", torch.zeros(shape.features))
        self.register_buffer("spread", torch.ones(shape.features))
        self.register_buffer("mean", shape.mean.clone())

    def remember(self, batches: Iterable[Batch]) -> None:
        """Solve the normal equations in double precision over all training spots."""
        seen = list(batches)
        x, y = (torch.cat([getattr(batch, part) for batch in seen]).double() for part in ("image", "target"))
        self.centre, self.spread, self.mean = x.mean(0).float(), x.std(0).clamp_min(1e-6).float(), y.mean(0).float()
        z = (x - self.centre) / self.spread
        penalty = self.penalty * len(z) * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        self.weight = torch.linalg.solve(z.T @ z + penalty, z.T @ (y - y.mean(0))).float()

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """Mean plus the weighted standardised features."""
        return self.mean + ((batch.image - self.centre) / self.spread) @ self.weight
