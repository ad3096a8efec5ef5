"""The eight symmetries of a square, ST-Net's augmentation in training and its averaging at test; and Hist2ST's views of a whole section."""

from collections.abc import Callable
from functools import cache

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


def section_view(images: Float[Tensor, "spot 3 px px"]) -> Float[Tensor, "spot 3 px px"]:
    """Hist2ST's view of a section: grey with probability 0.1, turned by up to 90 degrees either way (nearest pixel, corners 0), mirrored with 0.2.

    One draw of each for all tiles of the section.
    """
    for change in _section_changes():
        images = change(images)
    return images


@cache
def _section_changes() -> tuple[Callable[[Tensor], Tensor], ...]:
    from torchvision import transforms

    return transforms.RandomGrayscale(0.1), transforms.RandomRotation(90), transforms.RandomHorizontalFlip(0.2)
