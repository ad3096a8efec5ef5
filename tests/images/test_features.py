"""The cache of features, its checksums and locks, and precomputed augmented features."""

import dataclasses
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import torch

from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.functional import symmetry
from compendium.images.augment.views import view_names, view_tiles
from compendium.images.features import (
    COLOUR,
    Encoding,
    _frozen,
    cache_path,
    encode,
    features,
    six_colours,
)
from compendium.storage import lock_of
from conftest import tiny_section

SECTION = tiny_section(spots=6)


@pytest.fixture
def path(home):
    """The file of the section's colours, which lies there."""
    features(SECTION, COLOUR, 32)
    return cache_path(SECTION, Encoding(COLOUR, 32))


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 0),
        lambda path: flip(path, 60),
        lambda path: flip(path, 200),
        lambda path: flip(path, -1),
    ],
)
def test_damaged_features_are_reported_and_computed_again(path, caplog, damage):
    good = path.read_bytes()
    damage(path)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(features(SECTION, COLOUR, 32), six_colours(SECTION, 32))
    assert caplog.text.count("are damaged") == 1
    assert path.read_bytes() == good and [each.name for each in path.parent.iterdir()] == [
        path.name
    ]
    caplog.clear()
    features(SECTION, COLOUR, 32)
    assert not caplog.text


def test_features_wanted_by_many_at_once_are_computed_by_one(home, monkeypatch):
    path, began, calls = cache_path(SECTION, Encoding(COLOUR, 32)), Event(), []

    def slow(section, tile_px, *rest):
        calls.append(section.name)
        began.wait(0.3)  # the others come meanwhile
        return six_colours(section, tile_px)

    monkeypatch.setattr("compendium.images.features.six_colours", slow)
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: features(SECTION, COLOUR, 32), range(4))
    assert calls == [SECTION.name]
    assert all(np.array_equal(first, other) for other in others)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_a_killed_process_left_goes_when_the_features_are_read(path):
    lock_of(path).touch()
    (path.parent / f".{path.name}.abcdefgh").mkdir()
    features(SECTION, COLOUR, 32)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


SMALL = "test_resnet.r160_in1k"


def afresh(*arguments, **words):
    """Compute features as another process would, with another state of the generator."""
    _frozen.cache_clear()
    torch.manual_seed(int(np.random.default_rng().integers(2**31)))
    return encode(SECTION, Encoding(*arguments, **words))


def test_a_frozen_random_start_is_one_network_and_leaves_the_generator_alone():
    first = afresh(SMALL, 64, "random")
    state = torch.random.get_rng_state()
    np.testing.assert_array_equal(encode(SECTION, Encoding(SMALL, 64, "random")), first)
    np.testing.assert_array_equal(afresh(SMALL, 64, "random"), first)
    _frozen.cache_clear()
    torch.random.set_rng_state(state)
    encode(SECTION, Encoding(SMALL, 64, "random"))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_small_pieces_and_channels_last_give_the_networks_features():
    network = encoders.encoder(encoders.FROZEN).eval()
    tiles = torch.from_numpy(tiny_section(spots=19).tiles(64).copy())
    with torch.inference_mode():
        expected = network(encoders.normalise(tiles, encoders.FROZEN).contiguous())
    torch.testing.assert_close(
        torch.from_numpy(encode(tiny_section(spots=19), Encoding(encoders.FROZEN, 64))),
        expected,
        rtol=1e-3,
        atol=1e-3,
    )


def test_features_follow_the_input_scale_and_are_kept_apart(home):
    normalised, raw = (
        features(SECTION, SMALL, 64, "random", scale=scale) for scale in encoders.SCALES[:2]
    )
    network = _frozen(SMALL, "random", "cpu")
    with torch.inference_mode():
        expected = network(torch.from_numpy(SECTION.tiles(64).copy()).permute(0, 3, 1, 2).float())
    torch.testing.assert_close(torch.from_numpy(raw), expected, rtol=1e-4, atol=1e-4)
    assert not np.allclose(raw, normalised)
    kinds = [Encoding(SMALL, 64, "random", scale=scale) for scale in encoders.SCALES]
    paths = {cache_path(SECTION, kind) for kind in kinds}
    assert len(paths) == len(encoders.SCALES)


def kept(view, rows=slice(None), section=SECTION):
    return view_tiles(section, 32, view, rows).numpy()


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_views_of_a_bank_are_the_same_at_every_call_and_for_any_of_the_tiles(family, whole):
    views = view_names(family, whole)
    assert len(views) == 8
    for view in views:
        np.testing.assert_array_equal(kept(view), kept(view))
        np.testing.assert_array_equal(kept(view)[2:4], kept(view, slice(2, 4)))
    kinds = len({kept(view).tobytes() for view in views})
    assert kinds == (1 if family == "none" else 8) or (
        whole and kinds > 5
    )  # eight draws for all tiles may hold one twice
    if family != "none":
        other = dataclasses.replace(SECTION, name="S2")
        assert any(not np.array_equal(kept(view), kept(view, section=other)) for view in views) is (
            family not in ("stnet", "bleep")
        )


def test_the_bank_of_stnet_and_bleep_is_the_eight_symmetries():
    images = torch.from_numpy(SECTION.tiles(32).copy()).permute(0, 3, 1, 2)
    assert view_names("stnet") == view_names("bleep") == view_names("stnet", whole=True)
    for which, view in enumerate(view_names("stnet")):
        np.testing.assert_array_equal(
            kept(view), symmetry(images, which).permute(0, 2, 3, 1).numpy()
        )


def test_a_view_is_the_family_with_one_draw_a_tile_or_one_a_section():
    alike = dataclasses.replace(
        SECTION, stored_tiles=np.repeat(SECTION.stored_tiles[:1], 6, axis=0)
    )
    assert all(
        len({tile.tobytes() for tile in kept(view, section=alike)}) == 1
        for view in view_names("histogene", whole=True)
    )
    assert all(
        len({tile.tobytes() for tile in kept(view, section=alike)}) == 6
        for view in view_names("histogene")
    )


def test_features_of_a_view_are_those_of_the_turned_tiles(home):
    view = "symmetry-3"
    np.testing.assert_allclose(
        features(SECTION, COLOUR, 32, view=view), six_colours(SECTION, 32), rtol=1e-4
    )  # a turned tile has the same colours
    turned = view_tiles(SECTION, 64, view)
    with torch.inference_mode():
        expected = _frozen(SMALL, "random", "cpu")(encoders.normalise(turned, SMALL))
    torch.testing.assert_close(
        torch.from_numpy(features(SECTION, SMALL, 64, "random", view=view)),
        expected,
        rtol=1e-4,
        atol=1e-4,
    )


def test_an_encoder_of_one_side_refuses_others():
    with pytest.raises(BadInput, match="takes tiles of 224 px only, not 64; set tile_px=224"):
        encode(SECTION, Encoding("swin_tiny_patch4_window7_224.ms_in1k", 64, "random"))


def test_weights_are_read_once_and_again_where_the_file_has_changed(tmp_path, monkeypatch):
    read, of = [], encoders.sha256
    monkeypatch.setattr(encoders, "sha256", lambda path: read.append(path) or of(path))
    file = tmp_path / "weights.pth"
    file.write_bytes(b"first")
    first = encoders.weights_id("resnet50.tv_in1k", str(file))
    assert encoders.weights_id("resnet50.tv_in1k", str(file)) == first
    assert len(read) == 1
    file.write_bytes(b"second")
    assert encoders.weights_id("resnet50.tv_in1k", str(file)) != first
