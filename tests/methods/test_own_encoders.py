"""The methods with an image encoder of their own, on tiles.

Words of the published protocol, and a run from tile to prediction.
"""

import dataclasses

import numpy as np
import pytest
import timm
import torch
from timm.models.vgg import VGG

from compendium.data.splits import folds
from compendium.images import encoders
from compendium.methods import describe, names, recipe
from compendium.runs import plan_run, run_once
from conftest import tiny_section

pytestmark = pytest.mark.slow

TISSUE = {
    "thumbnail": np.full((40, 40, 3), (200, 120, 160), dtype=np.uint8),
    "thumbnail_scale": 0.1,
}
SECTIONS = [
    dataclasses.replace(tiny_section(name, patient), **TISSUE)
    for name, patient in (("S1", "P1"), ("S2", "P2"), ("S3", "P3"))
]
PUBLISHED = {
    "stnet": ("log1p", "normalised", "all", "stnet", 224, "sgd", 1e-6, 0.0, 32, 50),
    "stimage": ("log1p", "0-255", "stimage", "none", 299, "adam", 1e-5, 0.0, 128, 100),
    "deepspace": (
        "pearson",
        "normalised",
        "deepspace",
        "deepspace",
        376,
        "adam",
        1e-4,
        1e-4,
        128,
        100,
    ),
    "bleep": ("raw", "0-255-bgr", "all", "bleep", 224, "adamw", 1e-3, 1e-3, 256, 150),
}


def small(name: str, weights: str) -> torch.nn.Module:
    """A network of the same family with few layers."""
    return (
        VGG([2, "M", "M", "M", "M", "M"], num_classes=0)
        if "vgg" in name
        else timm.create_model("test_resnet.r160_in1k", pretrained=False, num_classes=0)
    )


def own(method: str, **words):
    return plan_run(
        "tiny",
        folds("section-out", SECTIONS)[0],
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "own", "weights": "random"} | words,
    )


@pytest.mark.parametrize("method", PUBLISHED)
def test_the_published_protocol_has_the_papers_words(method):
    run = own(method, protocol="published", budget="full", panel="hvg_769")
    assert run.line == "published"
    assert (
        run.target,
        run.scale,
        run.spots,
        run.augment,
        run.tile_px,
        run.optimiser,
        run.lr,
        run.weight_decay,
        run.batch,
        run.epochs,
    ) == PUBLISHED[method]
    clean = own(method, encoder=encoders.FROZEN, weights="")
    assert (clean.target, clean.scale, clean.spots, clean.stain, clean.augment, clean.tile_px) == (
        "wide",
        "normalised",
        "all",
        "none",
        "none",
        224,
    )


@pytest.mark.parametrize("method", PUBLISHED)
@pytest.mark.parametrize("protocol", ["published", "clean"])
def test_a_run_goes_from_tiles_to_predictions(method, protocol, home, monkeypatch):
    monkeypatch.setattr(encoders, "encoder", small)
    run = own(method, protocol=protocol, budget="smoke", tile_px=64, epochs=2)
    record = run_once(run, SECTIONS, "cpu")
    predicted = record.predictions["S1"]
    assert predicted.shape == (24, 12)
    assert np.isfinite(predicted).all()
    assert np.ptp(predicted, axis=0).max() > 0
    assert (record.facts["trainable"] < record.facts["parameters"]) == (
        method in ("stimage", "deepspace")
    )


def test_every_method_is_cited_and_described():
    from compendium.storage import CHECKOUT

    entries = (CHECKOUT / "book" / "references.bib").read_text()
    for name in names():
        text = describe(name)
        assert recipe(name).control or f"{{{text.citation}," in entries
        assert text.summary.endswith(".")
        assert all(each.what and each.here and each.paper for each in text.deviations)
