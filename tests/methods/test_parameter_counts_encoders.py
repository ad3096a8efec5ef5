"""Numbers of parameters of the methods with an image encoder.

Also where the published ones, counted in Keras, come from.
"""

import pytest
import torch
from torch import nn

from compendium.methods import recipe
from compendium.methods.layers import Method, ModelSpec
from compendium.runs.execution import count

KERAS_STNET = {
    785: 7_842_129,
    12: 7_049_804,
}  # the benchmark's re-implementation; 7,037,504 of them frozen
KERAS_STIMAGE = {785: 26_804_642, 12: 23_636_888}  # 23,587,712 of them frozen


def network(method: str, genes: int, **words) -> Method:
    """The full-size method without numbers: shapes are enough to count."""
    facts = recipe(method)
    with torch.device("meta"):
        return facts.build(
            ModelSpec(
                genes,
                torch.zeros(genes),
                tile_px=facts.tile_px,
                encoder=facts.encoder,
                weights="random",
            ),
            **words,
        )


def running(method: Method) -> int:
    """Running means and variances of the batch normalisations.

    Keras counts them as parameters that are not trained.
    """
    return sum(buffer.numel() for name, buffer in method.image.named_buffers() if "running" in name)


def channels(method: Method) -> int:
    """Output channels of all convolutions."""
    return sum(
        layer.out_channels for layer in method.image.modules() if isinstance(layer, nn.Conv2d)
    )


@pytest.mark.parametrize(("genes", "parameters"), [(785, 7_758_481), (12, 6_966_156)])
def test_stnet_has_the_originals_number_all_of_them_trained(genes, parameters):
    method = network("stnet", genes)
    assert count(method) == count(method, trainable=True) == parameters
    assert count(method) + running(method) == KERAS_STNET[genes]


@pytest.mark.parametrize(("genes", "trained"), [(785, 3_216_930), (12, 49_176)])
def test_stimage_trains_the_published_number_and_lacks_what_keras_adds(genes, trained):
    """Keras counts the running statistics of ResNet-50.

    Its convolutions have a bias before each batch normalisation, one a channel.
    """
    method = network("stimage", genes)
    assert count(method, trainable=True) == trained == 4098 * genes
    assert (running(method), channels(method)) == (53_120, 26_560)
    assert count(method) + running(method) + channels(method) == KERAS_STIMAGE[genes]
    assert (
        count(network("stimage", genes, freeze=False), trainable=True)
        == count(method)
        == 23_508_032 + trained
    )


@pytest.mark.parametrize(
    ("genes", "parameters", "trained"), [(785, 137_476_689, 3_216_145), (12, 134_309_708, 49_164)]
)
def test_deepspace_has_the_published_numbers(genes, parameters, trained):
    assert count(network("deepspace", genes)) == parameters
    assert count(network("deepspace", genes), trainable=True) == trained
    assert count(network("deepspace", genes, transfer=False), trainable=True) == parameters


BLEEPS = {
    785: 24_366_400,
    769: 24_362_304,
    685: 24_340_800,
    12: 24_168_512,
    3_467: 25_052_992,
    5_689: 25_621_824,
    6_118: 25_731_648,
}


@pytest.mark.parametrize(("genes", "parameters"), BLEEPS.items())
def test_bleep_has_the_published_numbers_all_of_them_trained(genes, parameters):
    method = network("bleep", genes)
    assert count(method) == count(method, trainable=True) == parameters
    assert [
        sum(p.numel() for p in part.parameters()) for part in (method.image, method.of_image)
    ] == [23_508_032, 590_848]
