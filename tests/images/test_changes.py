"""Changes of tiles, each by parameters of its own."""

import colorsys

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as theirs

from compendium.images.augment import functional as changes

SIDE = 24
FACTORS = (0.5, 1.5, 1.0, 0.7, 1.2, 0.9)
EVERY = torch.arange(8)


def tiles(spots=6, side=SIDE):
    torch.manual_seed(3)
    return torch.rand(spots, 3, side, side)


def test_a_rotation_is_anticlockwise_and_an_affine_map_clockwise():
    degrees = torch.full((6,), 90.0)
    turned = torch.stack([tile.rot90(1, dims=(1, 2)) for tile in tiles()])
    assert torch.equal(changes.rotate(tiles(), degrees), turned)
    assert torch.equal(
        changes.affine(tiles()[0], torch.tensor(-90.0), torch.tensor(1.0)), turned[0]
    )
    seen = changes.affine(torch.ones(3, SIDE, SIDE), torch.tensor(0.0), torch.tensor(0.5))
    assert seen.sum() == 3 * (SIDE / 2) ** 2  # half as large, and 0 outside


def test_jitter_takes_its_order_from_each_tile():
    kinds = (
        theirs.adjust_brightness,
        theirs.adjust_contrast,
        theirs.adjust_saturation,
        theirs.adjust_hue,
    )
    tile, factors = tiles()[0], torch.tensor([0.5, 1.5, 0.8, 0.05])
    seen = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        expected = tile
        for kind in order:
            expected = kinds[kind](expected, factors[kind].item())
        seen.append(changes.color_jitter(tile, factors, torch.tensor(order)))
        torch.testing.assert_close(seen[-1], expected, rtol=0, atol=1e-5)
    assert not torch.allclose(seen[0], seen[1])


def test_a_crop_is_enlarged_and_stays_within_its_box():
    tile = tiles()[0]
    whole = changes.resized_crop(tile, torch.tensor([1.0, 1.0, 0.3, 0.3]))
    torch.testing.assert_close(whole, tile, rtol=0, atol=1e-6)
    stripes = torch.zeros(3, SIDE, SIDE)
    stripes[:, : SIDE // 2] = 1
    half = torch.tensor([0.5, 0.5, 0.0, 0.0])
    for end, value in ((0.0, 1.0), (0.999, 0.0)):
        half[2] = end
        seen = changes.resized_crop(stripes, half)
        assert seen.shape == stripes.shape and (seen == value).all()


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


def test_channels_are_shifted_and_permuted():
    tile, shift = tiles()[0], torch.tensor([0.1, 2.0, -0.2])
    expected = (tile + shift[:, None, None]).clamp(0, 1)
    torch.testing.assert_close(changes.shift_rgb(tile, shift), expected)
    assert torch.equal(changes.permute_channels(tile, torch.tensor([1, 2, 0])), tile[[1, 2, 0]])


def test_only_the_chosen_are_changed_with_their_own_parameters():
    chosen, factor = torch.tensor([True, False, False, True, False, True]), torch.tensor(FACTORS)
    found = changes.some(tiles(), chosen, torch.mul, factor)
    assert torch.equal(found[~chosen], tiles()[~chosen])
    assert torch.equal(found[chosen], (tiles() * factor.view(-1, 1, 1, 1))[chosen])
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
