"""Regclass (Jiang et al. 2023): Hist2ST that learns the class of each spot beside its expression."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.methods.hist2st import DEVIATIONS, FACTS, MODEL, TRUNK, Hist2ST
from compendium.methods.hist2st_layers import VARIANT
from compendium.methods.layers import Batch, ModelSpec
from compendium.methods.registry import Step, register

HIDDEN, HIDDEN_LAYERS, DROPOUT = 800, 4, 0.2
CLASSIFIER = Step(
    "training",
    "classifier",
    f"{HIDDEN_LAYERS} layers of {HIDDEN} units to the tissue classes; cross-entropy x gamma = {{gamma:g}}",
    side="out",
)


@register(
    "regclass",
    title="Regclass",
    model=MODEL | {"positions": 128, "gamma": 1.0, "double_softmax": False},
    published={"transposed": True, "double_softmax": True},
    **FACTS
    | VARIANT
    | {
        "laptop": FACTS["laptop"] | {"epochs": 100},
        "loss": FACTS["loss"] + " + {gamma:g} cross-entropy of the class",
        "flow": (*FACTS["flow"][:-1], CLASSIFIER, TRUNK[-1]),
    },
    summary="Hist2ST that also learns the class of each spot: four layers of 800 units on the state before the gene head, cross-entropy with weight gamma.",
    deviations=(
        *DEVIATIONS,
        "In the laptop budget there are 100 epochs, because Hist2ST's 50 are too few to learn both expression and classes.",
        "Cross-entropy is taken of the classifier's output; the benchmark takes it of a softmax of that (double_softmax=True, as in the published protocol).",
        "Spots without a class are left out of the cross-entropy; the benchmark leaves out sections that have none, and fails on one that has some.",
        "The three training stages of the benchmark's HER2+ version are not offered: all terms are learned together.",
    ),
)
class Regclass(Hist2ST):
    """Hist2ST + gamma x cross-entropy of classifier(state)."""

    def __init__(self, shape: ModelSpec, gamma: float = 1.0, double_softmax: bool = False, **words):
        super().__init__(shape, **words)
        if shape.classes < 2:
            raise BadInput(
                f"method regclass needs spots of at least 2 classes in the training sections, found {shape.classes}; choose sections with labels"
            )
        if not 0 <= gamma < float("inf"):
            raise BadInput(
                f"gamma={gamma} of method regclass weighs a loss; it must be at least 0, and finite"
            )
        self.gamma, self.double_softmax = gamma, double_softmax
        widths = [words.get("width", MODEL["width"]), *[HIDDEN] * HIDDEN_LAYERS]
        layers = [
            part
            for before, after in pairwise(widths)
            for part in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(DROPOUT))
        ]
        self.classifier = nn.Sequential(*layers, nn.Linear(HIDDEN, shape.classes))

    def further(
        self, state: Float[Tensor, "spot width"], batch: Batch
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy over the labelled spots, 0 where there is none."""
        return {
            "classification": self.gamma
            * cross_entropy(self.classifier(state), batch.labels, self.double_softmax)
        }

    def classify(self, batch: Batch) -> Float[Tensor, "spot class"]:
        """Probability of each class."""
        image, edges = self.seen(batch)
        return self.classifier(self.state(image, batch, edges)).softmax(dim=1)


def cross_entropy(
    logits: Float[Tensor, "spot class"], labels: Int[Tensor, "spot"], double_softmax: bool = False
) -> Float[Tensor, ""]:
    """Mean over the spots whose label is not -1, 0 if there are none; as published, of a softmax that is taken for logits."""
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise BadInput(
            f"labels run from {int(labels.min())} to {int(labels.max())}; give the numbers of {logits.shape[1]} classes from 0 on, and -1 for none"
        )
    logits = logits.softmax(dim=1) if double_softmax else logits
    return F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum") / (
        labels >= 0
    ).sum().clamp(min=1)
