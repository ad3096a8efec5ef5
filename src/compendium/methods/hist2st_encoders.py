"""Hist2ST with a pre-trained encoder in place of the ConvMixer (Jiang et al. 2023)."""

from dataclasses import dataclass, replace

from torch import nn

from compendium.errors import BadInput
from compendium.images.encoders import FROZEN
from compendium.methods import hist2st_layers as parts
from compendium.methods.hist2st import HIST2ST, Hist2ST, Hist2STConfig
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import register

ENCODERS = {
    "resnet50": "resnet50.tv_in1k",
    "efficientnetv2": "tf_efficientnetv2_s.in1k",
    "swin": "swin_small_patch4_window7_224.ms_in1k",
    "lite0": FROZEN,
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
                spec, config, config.resized, config.batch_statistics, config.tuned
            )
        if config.tuned:
            raise BadInput(
                "tuned=True trains the encoder, and frozen features come without one; give "
                "encoder=own, or tuned=False"
            )
        return super().embedding(spec, config)


PUBLISHED = {"transposed": True, "batch_statistics": True}
ON_ENCODER = replace(HIST2ST, config=EncoderHist2STConfig(), published=PUBLISHED)

for _name, _encoder in ENCODERS.items():
    register(EncoderHist2ST, replace(ON_ENCODER, name=f"hist2st-{_name}", encoder=_encoder))
