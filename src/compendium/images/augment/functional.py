"""Change many tiles at once, each with parameters of its own.

torchvision's functions of the same names change one image, or many by the same parameters. Tiles
are numbers from 0 to 1; functions that only move pixels take any numbers.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from compendium.machine import double

Tiles = Num[Tensor, "spot 3 px px"]
"""Tiles: numbers from 0 to 1, or uint8 where pixels only move."""

Chosen = Bool[Tensor, "spot"]
PerTile = Float[Tensor, "spot"]
Parameters = Num[Tensor, "spot ..."]
SYMMETRIES = 8
QUARTER, HALF, LEFT_RIGHT, UP_DOWN, TRANSPOSED = 1, 2, 4, 6, 7  # numbers of some symmetries
LUMA = (0.2989, 0.587, 0.114)  # share of red, green and blue in grey


def symmetry(images: Num[Tensor, "*spot 3 px px"], which: int) -> Num[Tensor, "*spot 3 px px"]:
    """Apply one symmetry of a square to all tiles.

    Number 0 is the identity, 1 to 3 are quarter turns anticlockwise, 4 to 7 the same mirrored.
    """
    turned = torch.rot90(images, which % 4, dims=(-2, -1))
    return turned.flip(-1) if which >= 4 else turned


def symmetries(images: Tiles, which: Int[Tensor, "spot"]) -> Tiles:
    """Apply to each tile its own symmetry; on a CPU tile by tile, which is faster there."""
    if not images.is_cuda:
        pairs = zip(images, which.tolist(), strict=True)
        return torch.stack([symmetry(image, one) for image, one in pairs])
    out = images.clone()
    for one in which.unique().tolist():
        if one:
            out[which == one] = symmetry(images[which == one], one)
    return out


def composed(first: Int[Tensor, "spot"], then: Int[Tensor, "spot"]) -> Int[Tensor, "spot"]:
    """Return the symmetry of two, one after the other; a turn behind a mirror is reversed."""
    turns = first % 4 + torch.where(first >= 4, -then, then)
    return turns % 4 + 4 * ((first >= 4) ^ (then >= 4))


def some(
    images: Tiles, chosen: Chosen, change: Callable[..., Tensor], *parameters: Parameters
) -> Tiles:
    """Change the chosen tiles only, in place.

    Parameters
    ----------
    images
        All tiles; the result is written into them.
    chosen
        Which tiles `change` receives.
    change, parameters
        Function of tiles and parameters, and its parameters for all tiles.
    """
    if chosen.any():
        images[chosen] = change(images[chosen], *(each[chosen] for each in parameters))
    return images


def flip(images: Tiles, left_right: Chosen, up_down: Chosen | None = None) -> Tiles:
    """Mirror the chosen tiles left to right, and up to down, in place."""
    images = some(images, left_right, lambda tiles: tiles.flip(3))
    return images if up_down is None else some(images, up_down, lambda tiles: tiles.flip(2))


def rotate(images: Tiles, degrees: PerTile) -> Tiles:
    """Rotate anticlockwise about the centre; nearest pixel, corners 0."""
    return affine(images, -degrees, torch.ones_like(degrees))


def affine(images: Tiles, degrees: PerTile, scale: PerTile) -> Tiles:
    """Rotate clockwise about the centre and enlarge; nearest pixel, 0 outside the tile."""
    angle, scale = double(degrees).deg2rad(), double(scale)
    along, across, zero = angle.cos() / scale, angle.sin() / scale, torch.zeros_like(scale)
    theta = torch.stack([along, across, zero, -across, along, zero], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="nearest", align_corners=False)


def resized_crop(images: Tiles, box: Float[Tensor, "spot 4"]) -> Tiles:
    """Cut out a part of each tile and enlarge it to the tile's size (bilinear).

    Parameters
    ----------
    images
        Square tiles.
    box
        Height and width as shares of the side, then the place from 0 (top, left) to 1.
    """
    side = images.shape[-1]
    size = (box[:, :2] * side).round().clamp(1, side).to(images)
    start = (box[:, 2:].to(images) * (side - size + 1)).floor().clamp(max=side - size)
    steps = (torch.arange(side, device=images.device) + 0.5) / side
    size, start = size[..., None], start[..., None]
    places = (steps * size - 0.5).clamp(min=0).minimum(size - 1) + start  # [spot, y and x, side]
    y, x = ((2 * places + 1) / side - 1).unbind(1)
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def grey(images: Tiles) -> Tiles:
    """Set all three channels to the luma."""
    luma = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    return (images * luma).sum(1, keepdim=True).expand_as(images)


def adjust_brightness(images: Tiles, factor: PerTile) -> Tiles:
    """Multiply by the factor, at most 1."""
    return (images * _beside(factor, images)).clamp_(0, 1)


def adjust_contrast(images: Tiles, factor: PerTile) -> Tiles:
    """Multiply the distance from the tile's mean luma; 0 to 1."""
    mean = grey(images)[:, :1].mean((2, 3), keepdim=True)
    return torch.lerp(mean.expand_as(images), images, _beside(factor, images)).clamp_(0, 1)


def adjust_saturation(images: Tiles, factor: PerTile) -> Tiles:
    """Multiply the distance of each pixel from its luma; 0 to 1."""
    return torch.lerp(grey(images), images, _beside(factor, images)).clamp_(0, 1)


def adjust_hue(images: Tiles, turn: PerTile) -> Tiles:
    """Shift the hue by a share of the colour circle."""
    return shift_hsv(images, F.pad(turn[:, None], (0, 2)))


def color_jitter(
    images: Tiles, factors: Float[Tensor, "spot kind"], order: Int[Tensor, "spot kind"]
) -> Tiles:
    """Adjust brightness, contrast, saturation and hue in the order of each tile, in place.

    Parameters
    ----------
    images
        Tiles; the result is written into them.
    factors
        Of brightness, contrast and saturation, and the shift of hue if there are four kinds.
    order
        Which kind comes first, second, …
    """
    adjust = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
    for now in order.unbind(1):
        for kind, factor in enumerate(factors.unbind(1)):
            images = some(images, now == kind, adjust[kind], factor)
    return images


def shift_hsv(images: Tiles, shift: Float[Tensor, "spot 3"]) -> Tiles:
    """Shift hue (a share of the circle), saturation and value (both clipped to 0-1).

    References
    ----------
    Smith, SIGGRAPH 1978 (hexcone); colorsys of the standard library.
    """
    high, span = images.amax(1), images.amax(1) - images.amin(1)
    distance = (high[:, None] - images) / span.masked_fill(span == 0, 1)[:, None]
    red, green, blue = distance.unbind(1)
    beside_green = torch.where(images[:, 1] == high, 2 + red - blue, 4 + green - red)
    hue = torch.where(images[:, 0] == high, blue - green, beside_green) / 6
    move = shift.to(images).view(-1, 3, 1, 1).unbind(1)
    hue, value = (hue + move[0]) % 1, (high + move[2]).clamp(0, 1)
    saturation = (span / high.masked_fill(high == 0, 1) + move[1]).clamp(0, 1)
    offsets = torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)
    places = (offsets + 6 * hue[:, None]) % 6
    chroma = torch.minimum(places, 4 - places).clamp(0, 1)
    return value[:, None] * (1 - saturation[:, None] * chroma)


def shift_rgb(images: Tiles, shift: Float[Tensor, "spot 3"]) -> Tiles:
    """Add a number to each channel; 0 to 1."""
    return (images + shift.to(images)[..., None, None]).clamp_(0, 1)


def permute_channels(images: Tiles, order: Int[Tensor, "spot 3"]) -> Tiles:
    """Reorder the channels of each tile."""
    return images[torch.arange(len(images))[:, None], order]


def _beside(factor: PerTile, images: Tensor) -> Float[Tensor, "spot 1 1 1"]:
    return factor.to(images).view(-1, 1, 1, 1)
