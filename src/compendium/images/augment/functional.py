"""Change tiles, each by parameters of its own: operations of torchvision, symmetries, shifts.

Tiles are numbers from 0 to 1; functions that only move pixels take any numbers.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

Tiles = Num[Tensor, "spot 3 px px"]
"""Tiles: numbers from 0 to 1, or uint8 where pixels only move."""

Tile = Num[Tensor, "3 px px"]
Number = Float[Tensor, ""]
Chosen = Bool[Tensor, "spot"]
PerTile = Float[Tensor, "spot"]
Parameters = Num[Tensor, "spot ..."]
SYMMETRIES = 8
QUARTER, HALF, LEFT_RIGHT, UP_DOWN, TRANSPOSED = 1, 2, 4, 6, 7  # numbers of some symmetries


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
    """Change the chosen tiles only, one by one and in place.

    Parameters
    ----------
    images
        All tiles; the result is written into them.
    chosen
        Which tiles `change` receives.
    change, parameters
        Function of one tile and its parameters, and the parameters of all tiles.
    """
    for i in chosen.nonzero().flatten().tolist():
        images[i] = change(images[i], *(each[i] for each in parameters))
    return images


def flip(images: Tiles, left_right: Chosen, up_down: Chosen | None = None) -> Tiles:
    """Mirror the chosen tiles left to right, and up to down, in place."""
    images = some(images, left_right, lambda tile: tile.flip(2))
    return images if up_down is None else some(images, up_down, lambda tile: tile.flip(1))


def rotate(images: Tiles, degrees: PerTile) -> Tiles:
    """Rotate anticlockwise about the centre, in place; nearest pixel, corners 0."""
    from torchvision.transforms.v2 import functional

    every = torch.ones_like(degrees, dtype=torch.bool)
    return some(images, every, lambda tile, angle: functional.rotate(tile, angle.item()), degrees)


def affine(tile: Tile, degrees: Number, scale: Number) -> Tile:
    """Rotate clockwise about the centre and enlarge; nearest pixel, 0 outside the tile."""
    from torchvision.transforms.v2 import functional

    return functional.affine(tile, degrees.item(), [0, 0], scale.item(), [0.0, 0.0])


def resized_crop(tile: Tile, box: Float[Tensor, "4"]) -> Tile:
    """Cut out a part of a square tile and enlarge it to the tile's size (bilinear).

    Parameters
    ----------
    tile
        The tile.
    box
        Height and width as shares of the side, then the place from 0 (top, left) to 1.
    """
    from torchvision.transforms.v2 import functional

    side = tile.shape[-1]
    height, width = (box[:2] * side).round().int().clamp(1, side).tolist()
    top = min(int(box[2] * (side - height + 1)), side - height)
    left = min(int(box[3] * (side - width + 1)), side - width)
    return functional.resized_crop(tile, top, left, height, width, [side, side], antialias=False)


def grey(tile: Tile) -> Tile:
    """Set all three channels to the luma."""
    from torchvision.transforms.v2 import functional

    return functional.rgb_to_grayscale(tile, 3)


def color_jitter(tile: Tile, factors: Float[Tensor, "kind"], order: Int[Tensor, "kind"]) -> Tile:
    """Adjust brightness, contrast, saturation and hue.

    Parameters
    ----------
    tile
        The tile.
    factors
        Of brightness, contrast and saturation, and the shift of hue if there are four kinds.
    order
        Which kind comes first, second, …
    """
    from torchvision.transforms.v2 import functional

    adjust = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    for kind in order.tolist():
        tile = adjust[kind](tile, factors[kind].item())
    return tile


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


def shift_rgb(tile: Tile, shift: Float[Tensor, "3"]) -> Tile:
    """Add a number to each channel; 0 to 1."""
    return (tile + shift.to(tile)[:, None, None]).clamp_(0, 1)


def permute_channels(tile: Tile, order: Int[Tensor, "3"]) -> Tile:
    """Reorder the channels."""
    return tile[order]
