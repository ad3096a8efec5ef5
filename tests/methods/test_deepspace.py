"""DeepSpaCE: the published loss, what transfer trains, the resized tile and VGG16's dropout."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from timm.models.vgg import VGG

from compendium.images import encoders
from compendium.methods.deepspace import DeepSpaCE
from compendium.methods.layers import Batch, ModelSpec

GRID = torch.zeros(40, 2, dtype=torch.long)


@pytest.fixture
def small(monkeypatch):
    """A VGG of one convolution with the published classifier in place of VGG16."""
    monkeypatch.setattr(
        encoders, "encoder", lambda name, weights: VGG([2, "M", "M", "M", "M", "M"], num_classes=0)
    )
    return ModelSpec(
        3, torch.tensor([0.0, 1.0, 5.0]), "pearson", tile_px=376, encoder="vgg16.tv_in1k"
    )


def test_the_loss_is_the_published_one(golden):
    with np.load(golden / "pieces.npz", allow_pickle=False) as stored:
        outputs, labels, loss = (
            torch.from_numpy(stored[f"deepspace_smoothl1.{part}"])
            for part in ("outputs", "labels", "loss")
        )
    method = DeepSpaCE(ModelSpec(12, torch.zeros(12), features=12))
    with torch.no_grad():
        method.head.weight.copy_(torch.eye(12))
    torch.testing.assert_close(
        method.losses(Batch(outputs, GRID[: len(outputs)], labels))["smooth L1"], loss
    )


@pytest.mark.parametrize(
    ("transfer", "learning"), [(True, {"head.weight", "head.bias"}), (False, None)]
)
def test_transfer_trains_the_last_layer_alone(small, transfer, learning):
    method = DeepSpaCE(small, transfer=transfer).train()
    method.losses(Batch(torch.randn(2, 3, 224, 224), GRID[:2], torch.ones(2, 3)))[
        "smooth L1"
    ].backward()
    moved = {name for name, p in method.named_parameters() if p.grad is not None}
    assert moved == (learning or {name for name, _ in method.named_parameters()})


def test_dropout_of_both_hidden_layers_acts_in_training_though_they_are_frozen(small):
    method, tiles = DeepSpaCE(small), torch.randn(2, 3, 224, 224)
    features = method.image(tiles)
    assert not torch.equal(features, method.image(tiles))
    assert (method.dropout(features) == 0).float().mean() > (features == 0).float().mean() + 0.1
    method.eval()
    assert torch.equal(method.image(tiles), method.image(tiles))
    assert torch.equal(method(Batch(tiles, GRID[:2])), method.head(method.image(tiles)))


def test_a_tile_of_376_px_is_seen_at_224(small):
    method = DeepSpaCE(small).eval()
    seen = []
    method.image.network.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    tile = F.interpolate(torch.randn(1, 3, 8, 8), size=376, mode="bilinear", align_corners=False)
    method(Batch(tile, GRID[:1]))
    assert seen[0].shape == (1, 3, 224, 224)
    middle = (np.arange(224) + 0.5) * 376 / 224 - 0.5
    low = np.floor(middle).astype(int)
    weight = torch.tensor(middle - low).float()
    columns = tile[..., low] * (1 - weight) + tile[..., low + 1] * weight
    rows = columns[:, :, low] * (1 - weight)[:, None] + columns[:, :, low + 1] * weight[:, None]
    torch.testing.assert_close(seen[0], rows, rtol=1e-4, atol=1e-4)


def test_it_starts_near_the_mean_of_each_gene_and_on_features_without_dropout():
    mean = torch.tensor([0.0, 4.0, 9.0])
    method = DeepSpaCE(ModelSpec(3, mean, features=8)).train()
    torch.testing.assert_close(method(Batch(torch.zeros(4, 8), GRID[:4])), mean.expand(4, -1))
    x = torch.randn(4, 8)
    assert torch.equal(method(Batch(x, GRID[:4])), method(Batch(x, GRID[:4])))
