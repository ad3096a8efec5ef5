"""Draw augmentation parameters for some tiles, one row a tile, from torch's CPU generator."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from compendium.images.augment.functional import LEFT_RIGHT, UP_DOWN, composed

Range = tuple[float, float]
ATTEMPTS = 10  # at a crop that fits


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Seed the generator inside the block, and restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def uniform(shape: int | tuple[int, ...], low: float, high: float) -> Float[Tensor, "spot ..."]:
    """Draw evenly between two numbers."""
    return torch.empty(shape).uniform_(low, high)


def chance(spots: int, probability: float) -> Bool[Tensor, "spot"]:
    """Draw True with this probability."""
    return torch.rand(spots) < probability


def order(spots: int, kinds: int) -> Int[Tensor, "spot kind"]:
    """Draw permutations, all equally likely."""
    return torch.rand(spots, kinds).argsort(dim=1)


def flips(spots: int, left_right: float, up_down: float) -> Int[Tensor, "spot"]:
    """Draw two flips, each by its chance; returns the number of their symmetry."""
    return composed(LEFT_RIGHT * chance(spots, left_right), UP_DOWN * chance(spots, up_down))


def jitter(spots: int, *strengths: float, hue: float = 0.0) -> dict[str, Tensor]:
    """Draw a colour jitter.

    Parameters
    ----------
    spots
        Number of tiles.
    strengths
        Of brightness, contrast and saturation: factors lie between max(1 - s, 0) and 1 + s.
    hue
        Largest turn, a share of the colour circle; 0 for no change of hue.

    Returns
    -------
    `factors` [spot kind], the last one the turn of hue if there is one, and the `order` [spot kind]
    in which they act.
    """
    factors = [uniform(spots, max(1 - strength, 0), 1 + strength) for strength in strengths]
    if hue:
        factors.append(uniform(spots, -hue, hue))
    return {"factors": torch.stack(factors, dim=1), "order": order(spots, len(factors))}


def box(spots: int, area: Range, aspect: Range) -> Float[Tensor, "spot 4"]:
    """Draw crops as torchvision's RandomResizedCrop does.

    Parameters
    ----------
    spots
        Number of tiles.
    area
        Smallest and largest share of the tile.
    aspect
        Smallest and largest width / height; its logarithm is drawn evenly.

    Returns
    -------
    Height and width as shares of the side, and the place from 0 (top, left) to 1. The first of ten
    draws that fits counts, else the whole tile.
    """
    areas = uniform((spots, ATTEMPTS), *area)
    aspects = uniform((spots, ATTEMPTS), math.log(aspect[0]), math.log(aspect[1])).exp()
    sizes = torch.stack([(areas / aspects).sqrt(), (areas * aspects).sqrt()], dim=2)
    fits = (sizes <= 1).all(dim=2)
    first = sizes[torch.arange(spots), fits.long().argmax(dim=1)]
    size = torch.where(fits.any(dim=1, keepdim=True), first, 1.0)
    return torch.cat([size, torch.rand(spots, 2)], dim=1)
