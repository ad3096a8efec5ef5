"""DeepSpaCE (Monjo et al. 2022): VGG16 on one tile, its last layer exchanged for one to all genes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.methods.layers import Batch, ImageEncoder, Method, ModelSpec
from compendium.methods.registry import Step, register

SEEN_PX = 224  # side that a tile is resized to
DROPOUT = 0.5  # behind either hidden layer of the classifier, as in VGG16


@register(
    "deepspace",
    title="DeepSpaCE",
    unit="spot",
    tile_px=376,
    target="pearson",
    citation="monjo2022deepspace",
    encoder="vgg16.tv_in1k",
    optimiser="adam",
    lr=1e-4,
    weight_decay=1e-4,
    batch=128,
    epochs=100,
    augment="deepspace",
    model={"transfer": True},
    published={"spots": "deepspace"},
    laptop={"lr": 1e-3, "epochs": 50},
    smoke={"lr": 1e-2, "epochs": 3, "batch": 32},
    summary="VGG16 pre-trained on ImageNet with its classifier of two layers of 4,096 units; the last layer, to the genes, is the only one trained. Smooth-L1 loss.",
    loss="smooth L1",
    flow=(
        Step(
            "encoder",
            "VGG16",
            "tile resized to 224 px; convolutions and two layers of 4,096 units, ImageNet weights",
            frozen=True,
        ),
        Step("head", "linear layer", "4,096 features to the genes"),
    ),
    evaluated="six breast cancer sections, Visium (JGAS000202, JGAS000290)",
    compared=("stnet",),
    deviations=(
        "The target is the analytic Pearson residual of each count; the original takes SCTransform's corrected counts, log10(1 + x), then min-max scaling of each gene over the "
        "samples loaded together, the test samples among themselves. target=sct is that, of counts that Seurat corrected beforehand, but scaled by the training spots alone.",
        "The original leaves out spots of fewer than 1,000 molecules or genes on Visium; here no spot is left out for its counts.",
        "The tile is 376 px on every slide, as in the benchmark; the original's side follows from the distance between spots. It is resized to 224 px bilinearly.",
        "The bias of the last layer starts at the training mean; the original draws it at random.",
        "Augmentation is drawn for the whole tile, before it is resized, and its crop keeps that size; noise, blur and distortion, of which the original adds one, are left out.",
        "The published protocol trains without tiles that are mostly white (spots=deepspace); what is white follows from the tiles of the spots, as in the original; the "
        "benchmark takes all positions of the array. Test sections are predicted and scored whole, while the original takes out their white tiles too. Elsewhere all "
        "methods are trained on the same spots.",
        "Validation is by section; the original holds out random spots of the training sections, and keeps the epoch of the highest correlation, here that of the lowest loss.",
        "On frozen features it is one linear layer, without VGG16's dropout.",
        "In the laptop budget the learning rate is 1e-3 instead of 1e-4.",
    ),
)
class DeepSpaCE(Method):
    """prediction = W f(tile) + b, f the 4,096 units before VGG16's last layer."""

    def __init__(self, shape: ModelSpec, transfer: bool = True):
        super().__init__()
        self.image = ImageEncoder(shape).requires_grad_(
            not transfer
        )  # in training mode: VGG16 has dropout to keep, and no batch statistics
        self.tiles = not shape.features
        if self.tiles:
            self.image.network.pre_logits.drop.p = DROPOUT
        self.dropout = nn.Dropout(DROPOUT if self.tiles else 0.0)
        self.head = nn.Linear(self.image.width, shape.genes)
        with torch.no_grad():
            self.head.bias.copy_(shape.mean)

    def forward(self, batch: Batch) -> Float[Tensor, "spot gene"]:
        """One linear layer on the features of the resized tile."""
        image = (
            F.interpolate(batch.image, size=SEEN_PX, mode="bilinear", align_corners=False)
            if self.tiles
            else batch.image
        )
        return self.head(self.dropout(self.image(image)))

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Smooth-L1 with its bend at 1, mean over spots and genes."""
        return {"smooth L1": F.smooth_l1_loss(self(batch), batch.target)}
