"""How fast tiles are augmented, each by a draw of its own: the families of the package on a batch, against torchvision tile by tile, on every device there is.

    python benchmarks/augment.py [TILES] [PX]

Prints tiles a second of either, the fastest of some passes in turn, their ratio, and which of the two the package runs where that is the slower one. RandAugment and AutoAugment are
torchvision's, tile by tile, in both columns: their operations differ from tile to tile, and the package only gives each tile a seed of its own, so that its draw can be repeated.
"""

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision import transforms as tv
from torchvision.transforms.v2 import RandomChannelPermutation

from compendium.images.augment.families import FAMILIES
from compendium.images.augment.family import PIECE

PASSES = 10
TOLD_APART = 0.1  # of a ratio; other work on the machine moves it by less


def turned(tile: Tensor) -> Tensor:
    """A quarter turn or more, or none."""
    return torch.rot90(tile, int(torch.randint(4, ())), dims=(1, 2))


def shifted(tile: Tensor) -> Tensor:
    """A number added to each channel."""
    return (
        (tile + torch.empty(3, 1, 1).uniform_(-20, 20).to(tile.device))
        .clamp(0, 255)
        .to(torch.uint8)
    )


def by_chance(*changes: Callable[[Tensor], Tensor]) -> tv.RandomApply:
    """All of them, or none."""
    return tv.RandomApply(changes, 0.5)


FLIPS = (tv.RandomHorizontalFlip(0.5), tv.RandomVerticalFlip(0.5))
# The families as one writes them with torchvision, as closely as it has the operations.
TORCHVISION = {
    "stnet": tv.Compose([*FLIPS, by_chance(lambda tile: torch.rot90(tile, 1, dims=(1, 2)))]),
    "histogene": tv.Compose([tv.ColorJitter(0.5, 0.5, 0.5), tv.RandomHorizontalFlip(0.5), tv.RandomRotation(180)]),
    "hist2st": tv.Compose([tv.RandomGrayscale(0.1), tv.RandomRotation(90), tv.RandomHorizontalFlip(0.2)]),
    "stimage": tv.Compose([*FLIPS, by_chance(tv.RandomAffine(45, scale=(0.8, 1.2)), tv.RandomGrayscale(0.5), tv.ColorJitter(0.4, 0.4, 0.2, 0.1))]),
    "deepspace": tv.Compose([
        by_chance(turned), *FLIPS, by_chance(lambda tile: tile.transpose(1, 2)), by_chance(lambda tile: tv.RandomResizedCrop(tile.shape[-1], (0.5, 1.0), antialias=True)(tile)),
        by_chance(tv.ColorJitter(0.08, 0, 0.12, 0.11)), by_chance(RandomChannelPermutation()), by_chance(shifted),
    ]),
    "bleep": tv.Compose([*FLIPS, turned]),
    "randaugment": tv.RandAugment(), "autoaugment": tv.AutoAugment(),
}  # fmt: skip


def tile_by_tile(change: Callable[[Tensor], Tensor], tiles: Tensor) -> Tensor:
    """The tiles one after another."""
    return torch.stack([change(tile) for tile in tiles])


def rate(change: Callable[[Tensor], Tensor], tiles: Tensor) -> float:
    """Tiles a second of one pass."""
    began = time.perf_counter()
    change(tiles)
    if tiles.is_cuda:
        torch.cuda.synchronize()
    return len(tiles) / (time.perf_counter() - began)


def verdict(ratio: float) -> str:
    """What is said of a family that the package runs in the slower of the two forms."""
    return (
        ""
        if ratio > 1 - TOLD_APART
        else "  SLOWER than torchvision tile by tile, and yet what the package runs here"
    )


def main(count: int = 128, px: int = 224) -> None:
    """Measure both forms of every family in turn, and print the table of each device."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (count, px, px, 3), dtype=torch.uint8).permute(
        0, 3, 1, 2
    )  # as tiles lie in memory
    assert TORCHVISION.keys() == FAMILIES.keys() - {"none"}
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        where = (
            torch.cuda.get_device_name()
            if device == "cuda"
            else f"CPU with {torch.get_num_threads()} threads"
        )
        print(f"{count} tiles of {px} px, {where}, pieces of {PIECE[device]}")
        print(f"{'family':12s} {'batched':>10s} {'one by one':>11s}  tiles a second")
        for name, theirs in TORCHVISION.items():
            tiles, ours, single = images.to(device), 0.0, 0.0
            for _ in range(PASSES):
                ours = max(ours, rate(FAMILIES[name], tiles))
                single = max(
                    single, rate(lambda some, each=theirs: tile_by_tile(each, some), tiles)
                )
            print(
                f"{name:12s} {ours:10,.0f} {single:11,.0f}  ratio {ours / single:.2f}{verdict(ours / single)}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
