"""Draws for some tiles, one row a tile, from torch's CPU generator."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from compendium.images.augment.functional import LEFT_RIGHT, UP_DOWN, composed

ATTEMPTS = 10  # at a crop that fits


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Let what the block draws follow from a number, and leave the generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def uniform(shape: int | tuple[int, ...], low: float, high: float) -> Float[Tensor, "spot ..."]:
    """Anywhere between two numbers."""
    return torch.empty(shape).uniform_(low, high)


def chance(spots: int, probability: float) -> Bool[Tensor, "spot"]:
    """True with this probability."""
    return torch.rand(spots) < probability


def order(spots: int, kinds: int) -> Int[Tensor, "spot kind"]:
    """Every order of some kinds is equally likely."""
    return torch.rand(spots, kinds).argsort(dim=1)


def flips(spots: int, left_right: float, up_down: float) -> Int[Tensor, "spot"]:
    """The symmetry of two mirrors, each by chance."""
    return composed(LEFT_RIGHT * chance(spots, left_right), UP_DOWN * chance(spots, up_down))


def jitter(spots: int, *strengths: float, hue: float = 0.0) -> dict[str, Tensor]:
    """Factors of brightness, contrast and saturation around 1, a turn of hue if there is one, and the order in which they act."""
    factors = [uniform(spots, max(1 - strength, 0), 1 + strength) for strength in strengths] + (
        [uniform(spots, -hue, hue)] if hue else []
    )
    return {"factors": torch.stack(factors, dim=1), "order": order(spots, len(factors))}


def box(
    spots: int, area: tuple[float, float], aspect: tuple[float, float]
) -> Float[Tensor, "spot 4"]:
    """Height and width as shares of the side, and the place: the first of ten draws of area and log aspect that fits, else the whole tile."""
    areas, aspects = (
        uniform((spots, ATTEMPTS), *area),
        uniform((spots, ATTEMPTS), math.log(aspect[0]), math.log(aspect[1])).exp(),
    )
    sizes = torch.stack([(areas / aspects).sqrt(), (areas * aspects).sqrt()], dim=2)
    fits = (sizes <= 1).all(dim=2)
    first = sizes[torch.arange(spots), fits.long().argmax(dim=1)]
    return torch.cat(
        [torch.where(fits.any(dim=1, keepdim=True), first, 1.0), torch.rand(spots, 2)], dim=1
    )
