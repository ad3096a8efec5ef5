"""Families of augmentations: distribution of their draws, one draw a tile or a section, values."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torchvision import transforms

from compendium.errors import BadInput
from compendium.images.augment import families as augment
from compendium.images.augment import functional as changes
from compendium.images.augment import sampling as draws
from compendium.images.augment.families import FAMILIES, PIECE, family, table

SPOTS = 4000
FAR = 4  # standard deviations that a share may be off
CHANGING = [name for name in FAMILIES if name != "none"]


def tiles(spots=12, side=16):
    torch.manual_seed(5)
    return torch.randint(0, 256, (spots, 3, side, side), dtype=torch.uint8)


def pixels(images):
    """The colours of each tile in an order of their own, wherever they lie."""
    colours = images.flatten(2).long() * torch.tensor([1, 256, 256**2])[:, None]
    return colours.sum(dim=1).sort(dim=1).values


def drawn(name, spots=SPOTS):
    torch.manual_seed(7)
    return FAMILIES[name].draw(spots)


def share_is(chosen, p):
    """Whether a share is what chance makes of a probability."""
    return abs(chosen.float().mean().item() - p) <= FAR * math.sqrt(p * (1 - p) / len(chosen))


def fills(values, low, high):
    """Whether values lie evenly between two ends and come close to both."""
    assert low <= values.min() and values.max() <= high
    return all(
        share_is(values < low + (high - low) * part, part) for part in (0.02, 0.25, 0.5, 0.75, 0.98)
    )


# ---- the law of each


@pytest.mark.parametrize("name", ["stnet", "bleep"])
def test_stnet_and_bleep_draw_each_symmetry_equally_often(name):
    which = drawn(name)["which"]
    assert all(share_is(which == one, 1 / 8) for one in range(8))


@pytest.mark.parametrize(
    ("words", "which"),
    [
        ({"left_right": 1.0, "up_down": 0.0, "turn": 0.0}, changes.LEFT_RIGHT),
        ({"left_right": 0.0, "up_down": 1.0, "turn": 0.0}, changes.UP_DOWN),
        ({"left_right": 0.0, "up_down": 0.0, "turn": 1.0}, changes.QUARTER),
        ({"left_right": 1.0, "up_down": 1.0, "turn": 0.0}, changes.HALF),
    ],
)
def test_a_chance_of_stnet_is_that_of_its_own_symmetry(words, which):
    assert (augment.STNet(**words).draw(50)["which"] == which).all()
    tossed = augment.STNet(**{word: 0.3 if value else 0.0 for word, value in words.items()}).draw(
        SPOTS
    )["which"]
    assert share_is(tossed != 0, 0.3 if sum(words.values()) == 1 else 1 - 0.7**2)


def test_bleep_turns_by_any_angle_up_to_one_if_asked():
    found = augment.BLEEP(turn=90.0).draw(SPOTS)
    assert fills(found["degrees"], -90, 90)
    assert set(found["which"].tolist()) == {0, changes.HALF, changes.LEFT_RIGHT, changes.UP_DOWN}
    seen = augment.BLEEP(turn=90.0)(tiles())
    assert (seen[:, :, 0, 0] == 0).all(dim=1).any()  # a corner of a turned tile


def test_histogene():
    found = drawn("histogene")
    assert (
        all(fills(factor, 0.5, 1.5) for factor in found["factors"].T)
        and found["factors"].shape[1] == 3
    )
    assert len({tuple(row) for row in found["order"].tolist()}) == 6 and share_is(
        found["order"][:, 0] == 2, 1 / 3
    )
    assert share_is(found["left_right"], 0.5) and fills(found["degrees"], -180, 180)


def test_hist2st():
    found = drawn("hist2st")
    assert (
        share_is(found["grey"], 0.1)
        and share_is(found["left_right"], 0.2)
        and fills(found["degrees"], -90, 90)
    )


def test_stimage():
    found = drawn("stimage")
    assert all(share_is(found[word], 0.5) for word in ("left_right", "up_down", "rest", "grey"))
    assert fills(found["degrees"], -45, 45) and fills(found["scale"], 0.8, 1.2)
    ends = ((0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1))
    assert all(fills(factor, *end) for factor, end in zip(found["factors"].T, ends, strict=True))
    plain = augment.STimage(rest=0.0)
    seen = plain(tiles(200))
    assert torch.equal(pixels(seen), pixels(tiles(200))) and not torch.equal(
        seen, tiles(200)
    )  # mirrors alone


def test_deepspace():
    found = drawn("deepspace")
    assert all(share_is(found[word], 0.5) for word in ("crop", "hsv", "shuffle", "shift"))
    assert all(
        fills(found["moved"][:, i], -limit, limit)
        for i, limit in enumerate((40 / 360, 30 / 255, 20 / 255))
    )
    assert all(fills(channel, -20 / 255, 20 / 255) for channel in found["added"].T)
    assert len({tuple(row) for row in found["order"].tolist()}) == 6
    turns, flips = (
        torch.tensor([5, 1, 1, 1]) / 8,
        {0: 1 / 2, changes.UP_DOWN: 1 / 6, changes.LEFT_RIGHT: 1 / 6, changes.HALF: 1 / 6},
    )
    law = torch.zeros(8)
    for turn in range(4):
        for flip, p in flips.items():
            for transposed in (0, changes.TRANSPOSED):
                both = changes.composed(torch.tensor([turn]), torch.tensor([flip]))
                law[changes.composed(both, torch.tensor([transposed]))] += turns[turn] * p / 2
    assert all(share_is(found["which"] == one, law[one].item()) for one in range(8))


def test_the_box_of_a_crop_has_the_law_of_torchvisions():
    box = drawn("deepspace")["box"]
    area, aspect = box[:, 0] * box[:, 1], box[:, 1] / box[:, 0]
    assert (
        box.min() >= 0
        and box.max() <= 1
        and area.min() >= 0.5
        and (aspect >= 0.749).all()
        and (aspect <= 1.334).all()
    )
    torch.manual_seed(1)
    theirs = (
        np.array(
            [
                transforms.RandomResizedCrop.get_params(
                    torch.zeros(3, 1000, 1000), [0.5, 1.0], [3 / 4, 4 / 3]
                )
                for _ in range(SPOTS)
            ]
        )
        / 1000
    )
    for ours, other in (
        (box[:, 0], theirs[:, 2]),
        (box[:, 1], theirs[:, 3]),
        (box[:, 2], theirs[:, 0] / np.maximum(1 - theirs[:, 2], 1e-9)),
    ):
        np.testing.assert_allclose(
            np.quantile(ours, [0.1, 0.5, 0.9]),
            np.quantile(other.clip(0, 1), [0.1, 0.5, 0.9]),
            atol=0.03,
        )
    assert (draws.box(50, (0.99, 1.0), (1.9, 2.0))[:, :2] == 1).all()  # nothing fits


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("randaugment", transforms.RandAugment()), ("autoaugment", transforms.AutoAugment())],
)
def test_policies_are_torchvisions_from_the_same_seed(name, theirs):
    images, seeds = tiles(), torch.arange(12)
    found = FAMILIES[name].apply(images, {"seeds": seeds})
    expected = []
    for image, seed in zip(images, seeds.tolist(), strict=True):
        torch.manual_seed(seed)
        expected.append(theirs(image))
    assert torch.equal(found, torch.stack(expected))
    assert not torch.equal(found, images)


# ---- draws


@pytest.mark.parametrize("name", CHANGING)
def test_every_tile_has_a_draw_of_its_own(name):
    same = tiles(1).expand(40, -1, -1, -1)
    torch.manual_seed(0)
    kinds = {tile.numpy().tobytes() for tile in FAMILIES[name](same)}
    assert len(kinds) == 8 if name in ("stnet", "bleep") else len(kinds) > 12


@pytest.mark.parametrize("name", CHANGING)
def test_draws_of_two_tiles_are_independent(name):
    torch.manual_seed(0)
    pairs = [FAMILIES[name].draw(2) for _ in range(600)]
    for word, first in pairs[0].items():
        values = torch.stack([pair[word].double().reshape(2, -1)[:, 0] for pair in pairs])
        if values.std() > 0 and first.dtype != torch.bool:
            assert abs(np.corrcoef(values.T.numpy())[0, 1]) < FAR / math.sqrt(600), word


@pytest.mark.parametrize("name", CHANGING)
def test_a_section_has_one_draw_for_all_its_tiles(name):
    images = tiles(20)
    torch.manual_seed(2)
    views = [FAMILIES[name](images[:1].expand(20, -1, -1, -1), whole=True) for _ in range(30)]
    assert all((view == view[:1]).all() for view in views)
    assert len({view.numpy().tobytes() for view in views}) >= 8 - (name in ("stnet", "bleep"))
    torch.manual_seed(4)
    together = FAMILIES[name](images, whole=True)
    torch.manual_seed(4)
    drawn = FAMILIES[name].draw(1)
    assert torch.equal(
        together, torch.cat([FAMILIES[name].apply(image[None], drawn) for image in images])
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_pixels_come_out_as_pixels_the_input_stays_and_the_seed_decides(name):
    images = tiles(19)
    before, found = images.clone(), []
    for _ in range(2):
        torch.manual_seed(11)
        found.append(FAMILIES[name](images))
    assert torch.equal(*found) and torch.equal(images, before)
    assert found[0].dtype == torch.uint8 and found[0].shape == images.shape
    assert torch.equal(found[0], images) is (name == "none")
    assert FAMILIES[name](images[:0]).shape == (0, 3, 16, 16)


@pytest.mark.parametrize("name", ["stnet", "bleep"])
def test_what_only_moves_pixels_keeps_every_one(name):
    assert torch.equal(pixels(FAMILIES[name](tiles(40))), pixels(tiles(40)))


@pytest.mark.parametrize("name", ["histogene", "hist2st", "stimage"])
def test_black_stays_black_and_white_takes_no_colour(name):
    assert not FAMILIES[name](torch.zeros_like(tiles(40))).any()
    found = FAMILIES[name](torch.full_like(tiles(40), 255))
    assert (found == found[:, :1]).all() and (found == 255).any()


@pytest.mark.parametrize("name", FAMILIES)
def test_pieces_do_not_show(name, monkeypatch):
    found = []
    for size in (1, 5, 64):
        monkeypatch.setitem(PIECE, "cpu", size)
        torch.manual_seed(9)
        found.append(FAMILIES[name](tiles(19)).int())
    assert all((each - found[0]).abs().max() <= 1 for each in found)  # of sums in another order


def test_what_a_block_draws_leaves_the_generator_as_it_was():
    state = torch.random.get_rng_state()
    with draws.drawn_from(3):
        first = torch.rand(2)
    with draws.drawn_from(3):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.random.get_rng_state(), state)


# ---- parameters and names


def test_a_family_is_its_fields():
    for name, each in FAMILIES.items():
        with pytest.raises(dataclasses.FrozenInstanceError):
            each.left_right = 1.0
        assert each.source or name == "none"
        assert bool(dataclasses.fields(each)) is (name != "none")
        assert all(operation in each.summary for operation in each.operations)
    assert not (
        augment.HisToGene(
            brightness=0.0, contrast=0.0, saturation=0.0, left_right=0.0, degrees=0.0
        )(tiles())
        != tiles()
    ).any()


def test_a_family_made_from_another_takes_its_source_and_exactness_and_states_its_title():
    class Gentle(augment.HisToGene, title="gentle HisToGene"):
        pass

    class Moved(Gentle, title="moved", source="a test", exact=True):
        pass

    told = [(each.title, each.source, each.exact) for each in (Gentle, Moved)]
    assert told == [
        ("gentle HisToGene", augment.HisToGene.source, False),
        ("moved", "a test", True),
    ]
    torch.manual_seed(3)
    found = Gentle()(tiles())
    torch.manual_seed(3)
    assert torch.equal(found, augment.HisToGene()(tiles()))
    with pytest.raises(TypeError, match="title"):

        class _Nameless(augment.HisToGene):
            pass


def test_a_policy_must_say_what_it_builds():
    with pytest.raises(TypeError, match="abstract"):
        augment.Policy()
    assert {type(each) for each in FAMILIES.values() if isinstance(each, augment.Policy)} == {
        augment.RandAugment,
        augment.AutoAugment,
    }


def test_the_table_lists_the_parameters():
    rows = table()
    assert {row["family"] for row in rows} == set(CHANGING)
    told = {(row["family"], row["operation"]): row["parameters"] for row in rows}
    assert told["hist2st", "greyscale"] == f"p = {FAMILIES['hist2st'].grey:g}"
    assert "0.3" in augment.Hist2ST(grey=0.3).summary and "0.3" not in FAMILIES["hist2st"].summary
    assert (
        told["bleep", "rotation"] == "quarter turns"
        and "90" in augment.BLEEP(turn=90.0).operations["rotation"]
    )


def test_a_misspelt_family_is_one_line():
    with pytest.raises(
        BadInput,
        match=r"^unknown augmentation 'hist2sst'; did you mean hist2st\? known: none, .*augment$",
    ):
        family("hist2sst")
