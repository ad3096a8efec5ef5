"""Parameters, all and trainable, are those of the published networks."""

import pytest
import torch

from compendium.images import encoders
from compendium.methods import layers
from compendium.methods.gat import GAT, GATConfig
from compendium.methods.hist2st import Hist2ST, Hist2STConfig
from compendium.methods.hist2st_encoders import ENCODERS, EncoderHist2ST, EncoderHist2STConfig
from compendium.methods.histogene import HisToGene, HisToGeneConfig
from compendium.methods.layers import ModelSpec
from compendium.methods.regclass import Regclass, RegclassConfig
from compendium.runs.execution import count

MODELS = {
    "resnet50": (101_516_421, 78_008_389, 98_347_121, 74_839_089),
    "efficientnetv2": (97_399_445, 77_221_957, 94_230_145, 74_052_657),
    "swin": (125_534_927, 76_697_669, 122_365_627, 73_528_369),
}
ATTENTION = {
    "resnet50": (47_722_629, 24_214_597, 44_553_329, 21_045_297),
    "efficientnetv2": (43_605_653, 23_428_165, 40_436_353, 20_258_865),
    "swin": (71_741_135, 22_903_877, 68_571_835, 19_734_577),
}


@pytest.fixture(autouse=True)
def networks_without_weights(monkeypatch):
    """On the meta device a tensor has a shape and nothing else.

    There, timm cannot work out drop rates, which count nothing.
    """
    import timm

    monkeypatch.setattr(
        layers.encoders,
        "encoder",
        lambda name, weights: timm.create_model(
            name, pretrained=False, num_classes=0, **no_drop_path(name)
        ),
    )


def no_drop_path(name):
    return {"drop_path_rate": 0.0} if name.startswith("swin") else {}


def counted(build, config, genes, encoder="", classes=0):
    with torch.device("meta"):
        method = build(
            ModelSpec(genes, torch.zeros(genes), classes=classes, tile_px=112, encoder=encoder),
            config,
        )
    return count(method), count(method, trainable=True)


@pytest.mark.parametrize(
    ("genes", "positions", "published"),
    [
        (785, 64, 75_789_833),
        (769, 64, 75_724_233),
        (685, 128, 75_510_905),
        (12, 64, 72_620_533),
        (12, 128, 72_751_605),
    ],
)
def test_hist2st(genes, positions, published):
    assert counted(Hist2ST, Hist2STConfig(positions=positions), genes) == (published, published)


def test_hist2st_with_switches():
    assert counted(Hist2ST, Hist2STConfig(zinb=0.0, distill=0.0), 785)[0] == 72_325_333
    assert counted(Hist2ST, Hist2STConfig(nb=True), 785)[0] == 74_985_208


def test_hist2st_part_by_part():
    with torch.device("meta"):
        whole = Hist2ST(ModelSpec(785, torch.zeros(785), tile_px=112), Hist2STConfig())
    parts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in whole.named_children()
    }
    assert parts == {
        "tokens": 4_736 + 5_824 + 132,
        "position": 2 * 65_536,
        "blocks": 50_388_992,
        "graph": 4_194_304,
        "jump": 16_793_600,
        "counts": 3 * 804_625,
        "coefficient": 1_050_625,
        "head": 806_673,
    }


@pytest.mark.parametrize(
    ("genes", "words", "published"),
    [
        (785, {}, 106_648_337),
        (769, {}, 106_631_937),
        (685, {}, 106_545_837),
        (12, {}, 105_856_012),
        (12, {"positions": 128}, 105_987_084),
        (785, {"layers": 4}, 73_061_137),
        (12, {"layers": 4}, 72_268_812),
    ],
)
def test_histogene(genes, words, published):
    assert counted(HisToGene, HisToGeneConfig(**words), genes) == (published, published)


def test_regclass():
    assert counted(Regclass, RegclassConfig(), 12, classes=2)[0] == 75_495_607


@pytest.mark.parametrize("name", [name for name in ENCODERS if name in MODELS])
def test_frozen_encoders(name):
    found = [
        number
        for genes in (785, 12)
        for number in counted(EncoderHist2ST, EncoderHist2STConfig(), genes, ENCODERS[name])
    ]
    assert tuple(found) == MODELS[name]


@pytest.mark.parametrize("name", [name for name in ENCODERS if name in MODELS])
def test_graph_attention(name):
    found = [
        number
        for genes in (785, 12)
        for number in counted(GAT, GATConfig(shared=True), genes, ENCODERS[name])
    ]
    assert tuple(found) == ATTENTION[name]


def test_encoders_have_timms_names():
    import timm

    for encoder in ENCODERS.values():
        assert encoder in timm.list_pretrained(f"{encoder.partition('.')[0]}.*")
        assert encoders.weights_id(encoder) == (
            encoders.sha256(encoders.lite0_file())[:16] if encoder == encoders.FROZEN else encoder
        )
