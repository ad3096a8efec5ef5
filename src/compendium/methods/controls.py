"""Controls: methods without a network, which show what a score is worth."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from compendium.images.features import COLOUR, TEXTURE
from compendium.methods.layers import Batch, Expression, Method, ModelSpec
from compendium.methods.registry import NONE, Config, Recipe, choice, register
from compendium.methods.ridge_path import PENALTIES, RidgePath, chosen_penalties, fold_of


class Mean(Method):
    """Training mean of each gene, the same for every spot."""

    def __init__(self, spec: ModelSpec, config: Config):
        super().__init__()
        self.register_buffer("mean", spec.mean.clone())

    def forward(self, batch: Batch) -> Expression:
        """Return the same row for every spot."""
        return self.mean.expand(len(batch.grid), -1)


@dataclass(frozen=True)
class RidgeConfig(Config):
    """Settings of the ridge regression."""

    penalty_by: str = choice("sections", ("sections", "blocks"))
    """What is left out to choose the penalties: one training section after the other, or one of
    3 x 3 blocks of every section at once; of a single section always blocks."""


class Ridge(Method):
    """Ridge regression on standardised features, with a penalty for each gene.

    A gene takes the penalty with the least squared error on training sections (or blocks of them)
    that were left out; one that takes the largest is predicted by its training mean. Neither the
    other genes nor the order of the sections matter.
    """

    def __init__(self, spec: ModelSpec, config: RidgeConfig):
        super().__init__()
        self.penalty_by = config.penalty_by
        self.register_buffer("weight", torch.zeros(spec.features, spec.genes))
        self.register_buffer("bias", spec.mean.clone())
        self.register_buffer("penalty", torch.zeros(spec.genes))

    def fit_closed_form(self, batches: Iterable[Batch]) -> None:
        """Choose the penalties, solve; keep one linear map of the raw features."""
        x, y, section, grid = _training_spots(batches)
        penalty = chosen_penalties(x, y, fold_of(section, grid, self.penalty_by))
        path = RidgePath.of(x, y)
        weight = path.weights(penalty) / path.scale[:, None]
        weight[:, penalty == PENALTIES[-1]] = 0
        self.weight = torch.from_numpy(weight).to(self.weight)
        self.bias = torch.from_numpy(path.mean - path.centre @ weight).to(self.bias)
        self.penalty = torch.from_numpy(penalty).to(self.penalty)

    def forward(self, batch: Batch) -> Expression:
        """Apply the linear map."""
        return self.bias + batch.image @ self.weight


def _training_spots(batches: Iterable[Batch]) -> tuple[np.ndarray, ...]:
    """Return images and targets in double precision, section and array position of each spot."""
    spots = [(b.image.double(), b.target.double(), b.section, b.grid) for b in batches]
    return tuple(torch.cat(parts).cpu().numpy() for parts in zip(*spots, strict=True))


CONTROL = Recipe(
    name="ridge",
    unit="spot",
    tile_px=224,
    target="wide",
    control=True,
    optimiser="closed form",
    epochs=0,
)

RIDGE = replace(CONTROL, version=2, config=RidgeConfig())

register(Mean, replace(CONTROL, name="mean", frozen=NONE))
register(Ridge, RIDGE)
register(Ridge, replace(RIDGE, name="colour", frozen=COLOUR))
register(Ridge, replace(RIDGE, name="texture", version=1, frozen=TEXTURE))
register(Ridge, replace(RIDGE, name="permuted", permute=True))
