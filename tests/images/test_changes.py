"""Batched changes are equal to those of torchvision, tile by tile, with the same parameters."""

import colorsys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as theirs

from compendium.images.augment import functional as changes

SIDE = 24
ANGLES = (-179.0, -90.0, -33.3, 0.0, 12.5, 180.0)
SCALES = (0.8, 1.2, 1.0, 0.93, 1.1, 0.85)
FACTORS = (0.5, 1.5, 1.0, 0.7, 1.2, 0.9)
HUES = (-0.5, -0.1, 0.0, 0.05, 0.1, 0.5)
EVERY = torch.arange(8)


def tiles(spots=6, side=SIDE):
    torch.manual_seed(3)
    return torch.rand(spots, 3, side, side)


def one_by_one(change, *parameters, side=SIDE):
    return torch.stack(
        [change(tile, *each) for tile, *each in zip(tiles(side=side), *parameters, strict=True)]
    )


@pytest.mark.parametrize("side", [24, 33])
def test_rotations_and_affine_maps_are_torchvisions_to_the_pixel(side):
    angles, scales = torch.tensor(ANGLES), torch.tensor(SCALES)
    assert torch.equal(
        changes.rotate(tiles(side=side), angles), one_by_one(theirs.rotate, ANGLES, side=side)
    )
    expected = one_by_one(
        lambda tile, angle, scale: theirs.affine(
            tile, angle.item(), [0, 0], scale.item(), [0.0, 0.0]
        ),
        angles,
        scales,
        side=side,
    )
    assert torch.equal(changes.affine(tiles(side=side), angles, scales), expected)


@pytest.mark.parametrize(
    ("ours", "torchvisions", "values"),
    [
        (changes.adjust_brightness, theirs.adjust_brightness, FACTORS),
        (changes.adjust_contrast, theirs.adjust_contrast, FACTORS),
        (changes.adjust_saturation, theirs.adjust_saturation, FACTORS),
        (changes.adjust_hue, theirs.adjust_hue, HUES),
    ],
)
def test_colours_are_adjusted_as_torchvision_does(ours, torchvisions, values):
    torch.testing.assert_close(
        ours(tiles(), torch.tensor(values)), one_by_one(torchvisions, values), rtol=0, atol=1e-5
    )


def test_grey_is_torchvisions():
    torch.testing.assert_close(
        changes.grey(tiles()),
        one_by_one(lambda tile: theirs.rgb_to_grayscale(tile, 3)),
        rtol=0,
        atol=1e-6,
    )


def test_jitter_takes_its_order_from_each_tile():
    kinds = (
        theirs.adjust_brightness,
        theirs.adjust_contrast,
        theirs.adjust_saturation,
        theirs.adjust_hue,
    )
    factors = torch.stack(
        [
            torch.tensor(FACTORS),
            torch.tensor(FACTORS).flip(0),
            torch.tensor(SCALES),
            torch.tensor(HUES) / 5,
        ],
        dim=1,
    )
    order = torch.stack(
        [torch.randperm(4, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    )
    expected = tiles()
    for i in range(6):
        for kind in order[i].tolist():
            expected[i] = kinds[kind](expected[i], factors[i, kind].item())
    torch.testing.assert_close(
        changes.color_jitter(tiles(), factors, order), expected, rtol=0, atol=1e-5
    )
    assert len({tuple(row) for row in order.tolist()}) > 3
    without_hue = changes.color_jitter(tiles(), factors[:, :3], order[:, :3].argsort(1))
    assert not torch.allclose(without_hue, expected)


def test_a_crop_is_torchvisions_and_stays_within_its_box():
    box = torch.tensor(
        [
            [0.7, 0.8, 0.0, 0.999],
            [1.0, 1.0, 0.3, 0.3],
            [0.9, 0.75, 0.5, 0.5],
            [0.71, 0.99, 0.2, 0.7],
            [0.8, 0.8, 0.999, 0.0],
            [0.5, 1.0, 0.0, 0.0],
        ]
    )

    def cropped(tile, row):
        height, width = (row[:2] * SIDE).round().int().tolist()
        top, left = int(row[2] * (SIDE - height + 1)), int(row[3] * (SIDE - width + 1))
        return theirs.resized_crop(tile, top, left, height, width, [SIDE, SIDE])

    torch.testing.assert_close(
        changes.resized_crop(tiles(), box), one_by_one(cropped, box), rtol=0, atol=1e-5
    )
    assert torch.allclose(
        changes.resized_crop(tiles(), box)[1], tiles()[1], atol=1e-6
    )  # the whole tile


@given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(-80, 80)] * 3))
@settings(max_examples=50, deadline=None)
def test_a_shift_in_hsv_is_the_textbooks(pixel, moved):
    colour, shift = [value / 255 for value in pixel], [value / 255 for value in moved]
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    expected = colorsys.hsv_to_rgb(
        (hue + shift[0]) % 1,
        min(max(saturation + shift[1], 0.0), 1.0),
        min(max(value + shift[2], 0.0), 1.0),
    )
    found = changes.shift_hsv(torch.tensor(colour).view(1, 3, 1, 1), torch.tensor([shift]))
    torch.testing.assert_close(found.flatten(), torch.tensor(expected), rtol=0, atol=1e-5)


def test_channels_are_shifted_and_permuted_tile_by_tile():
    shift = torch.tensor([[0.1, 0.0, -0.2]] * 3 + [[-1.0, 2.0, 0.0]] * 3)
    torch.testing.assert_close(
        changes.shift_rgb(tiles(), shift), (tiles() + shift[..., None, None]).clamp(0, 1)
    )
    order = torch.tensor([[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]])
    assert torch.equal(
        changes.permute_channels(tiles(), order), one_by_one(lambda tile, row: tile[row], order)
    )


def test_only_the_chosen_are_changed_with_their_own_parameters():
    chosen, factor = torch.tensor([True, False, False, True, False, True]), torch.tensor(FACTORS)
    found = changes.some(tiles(), chosen, changes.adjust_brightness, factor)
    assert torch.equal(found[~chosen], tiles()[~chosen])
    assert torch.equal(found[chosen], changes.adjust_brightness(tiles(), factor)[chosen])
    assert torch.equal(
        changes.flip(tiles(), chosen, ~chosen),
        torch.where(chosen.view(-1, 1, 1, 1), tiles().flip(3), tiles().flip(2)),
    )


def test_the_eight_symmetries_are_a_group_with_its_names():
    tile = tiles(1)
    seen = [changes.symmetry(tile, which) for which in range(changes.SYMMETRIES)]
    assert len({each.numpy().tobytes() for each in seen}) == changes.SYMMETRIES
    named = {
        0: tile,
        changes.LEFT_RIGHT: tile.flip(3),
        changes.UP_DOWN: tile.flip(2),
        changes.HALF: tile.flip(2, 3),
        changes.TRANSPOSED: tile.transpose(2, 3),
    }
    assert all(torch.equal(seen[which], expected) for which, expected in named.items())
    assert torch.equal(seen[changes.QUARTER], theirs.rotate(tile, 90))
    for first in range(8):
        for then, which in enumerate(changes.composed(torch.full((8,), first), EVERY).tolist()):
            assert torch.equal(changes.symmetry(seen[first], then), seen[which])


def test_each_tile_is_shown_in_its_own_symmetry():
    several = tiles(8).mul(255).to(torch.uint8)
    before = several.clone()
    found = changes.symmetries(several, EVERY.flip(0))
    assert all(
        torch.equal(found[i : i + 1], changes.symmetry(several[i : i + 1], 7 - i)) for i in range(8)
    )
    assert torch.equal(several, before)
