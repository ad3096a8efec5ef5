"""Controls: methods without a network, which show what a score is worth."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compendium.errors import BadInput
from compendium.images.features import COLOUR, COORDINATES
from compendium.methods.layers import Batch, Expression, Method, ModelSpec
from compendium.methods.registry import NONE, Config, Recipe, register

PENALTIES = tuple(10.0**k for k in range(-2, 7))


class Mean(Method):
    """Training mean of each gene, the same for every spot."""

    def __init__(self, spec: ModelSpec, config: Config):
        super().__init__()
        self.register_buffer("mean", spec.mean.clone())

    def forward(self, batch: Batch) -> Expression:
        """Return the same row for every spot."""
        return self.mean.expand(len(batch.grid), -1)


@dataclass(frozen=True)
class NeighboursConfig(Config):
    """Settings of the nearest neighbours."""

    neighbours: int = 30
    """Number of training spots that are averaged, chosen among 10 to 60 on five real sections,
    where scores differ by about 0.02."""


class Neighbours(Method):
    """Mean target of the k training spots nearest in feature space, ties in training order.

    prediction = mean of y_i over the k smallest |x - x_i|.
    """

    per_spot_buffers = ("places", "targets")

    def __init__(self, spec: ModelSpec, config: NeighboursConfig):
        super().__init__()
        self.neighbours = config.neighbours
        self.register_buffer("places", torch.zeros(0, spec.features))
        self.register_buffer("targets", torch.zeros(0, spec.genes))

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Keep every training spot."""
        self.places, self.targets = _images_and_targets(batches)
        if self.neighbours > len(self.places):
            raise BadInput(
                f"neighbours={self.neighbours} is more than the {len(self.places)} training spots; "
                "lower it"
            )

    def forward(self, batch: Batch) -> Expression:
        """Average over the nearest."""
        distance = torch.cdist(
            batch.image, self.places, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return self.targets[distance.argsort(dim=1, stable=True)[:, : self.neighbours]].mean(dim=1)


class Ridge(Method):
    """Ridge regression on standardised features Z.

    Y = mean + Z W, with W = argmin |Y - mean - Z W|^2 + a |W|^2; a is the one of `PENALTIES` with
    the least leave-one-out error on the training spots (scikit-learn's RidgeCV).
    """

    def __init__(self, spec: ModelSpec, config: Config):
        super().__init__()
        self.register_buffer("weight", torch.zeros(spec.features, spec.genes))
        self.register_buffer("bias", spec.mean.clone())

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Standardise, choose the penalty, solve; keep one linear map of the raw features."""
        from sklearn.linear_model import RidgeCV
        from sklearn.preprocessing import StandardScaler

        x, y = (part.cpu().double().numpy() for part in _images_and_targets(batches))
        scaler = StandardScaler().fit(x)
        solved = RidgeCV(PENALTIES).fit(scaler.transform(x), y)
        weight = solved.coef_.reshape(y.shape[1], -1) / scaler.scale_  # (gene, feature)
        self.weight = torch.from_numpy(weight.T).to(self.weight)
        self.bias = torch.from_numpy(solved.intercept_ - weight @ scaler.mean_).to(self.bias)

    def forward(self, batch: Batch) -> Expression:
        """Apply the linear map."""
        return self.bias + batch.image @ self.weight


def _images_and_targets(batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    pairs = ((batch.image, batch.target) for batch in batches)
    images, targets = zip(*pairs, strict=True)
    return torch.cat(images), torch.cat(targets)


CONTROL = Recipe(
    name="ridge",
    unit="spot",
    tile_px=224,
    target="wide",
    control=True,
    optimiser="closed form",
    epochs=0,
)

register(Mean, replace(CONTROL, name="mean", frozen=NONE))
register(
    Neighbours, replace(CONTROL, name="coordinates", frozen=COORDINATES, config=NeighboursConfig())
)
register(Ridge, CONTROL)
register(Ridge, replace(CONTROL, name="colour", frozen=COLOUR))
register(Ridge, replace(CONTROL, name="permuted", permute=True))
