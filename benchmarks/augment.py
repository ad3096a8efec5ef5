"""How much longer a training step takes with torchvision.transforms.v2 than with the package.

    python benchmarks/augment.py [METHOD ...]

A step: tiles are augmented and scaled, then forward pass, backward pass and optimiser. Both forms
run in turn, with one thread and with two. The ratio compares the fastest augmentation of each form
plus the fastest remainder of a step. Above 1.05 the package keeps its own batch operations.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor
from torchvision.transforms import v2

from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.methods import recipe
from compendium.methods.layers import Batch, ModelSpec

METHODS = {"stnet": 16, "histogene": 64, "hist2st": 64}
"""Method -> number of tiles in a step; a section of 64 spots for methods of whole sections."""

TILES = 16
"""Number of tiles in a step of any other method."""

GENES = 300
PASSES = 3
ALLOWED = 1.05
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class QuarterTurn(v2.Transform):
    """Rotate by 0, 90, 180 or 270 degrees."""

    def forward(self, tile: Tensor) -> Tensor:
        """Rotate one tile."""
        return torch.rot90(tile, int(torch.randint(4, ())), dims=(-2, -1))


class ShiftRGB(v2.Transform):
    """Add a number between -20 and 20 to each channel."""

    def forward(self, tile: Tensor) -> Tensor:
        """Shift one tile."""
        shift = torch.empty(3, 1, 1).uniform_(-20, 20).to(tile.device)
        return (tile + shift).clamp(0, 255).to(torch.uint8)


class Crop(v2.Transform):
    """Cut out at least half of the tile and enlarge it to the tile's size."""

    def forward(self, tile: Tensor) -> Tensor:
        """Crop one tile."""
        return v2.RandomResizedCrop(tile.shape[-1], (0.5, 1.0), antialias=True)(tile)


def by_chance(*changes: Callable[[Tensor], Tensor]) -> v2.RandomApply:
    """Apply all of them, or none, with equal probability."""
    return v2.RandomApply(changes, 0.5)


FLIPS = (v2.RandomHorizontalFlip(0.5), v2.RandomVerticalFlip(0.5))
ROTATE_90 = v2.Lambda(partial(torch.rot90, dims=(-2, -1)))
TRANSPOSE = v2.Lambda(partial(torch.transpose, dim0=-2, dim1=-1))
TORCHVISION = {
    "stnet": v2.Compose([*FLIPS, by_chance(ROTATE_90)]),
    "histogene": v2.Compose(
        [v2.ColorJitter(0.5, 0.5, 0.5), v2.RandomHorizontalFlip(0.5), v2.RandomRotation(180)]
    ),
    "hist2st": v2.Compose(
        [v2.RandomGrayscale(0.1), v2.RandomRotation(90), v2.RandomHorizontalFlip(0.2)]
    ),
    "stimage": v2.Compose(
        [
            *FLIPS,
            by_chance(
                v2.RandomAffine(45, scale=(0.8, 1.2)),
                v2.RandomGrayscale(0.5),
                v2.ColorJitter(0.4, 0.4, 0.2, 0.1),
            ),
        ]
    ),
    "deepspace": v2.Compose(
        [
            by_chance(QuarterTurn()),
            *FLIPS,
            by_chance(TRANSPOSE),
            by_chance(Crop()),
            by_chance(v2.ColorJitter(0.08, 0, 0.12, 0.11)),
            by_chance(v2.RandomChannelPermutation()),
            by_chance(ShiftRGB()),
        ]
    ),
    "bleep": v2.Compose([*FLIPS, QuarterTurn()]),
}
"""The families as closely as torchvision has their operations."""


def one_by_one(change: Callable[[Tensor], Tensor], tiles: Tensor, whole: bool = False) -> Tensor:
    """Augment tiles by one draw each, or a section by one draw (what v2 does with a batch)."""
    return change(tiles) if whole else torch.stack([change(tile) for tile in tiles])


def now() -> float:
    """Seconds, after the device has finished what it was given."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


@dataclass
class Timed:
    """An augmentation that adds up its seconds."""

    change: Callable[..., Tensor]
    seconds: float = field(default=0.0)

    def __call__(self, tiles: Tensor, whole: bool = False) -> Tensor:
        """Augment the tiles."""
        began = now()
        out = self.change(tiles, whole)
        self.seconds += now() - began
        return out


def step(name: str, method: torch.nn.Module, optimiser, tiles: Tensor, family: Timed) -> float:
    """Run one training step; seconds without those of the augmentation."""
    began, spots = now(), len(tiles)
    if name != "hist2st":  # its tiles stay as they are, and its loss augments views of the section
        tiles = family(tiles.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    facts = recipe(name)
    images = encoders.scaled(tiles, facts.scale, facts.encoder)
    places = torch.stack([torch.arange(spots) // 16, torch.arange(spots) % 16], 1).to(DEVICE)
    target, size = torch.rand(spots, GENES, device=DEVICE), torch.ones(spots, device=DEVICE)
    labels = torch.zeros(spots, dtype=torch.long, device=DEVICE)
    batch = Batch(images, places, target, target.mul(9).round(), size, labels)
    with patch.object(method, "family", family, create=True):
        loss = sum(method.losses(batch).values())
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return now() - began - family.seconds


def build(name: str) -> torch.nn.Module:
    """The method with its published architecture, untrained."""
    facts = recipe(name)
    seen = {"tile_px": facts.tile_px, "encoder": facts.encoder, "weights": "random"}
    spec = ModelSpec(GENES, torch.zeros(GENES), classes=2, scale=facts.scale, **seen)
    return facts.build(spec, **facts.model).to(DEVICE).train()


def measure(name: str) -> tuple[float, float, float]:
    """Fastest seconds a step: own augmentation, torchvision's, and the remainder of the step."""
    method, augment = build(name), name if recipe(name).augment == "none" else recipe(name).augment
    optimiser = torch.optim.Adam((p for p in method.parameters() if p.requires_grad), lr=1e-6)
    size = (METHODS.get(name, TILES), recipe(name).tile_px, recipe(name).tile_px, 3)
    tiles = torch.randint(0, 256, size, dtype=torch.uint8).to(DEVICE)
    forms = (FAMILIES[augment], partial(one_by_one, TORCHVISION[augment]))
    passed: list[list[float]] = [[], []]
    rest = []
    for _ in range(PASSES):
        for seconds, form in zip(passed, forms, strict=True):
            family = Timed(form)
            rest.append(step(name, method, optimiser, tiles, family))
            seconds.append(family.seconds)
    return min(passed[0]), min(passed[1]), min(rest)


def main(names: list[str]) -> None:
    """Print the ratio of every method, with one thread and with two."""
    print(f"{'method':10s} threads {'own':>8s} {'v2':>8s} {'rest':>8s}  ms a step, on {DEVICE}")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        for name in names or METHODS:
            own, theirs, rest = measure(name)
            ratio = (theirs + rest) / (own + rest)
            shown = " ".join(f"{1e3 * seconds:8.0f}" for seconds in (own, theirs, rest))
            keep = "own operations stay" if ratio > ALLOWED else "torchvision costs little"
            print(f"{name:10s} {threads:7d} {shown}  step ratio {ratio:.3f}  {keep}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
