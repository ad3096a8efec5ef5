"""The eight symmetries of a square: ST-Net's augmentation in training and its averaging at test."""

import torch
from jaxtyping import Float
from torch import Tensor

SYMMETRIES = 8
AUGMENTATIONS = ("none", "symmetries")


def symmetry(images: Float[Tensor, "spot 3 px px"], which: int) -> Float[Tensor, "spot 3 px px"]:
    """Symmetry 0 (identity) to 7: quarter turns, mirrored from 4 on."""
    turned = torch.rot90(images, which % 4, dims=(2, 3))
    return turned.flip(3) if which >= 4 else turned


def random_symmetries(images: Float[Tensor, "spot 3 px px"]) -> Float[Tensor, "spot 3 px px"]:
    """One symmetry drawn for each patch: the same law as mirroring left-right, up-down and turning by 90 degrees with probability 1/2 each."""
    drawn = torch.randint(SYMMETRIES, (len(images),))
    out = images.clone()
    for which in drawn.unique().tolist():
        out[drawn == which] = symmetry(images[drawn == which], which)
    return out
