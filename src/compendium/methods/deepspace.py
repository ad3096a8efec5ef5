"""DeepSpaCE (Monjo et al. 2022): VGG16 on one tile, its last layer replaced by one to the genes."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from compendium.methods.layers import Batch, Expression, ImageEncoder, Loss, Method, ModelSpec
from compendium.methods.registry import Config, Recipe, register

ENCODER_PX = 224  # side that a tile is resized to
DROPOUT = 0.5  # behind either hidden layer of the classifier, as in VGG16


@dataclass(frozen=True)
class DeepSpaCEConfig(Config):
    """Architecture of DeepSpaCE."""

    transfer: bool = True
    """Whether only the last layer is trained."""


class DeepSpaCE(Method):
    """Linear layer on the 4,096 units before VGG16's last layer.

    prediction = W dropout(f(tile)) + b, with b = training mean of each gene at the start.

    Parameters
    ----------
    spec
        Number of genes, their training means, and the kind of image.
    config
        Architecture.

    References
    ----------
    Monjo et al., Scientific Reports 2022, Methods.
    """

    def __init__(self, spec: ModelSpec, config: DeepSpaCEConfig):
        super().__init__()
        # In training mode: VGG16 has dropout to keep, and no batch statistics.
        self.image = ImageEncoder(spec).requires_grad_(not config.transfer)
        self.tiles = not spec.features
        if self.tiles:
            self.image.network.pre_logits.drop.p = DROPOUT
        self.dropout = nn.Dropout(DROPOUT if self.tiles else 0.0)
        self.head = nn.Linear(self.image.width, spec.genes)
        self.head.bias.data.copy_(spec.mean)

    def forward(self, batch: Batch) -> Expression:
        """Predict from the resized tile."""
        image = batch.image
        if self.tiles:
            image = F.interpolate(image, size=ENCODER_PX, mode="bilinear", align_corners=False)
        return self.head(self.dropout(self.image(image)))

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Return the smooth-L1 loss with its bend at 1, mean over spots and genes."""
        return {"smooth L1": F.smooth_l1_loss(self(batch), batch.target)}


register(
    DeepSpaCE,
    Recipe(
        name="deepspace",
        unit="spot",
        tile_px=376,
        target="pearson",
        encoder="vgg16.tv_in1k",
        lr=1e-4,
        weight_decay=1e-4,
        batch=128,
        epochs=100,
        augment="deepspace",
        config=DeepSpaCEConfig(),
        published={"spots": "deepspace"},
        laptop={"lr": 3e-4, "steps": 84},
        smoke={"lr": 1e-2, "epochs": 3, "batch": 32},
    ),
)
