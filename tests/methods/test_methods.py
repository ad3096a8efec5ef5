"""Every registered method learns; what single methods owe their papers; the registry."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compendium.errors import BadInput
from compendium.evaluation.scores import pcc
from compendium.images.features import TEXTURE
from compendium.methods import METHODS, names, recipe
from compendium.methods.hist2st_encoders import ENCODERS
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import NONE, Config, register
from compendium.methods.stnet import STNet
from compendium.runs.fit import predict
from compendium.runs.inputs.prepare import training_set
from tiny_fits import SECTIONS, fitted

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("method", names())
def test_loss_is_finite_and_falls(method, tmp_path):
    if recipe(method).optimiser == "closed form":
        _, result, _ = fitted(method, tmp_path)
        assert result.curve == []
        return
    _, result, _ = fitted(method, tmp_path, epochs=25, lr=1e-2)
    losses = [sum(row.values()) for row in result.curve]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


# Parameters with which a method learns 48 spots of two tiny sections; one that is not listed learns
# them as it comes.
ALONE = {"loops": True, "prune": "Grid"}  # a spot sees itself, and nobody who is far
PARAMETERS = {
    "bleep": {"epochs": 60},
    "deepspace": {"epochs": 60},
    "stnet": {"epochs": 60, "lr": 1e-2},
    "histogene": {"epochs": 150, "lr": 1e-3, "width": 64},
    "hist2st": {"epochs": 100, "width": 64, "distill": 0.0} | ALONE,
    "regclass": {"epochs": 100, "width": 64, "distill": 0.0} | ALONE,
    "hist2st-gat": {"epochs": 150, "width": 64} | ALONE,
}
APART = [
    replace(section, grid=3 * section.grid) for section in SECTIONS
]  # the signal is each spot's own: neighbours, who know nothing of it, are too far to be any
SAME = {f"hist2st-{encoder}" for encoder in ENCODERS}  # on given features these are hist2st
SEEING = [
    name
    for name in names()
    if not recipe(name).permute
    and recipe(name).frozen not in (NONE, TEXTURE)  # the signal is a colour
    and name not in SAME
]


@pytest.mark.parametrize("method", SEEING)
def test_planted_signal_is_found_and_lost_when_patches_are_permuted(method, tmp_path):
    found = {}
    for permute in (False, True):
        run, result, _ = fitted(
            method,
            tmp_path / str(permute),
            APART,
            permute=permute,
            **PARAMETERS.get(method, {}) | {"target": "log1p"},
        )  # the signal is planted in counts
        _, target = training_set(run, APART)
        predicted, measured = predict(run, result.method, APART[2], "cpu"), target(APART[2])
        signal = [0, 1, 10, 11]  # a constant prediction has found nothing of it
        found[permute] = np.nan_to_num(pcc(predicted[:, signal], measured[:, signal])).mean()
    assert found[False] > 0.5
    assert found[True] < found[False] - 0.3


def test_stnet_starts_from_the_training_mean_and_averages_eight_views():
    mean = torch.arange(3.0)
    net = STNet(
        ModelSpec(3, mean, tile_px=64, encoder="test_resnet.r160_in1k", weights="random"), Config()
    ).eval()
    from compendium.methods.layers import Batch

    tiles = Batch(torch.randn(2, 3, 64, 64), torch.zeros(2, 2, dtype=torch.long))
    torch.testing.assert_close(net(tiles), mean.expand(2, -1))
    torch.nn.init.normal_(net.head.weight)
    from compendium.images.augment.functional import symmetry

    turned = Batch(symmetry(tiles.image, 5), tiles.grid)
    with torch.inference_mode():
        torch.testing.assert_close(net.predict(tiles), net.predict(turned), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(net(tiles), net(turned), rtol=1e-3)


def test_unknown_method_names_the_nearest():
    with pytest.raises(BadInput, match="did you mean histogene"):
        recipe("histogne")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="twice"):
        register(METHODS["ridge"].method, METHODS["ridge"])
