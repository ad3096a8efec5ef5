"""Hist2ST with a pre-trained encoder in place of the ConvMixer (Jiang et al. 2023)."""

from dataclasses import dataclass, replace

from torch import nn

from compendium.errors import BadInput
from compendium.images.encoders import FROZEN
from compendium.methods import hist2st_layers as parts
from compendium.methods.hist2st import HIST2ST, TEXT, Hist2ST, Hist2STConfig
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import Deviation, Step, register

ENCODERS = {
    "resnet50": ("ResNet-50", "resnet50.tv_in1k"),
    "efficientnetv2": ("EfficientNetV2-S", "tf_efficientnetv2_s.in1k"),
    "swin": ("Swin-S", "swin_small_patch4_window7_224.ms_in1k"),
    "lite0": ("EfficientNet-Lite0", FROZEN),
}


@dataclass(frozen=True)
class EncoderHist2STConfig(Hist2STConfig):
    """Architecture of Hist2ST on a pre-trained encoder."""

    positions: int = 128
    """Rows of each position table."""
    batch_statistics: bool = False
    """Whether batch normalisation of the frozen encoder goes by the section, as published."""
    resized: int = 256
    """Side in pixels that a tile is resized to before its central 224 px are taken."""
    tuned: bool = False
    """Whether the encoder is trained with all else."""


class EncoderHist2ST(Hist2ST):
    """Hist2ST with token = W encoder(tile) + b.

    Parameters
    ----------
    spec
        Number of genes, their training statistics, and the kind of image.
    config
        Architecture.

    Raises
    ------
    BadInput
        Where an encoder is to be trained that frozen features come without.

    References
    ----------
    Jiang et al. 2023, Methods.
    """

    def embedding(self, spec: ModelSpec, config: EncoderHist2STConfig) -> nn.Module:
        """Build what makes a token of a tile, or of its frozen features."""
        if not spec.features:
            return parts.EncoderTokens(
                spec,
                config.width,
                config.dropout,
                config.resized,
                config.batch_statistics,
                config.tuned,
            )
        if config.tuned:
            raise BadInput(
                "tuned=True trains the encoder, and frozen features come without one; give "
                "encoder=own, or tuned=False"
            )
        return super().embedding(spec, config)


DEVIATIONS = (
    *TEXT.deviations,
    parts.BATCH_NORM,
    parts.PIXELS,
    Deviation("Weights", "timm's", "torchvision's, which differ for EfficientNetV2-S and Swin-S"),
    Deviation(
        "Training of the encoder",
        "none; tuned=True trains all of it",
        "text: the last layer; code: none",
        "as in the code",
    ),
)
OF_THIS_BOOK = {
    "evaluated": "this book only",
    "compared": (),
    "deviations": (
        *DEVIATIONS,
        Deviation(
            "Encoder",
            "EfficientNet-Lite0",
            "ResNet-50, EfficientNetV2-S, Swin-S",
            "its weights come with the installation",
        ),
    ),
}

for _name, (_title, _encoder) in ENCODERS.items():
    register(
        EncoderHist2ST,
        replace(
            HIST2ST,
            name=f"hist2st-{_name}",
            encoder=_encoder,
            config=EncoderHist2STConfig(),
            published={"transposed": True, "batch_statistics": True},
        ),
        replace(
            TEXT,
            title=f"Hist2ST, frozen {_title}",
            summary="Hist2ST whose patch embedding and ConvMixer are replaced by "
            f"{_title} pre-trained on ImageNet, not trained further, and one linear layer.",
            flow=(
                Step("encoder", _title, "ImageNet weights", frozen=True),
                Step("encoder", "linear layer", "to {width:,} numbers"),
                *TEXT.flow[2:],
            ),
            **parts.VARIANT
            | {"deviations": DEVIATIONS}
            | (OF_THIS_BOOK if _encoder == FROZEN else {}),
        ),
    )
