"""How much longer a training step on tiles takes with augmentation than without.

    python benchmarks/augment.py [METHOD ...]

A step: tiles are augmented and scaled, then forward pass, backward pass and optimiser, with one
thread and with two. The ratio compares the fastest augmentation plus the fastest remainder of a
step with that remainder.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
from torch import Tensor

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
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


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


def measure(name: str) -> tuple[float, float]:
    """Fastest seconds a step: augmentation, and the remainder of the step."""
    method, augment = build(name), name if recipe(name).augment == "none" else recipe(name).augment
    optimiser = torch.optim.Adam((p for p in method.parameters() if p.requires_grad), lr=1e-6)
    size = (METHODS.get(name, TILES), recipe(name).tile_px, recipe(name).tile_px, 3)
    tiles = torch.randint(0, 256, size, dtype=torch.uint8).to(DEVICE)
    passed, rest = [], []
    for _ in range(PASSES):
        family = Timed(FAMILIES[augment])
        rest.append(step(name, method, optimiser, tiles, family))
        passed.append(family.seconds)
    return min(passed), min(rest)


def main(names: list[str]) -> None:
    """Print the ratio of every method, with one thread and with two."""
    print(f"{'method':10s} threads {'augment':>8s} {'rest':>8s}  ms a step, on {DEVICE}")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        for name in names or METHODS:
            augment, rest = measure(name)
            shown = f"{1e3 * augment:8.0f} {1e3 * rest:8.0f}  ratio {1 + augment / rest:.3f}"
            print(f"{name:10s} {threads:7d} {shown}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
