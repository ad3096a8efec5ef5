"""Controls: what a score is worth is what it adds to these."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from compendium.errors import BadInput
from compendium.images.features import COLOUR, COORDINATES
from compendium.methods.layers import Batch, Method, ModelSpec
from compendium.methods.registry import NONE, register


@register(
    "mean",
    title="Training mean",
    unit="spot",
    tile_px=224,
    target="wide",
    citation="",
    control=True,
    optimiser="closed form",
    epochs=0,
    frozen=NONE,
    summary="Every spot gets each gene's training mean; its PCC is undefined, its RMSE is the bar to beat.",
)
class Mean(Method):
    """Predicts the training mean of each gene."""

    def __init__(self, shape: ModelSpec):
        super().__init__()
        self.register_buffer("mean", shape.mean.clone())

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """The same row for every spot."""
        return self.mean.expand(len(batch.grid), -1)


CONTROL = {
    "unit": "spot",
    "tile_px": 224,
    "target": "wide",
    "citation": "",
    "control": True,
    "optimiser": "closed form",
    "epochs": 0,
}
PENALTIES = tuple(10.0**k for k in range(-2, 7))


@register(
    "coordinates",
    title="Coordinates only",
    frozen=COORDINATES,
    model={"neighbours": 30},
    **CONTROL,
    deviations=(
        "Thirty neighbours were chosen among 10 to 60 on the scores of five real sections, where they differ by about 0.02.",
    ),
    summary="Mean of the 30 training spots nearest in position, scaled to each section's extent: tissue layout without any image.",
)
class Neighbours(Method):
    """Mean target of the k training spots nearest in feature space (Euclidean), ties in training order."""

    remembered = ("places", "targets")

    def __init__(self, shape: ModelSpec, neighbours: int = 30):
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("places", torch.zeros(0, shape.features))
        self.register_buffer("targets", torch.zeros(0, shape.genes))

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Keep every training spot."""
        seen = list(batches)
        self.places, self.targets = (
            torch.cat([getattr(batch, part) for batch in seen]) for part in ("image", "target")
        )
        if self.neighbours > len(self.places):
            raise BadInput(
                f"neighbours={self.neighbours} is more than the {len(self.places)} training spots; lower it"
            )

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """Average over the nearest."""
        distance = torch.cdist(
            batch.image, self.places, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return self.targets[distance.argsort(dim=1, stable=True)[:, : self.neighbours]].mean(dim=1)


@register(
    "permuted",
    title="Ridge, patches permuted",
    permute=True,
    **CONTROL,
    summary="Ridge on frozen features whose patches were shuffled within each training section: what section averages alone give.",
)
@register(
    "colour",
    title="Six colour numbers",
    frozen=COLOUR,
    **CONTROL,
    summary="Ridge on the mean and standard deviation of red, green and blue over the tile.",
)
@register(
    "ridge",
    title="Ridge on frozen features",
    **CONTROL,
    summary="Ridge regression on the features of a frozen pre-trained encoder.",
)
class Ridge(Method):
    """Y = mean + Z W with standardised features Z, W the L2-penalised least-squares solution.

    The penalty is the one of PENALTIES with the least leave-one-out error on the training spots (scikit-learn's RidgeCV).
    """

    def __init__(self, shape: ModelSpec):
        super().__init__()
        self.register_buffer("weight", torch.zeros(shape.features, shape.genes))
        self.register_buffer("bias", shape.mean.clone())

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Standardise, choose the penalty, solve; kept as one linear map of the raw features."""
        from sklearn.linear_model import RidgeCV
        from sklearn.preprocessing import StandardScaler

        seen = list(batches)
        x, y = (
            torch.cat([getattr(batch, part) for batch in seen]).cpu().double().numpy()
            for part in ("image", "target")
        )
        scaler = StandardScaler().fit(x)
        solved = RidgeCV(PENALTIES).fit(scaler.transform(x), y)
        weight = solved.coef_.reshape(y.shape[1], -1) / scaler.scale_  # (gene, feature)
        self.weight = torch.from_numpy(weight.T).to(self.weight)
        self.bias = torch.from_numpy(solved.intercept_ - weight @ scaler.mean_).to(self.bias)

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """A linear map of the features."""
        return self.bias + batch.image @ self.weight
