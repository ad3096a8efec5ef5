"""Regclass (Jiang et al. 2023): Hist2ST that learns the class of each spot beside expression."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods.hist2st import HIST2ST, Hist2ST, Hist2STConfig
from compendium.methods.layers import Batch, Loss, ModelSpec, State
from compendium.methods.registry import register

HIDDEN, HIDDEN_LAYERS, DROPOUT = 800, 4, 0.2


@dataclass(frozen=True)
class RegclassConfig(Hist2STConfig):
    """Architecture of Regclass."""

    positions: int = 128
    """Rows of each position table."""
    gamma: float = 1.0
    """Weight of the cross-entropy, at least 0."""
    double_softmax: bool = False
    """Whether the cross-entropy is of a softmax of the classifier's output, as published."""

    def __post_init__(self):
        super().__post_init__()
        if not (isfinite(self.gamma) and self.gamma >= 0):
            raise BadInput(
                f"gamma={self.gamma} of method regclass weighs a loss; it must be at least 0, and "
                "finite"
            )


class Regclass(Hist2ST):
    """Hist2ST with a classifier of the spot state.

    loss = that of Hist2ST + gamma x cross-entropy(classifier(state), class).

    Parameters
    ----------
    spec
        Number of genes and classes, training means, and the kind of image.
    config
        Architecture.

    Raises
    ------
    BadInput
        Where there are fewer than two classes.

    References
    ----------
    Jiang et al. 2023, Methods.
    """

    def __init__(self, spec: ModelSpec, config: RegclassConfig):
        super().__init__(spec, config)
        if spec.classes < 2:
            raise BadInput(
                "method regclass needs spots of at least 2 classes in the training sections, "
                f"found {spec.classes}; choose sections with labels"
            )
        layers = [
            part
            for before, after in pairwise([config.width, *[HIDDEN] * HIDDEN_LAYERS])
            for part in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(DROPOUT))
        ]
        self.classifier = nn.Sequential(*layers, nn.Linear(HIDDEN, spec.classes))

    def further_losses(self, state: State, batch: Batch) -> dict[str, Loss]:
        """Return the cross-entropy over the labelled spots, 0 where there is none."""
        logits = self.classifier(state)
        loss = cross_entropy(logits, batch.labels, self.config.double_softmax)
        return {"classification": self.config.gamma * loss}

    def classify(self, batch: Batch) -> Float[Tensor, "spot class"]:
        """Return the probability of each class."""
        return self.classifier(self.state(batch)).softmax(dim=1)


def cross_entropy(
    logits: Float[Tensor, "spot class"], labels: Int[Tensor, "spot"], double_softmax: bool = False
) -> Loss:
    """Return the mean cross-entropy over spots whose label is not -1, or 0 if there are none.

    Parameters
    ----------
    logits
        Output of the classifier.
    labels
        Class of each spot from 0 on, -1 for none.
    double_softmax
        Take the softmax of the output for logits, as published.

    Raises
    ------
    BadInput
        Where a label is no class.
    """
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise BadInput(
            f"labels run from {int(labels.min())} to {int(labels.max())}; give the numbers of "
            f"{logits.shape[1]} classes from 0 on, and -1 for none"
        )
    logits = logits.softmax(dim=1) if double_softmax else logits
    total = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    return total / (labels >= 0).sum().clamp(min=1)


register(
    Regclass,
    replace(
        HIST2ST,
        name="regclass",
        config=RegclassConfig(),
        published={"transposed": True, "double_softmax": True},
    ),
)
