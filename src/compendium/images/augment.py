"""The eight symmetries of a square, ST-Net's augmentation in training and its averaging at test; Hist2ST's views of a whole section; and banks of either."""

import hashlib
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Num, UInt8
from torch import Tensor

SYMMETRIES = 8
AUGMENTATIONS = ("none", "symmetries")
BANK = 8
# The views of a section that frozen features are kept of; the first symmetry is the section as it is.
BANKS = {"symmetries": ("", *(f"symmetry-{i}" for i in range(1, SYMMETRIES))), "sections": tuple(f"section-{i}" for i in range(BANK))}


def symmetry(images: Num[Tensor, "spot 3 px px"], which: int) -> Num[Tensor, "spot 3 px px"]:
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


def section_view(images: Num[Tensor, "spot 3 px px"]) -> Num[Tensor, "spot 3 px px"]:
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


def kept_view(tiles: UInt8[np.ndarray, "spot px px 3"], view: str, section: str) -> UInt8[np.ndarray, "spot px px 3"]:
    """Tiles of a section in one of the views of BANKS; the draw of a section view follows from its name and the section's, however many of the tiles are given."""
    if not view:
        return tiles
    kind, which = view.split("-")
    images = torch.tensor(tiles).permute(0, 3, 1, 2)
    if kind == "symmetry":
        images = symmetry(images, int(which))
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(hashlib.sha256(f"{section} {view}".encode()).digest()[:7]))
            images = section_view(images)
    return images.permute(0, 2, 3, 1).contiguous().numpy()
