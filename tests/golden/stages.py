"""Small arrays of every stage and method, computed with today's code on sections of 24 spots."""

import os
import sys
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "methods")]

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix

from compendium import versions
from compendium.data.panels import panel
from compendium.data.splits import Split, folds
from compendium.data.targets.harmony import harmonised
from compendium.data.targets.transforms import TRANSFORMS, counted, fit_target
from compendium.data.windows import WINDOWS, windows
from compendium.evaluation.scores import COLUMNS, score
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.sampling import drawn_from
from compendium.images.augment.views import view_names, view_tiles
from compendium.images.features import features
from compendium.images.stain.store import STAINS, restained
from compendium.images.tissue_filter import SPOTS, spots_kept
from compendium.methods import METHODS, names, recipe
from compendium.methods.layers import Method
from compendium.methods.registry import Recipe
from compendium.runs import plan_run, run_once
from compendium.runs.fit import predict
from compendium.runs.inputs.batches import inputs, size_factors, training
from compendium.runs.inputs.prepare import measured, training_set
from compendium.storage import home
from conftest import tiny_section
from stained_slides import OTHER, E, H, pictured, slide
from tiny_fits import SECTIONS, fitted

UPSTREAM = ("features", "stain", "inputs", "fit")  # of methods and scores
OWN_UPSTREAM = {
    "features": (),
    "stain": (),
    "inputs": (),
    "panel": (),
    "matching": ("inputs",),
    "fit": UPSTREAM[:3],
}
# A method that is registered here alone: what the loop does to it is no published method's affair.
LINEAR = "linear"
GENES = list(SECTIONS[0].genes)
TISSUE = {
    "thumbnail": np.full((40, 40, 3), (200, 120, 160), dtype=np.uint8),
    "thumbnail_scale": 0.1,
}
WHOLE = [replace(section, **TISSUE) for section in SECTIONS]
SLIDES = [
    pictured("S1", slide(np.array([H, E]))),
    pictured("S2", slide(OTHER, seed=1), "P2"),
    pictured("S3", slide(OTHER, seed=2), "P3"),
]
TILES = {name: {"tile_px": 64} for name in ("bleep", "deepspace", "stimage", "stnet")} | {
    "histogene": {"tile_px": 28},
    "hist2st": {"tile_px": 56, "width": 8},
    "regclass": {"tile_px": 56, "width": 8},
    "hist2st-gat": {"tile_px": 32},
    "hist2st-resnet50": {"tile_px": 32, "resized": 64},
}  # methods that are fitted on tiles too, and the words of these fits


@dataclass(frozen=True)
class Key:
    """One array: the stage or method that owns it, and what computes it.

    owner: a stage of `compendium.versions`, or `method NAME`.
    """

    owner: str
    compute: Callable[[], np.ndarray]

    @property
    def owners(self) -> list[str]:
        """Stages upstream in their order, then the owner: their versions decide the array."""
        return [*OWN_UPSTREAM.get(self.owner, UPSTREAM), self.owner]


def current(key: Key) -> dict[str, int]:
    """Today's version of each owner of a key."""
    known = versions.stages()
    return {
        owner: recipe(owner.split()[1]).version if " " in owner else known[owner]
        for owner in key.owners
    }


def keys() -> dict[str, Key]:
    """Every key; a method, target, augmentation family or stain that is registered has one."""
    stages = {
        "features": _features() | _augmented(),
        "stain": _stains(),
        "inputs": _targets() | _inputs(),
        "panel": {"panel/hvg(3)": _chosen},
        "matching": {"matching/train": _matched_train, "matching/test": _matched_test},
        "fit": _fits(),
        "scores": _scores(),
    }
    found = {
        name: Key(owner, compute)
        for owner, part in stages.items()
        for name, compute in part.items()
    }
    for method in names():
        found[f"method/{method}"] = Key(f"method {method}", partial(_predicted, method))
        if method in TILES:
            found[f"method/{method}/tiles"] = Key(
                f"method {method}", partial(_predicted_on_tiles, method)
            )
    return found


def compute(wanted: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of all keys or of those wanted, computed in a home of their own."""
    chosen = {name: key for name, key in keys().items() if wanted is None or name in wanted}
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        stack.enter_context(patch.dict(os.environ, {"COMPENDIUM_HOME": folder}))
        stack.enter_context(patch.dict(METHODS, {LINEAR: _LINEAR}))
        stack.callback(_record.cache_clear)
        return {name: _small(key.compute()) for name, key in chosen.items()}


def _small(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return (
        values.astype(np.float32)
        if values.dtype.kind == "f"
        else values.astype(np.int32)
        if values.dtype.kind in "iub" and values.dtype != np.uint8
        else values
    )


# ---- features, augmentation, stains


def _features() -> dict[str, Callable[[], np.ndarray]]:
    few = tiny_section("F1", spots=4)
    return {
        "features/colour": lambda: features(SECTIONS[0], "colour", 32)[::2],
        "features/texture": lambda: features(SECTIONS[0], "texture", 32)[::2],
        "features/tiles-um": lambda: few.tiles(16, 30.0)[:2, ::3, ::3],
        **{
            f"features/encoder-{scale}": lambda scale=scale: features(
                few, encoders.FROZEN, 64, scale=scale
            )[:3, ::32]
            for scale in encoders.SCALES
        },
    }


def _augmented() -> dict[str, Callable[[], np.ndarray]]:
    """Each family as it changes tiles in training, and as one precomputed view."""
    tiles = torch.from_numpy(SECTIONS[0].tiles(24)[:8]).permute(0, 3, 1, 2)
    found = {}
    for name in FAMILIES:
        found[f"augment/{name}"] = partial(_drawn, name, tiles)
        found[f"features/view-{name}"] = lambda name=name: view_tiles(
            SECTIONS[0], 24, view_names(name)[1]
        )[:3, ::4, ::4].numpy()
    found["features/section-view-hist2st"] = lambda: view_tiles(
        SECTIONS[0], 24, view_names("hist2st", whole=True)[1]
    )[:3, ::4, ::4].numpy()
    return found


def _drawn(name: str, tiles: torch.Tensor) -> np.ndarray:
    with drawn_from(7):
        return FAMILIES[name](tiles)[..., ::6, ::6].numpy()


def _stains() -> dict[str, Callable[[], np.ndarray]]:
    return {
        f"stain/{word}": lambda word=word: np.asarray(
            restained(SLIDES[0], SLIDES[1:], word).stored_tiles
        )[:6, ::4, ::4]
        for word in STAINS
    }


# ---- inputs


def _targets() -> dict[str, Callable[[], np.ndarray]]:
    return {f"target/{name}": partial(_target, name) for name in TRANSFORMS}


def _target(name: str) -> np.ndarray:
    """Fitted on two sections, applied to a third; Harmony's changes the training sections alone."""
    if name == "sct":
        _write_corrected()
    sections = [counted(section, name) for section in SECTIONS]
    target = fit_target(name, GENES[:6], sections[:2], GENES)
    if name == "harmony":
        return np.concatenate(harmonised([target(section) for section in sections[:2]]))[::5]
    return target(sections[2])[::3]


def _write_corrected() -> None:
    """Tables as Seurat would write them: counts rounded down to their half."""
    folder = home() / "raw" / "tiny" / "seurat"
    folder.mkdir(parents=True, exist_ok=True)
    for section in SECTIONS:
        pd.DataFrame(
            section.counts.toarray() // 2, index=section.spots, columns=section.genes
        ).to_csv(folder / f"{section.name}.csv")


def _inputs() -> dict[str, Callable[[], np.ndarray]]:
    border = np.array(
        [200] * 11 + [4088] + [5000] * 12, dtype=np.float32
    )  # x; one spot lies between two windows
    spread = replace(
        SECTIONS[0], pixels=np.stack([border, np.arange(24, dtype=np.float32)], axis=1)
    )
    wide = replace(
        SLIDES[0], pixels=SLIDES[0].pixels * 10, thumbnail_scale=0.01
    )  # of which a filter's disc is 3 px
    union = {"panel/hvg_union(4)": lambda: _numbers(panel("hvg_union(4)", SECTIONS[:2], GENES))}
    filters = {f"spots/{word}": lambda word=word: spots_kept(wide, word, 16) for word in SPOTS}
    cut = {
        f"windows/{word}": lambda word=word: np.concatenate(
            [[len(rows), *rows] for rows in windows(spread, word)]
        )
        for word in WINDOWS
    }
    sizes = {
        f"size/{name}": lambda name=name: size_factors(
            SECTIONS[0], fit_target(name, GENES[:6], SECTIONS[:2], GENES)
        )
        for name in ("wide", "scprep")
    }
    return union | filters | cut | sizes | {"batch/permuted-colour": _batch}


def _chosen() -> np.ndarray:
    """Three genes of sections in which most are seen in few spots."""
    rng = np.random.default_rng(0)
    sections = [
        replace(each, counts=csr_matrix(rng.binomial(each.counts.toarray(), 0.02)))
        for each in SECTIONS[:2]
    ]
    return _numbers(panel("hvg(3)", sections, GENES))


def _numbers(genes: list[str]) -> np.ndarray:
    return np.array([GENES.index(gene) for gene in genes])


def _matched_run():
    """Two sections of one patient and a shallow one of another, and a fold that tests the first."""
    shallow = replace(SECTIONS[2], counts=csr_matrix(SECTIONS[2].counts.toarray() // 2))
    sections = [SECTIONS[0], replace(SECTIONS[1], patient=SECTIONS[0].patient), shallow]
    fold = folds("matched-between", sections)[1]
    return plan_run("tiny", fold, "colour", sections=sections, panel="all"), sections


def _matched_train() -> np.ndarray:
    """Counts of the training spots."""
    parts = training_set(*_matched_run())[0]
    return np.concatenate([part.section.counts.toarray() for part in parts])


def _matched_test() -> np.ndarray:
    """Counts of the test section of the other fold, which is deeper than its training section."""
    run, sections = _matched_run()
    run = replace(run, split=folds("matched-within", sections)[0])
    return measured(run, sections)[0].counts.toarray()


def _batch() -> np.ndarray:
    """First batch of the second epoch of a run that permutes patches.

    Image, place and target side by side.
    """
    run = _plan("colour", permute=True, batch=12)
    train, target = training_set(run, SECTIONS)
    batch = next(
        training(run, [inputs(run, part, target, "cpu", training=True) for part in train], 1)
    )
    return np.concatenate(
        [batch.image.numpy(), batch.grid.numpy(), batch.target[:, :4].numpy()], axis=1
    )


# ---- fits


class _Linear(Method):
    def __init__(self, spec, config):
        super().__init__()
        self.head = torch.nn.Linear(spec.features, spec.genes)

    def forward(self, batch):
        return self.head(batch.image / 100)

    def losses(self, batch):
        return {"squared error": (self(batch) - batch.target).square().mean()}


_LINEAR = Recipe(
    name=LINEAR,
    method=_Linear,
    unit="spot",
    tile_px=16,
    target="wide",
    lr=0.01,
    epochs=3,
    batch=16,
    lr_decay=0.5,
    lr_every=2,
)


def _plan(method: str, **words):
    split = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")
    return plan_run(
        "tiny",
        split,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "tile_px": 16} | words,
    )


@cache
def _record(members: int = 1, **words):
    """A run of the linear method from prepared sections to its record."""
    run = _plan(LINEAR, members=members, **words)
    return run, run_once(run, SLIDES, "cpu")


def _validated() -> np.ndarray:
    """Loss in training and validation, one row an epoch."""
    run = _plan(LINEAR)
    run = replace(run, split=replace(run.split, train=("S1",), valid=("S2",)))
    return np.array([list(row.values()) for row in run_once(run, SLIDES, "cpu").facts["curve"]])


def _fits() -> dict[str, Callable[[], np.ndarray]]:
    optimisers = {
        f"fit/{word}": lambda word=word: _record(optimiser=word)[1].predictions["S3"][::3]
        for word in ("adam", "adamw", "sgd")
    }
    return optimisers | {
        "fit/curve": _validated,
        "fit/ensemble": lambda: _record(2)[1].spread["S3"][::3],
        "fit/material": lambda: _record(stain="macenko", spots="deepspace", augment="stnet")[
            1
        ].predictions["S3"][::3],
    }


def _predicted(method: str) -> np.ndarray:
    """Two epochs on the six colours of two sections.

    Loss terms of each epoch, then predictions on a third section.
    """
    epochs = {} if recipe(method).optimiser == "closed form" else {"epochs": 2}
    with TemporaryDirectory() as folder:
        run, found, _ = fitted(method, Path(folder), **epochs)
    return _told(found.curve, predict(run, found.method, SECTIONS[2], "cpu"))


def _predicted_on_tiles(method: str) -> np.ndarray:
    """The same on tiles under the published protocol.

    A small network with random weights stands in place of a pre-trained encoder.
    """
    words = {"protocol": "published", "encoder": "own", "weights": "random", "epochs": 2} | TILES[
        method
    ]
    words["scale"] = "normalised"  # a small network without weights takes no numbers to 255
    with TemporaryDirectory() as folder, patch.object(encoders, "encoder", _small_encoder):
        run, found, _ = fitted(method, Path(folder), WHOLE, **words)
        return _told(found.curve, predict(run, found.method, WHOLE[2], "cpu"))


def _told(curve: list[dict[str, float]], predicted: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [[term for row in curve for term in row.values()], predicted[::3, ::2].ravel()]
    )


def _small_encoder(name: str, weights: str) -> torch.nn.Module:
    """A network of the same family with few layers."""
    import timm
    from timm.models.vgg import VGG

    return (
        VGG([2, "M", "M", "M", "M", "M"], num_classes=0)
        if "vgg" in name
        else timm.create_model("test_resnet.r160_in1k", pretrained=False, num_classes=0)
    )


# ---- scores


def _scores() -> dict[str, Callable[[], np.ndarray]]:
    return {
        f"scores/{name}": lambda name=name: _scored()[name].to_numpy(dtype=np.float64)
        for name in COLUMNS
    }


def _scored() -> pd.DataFrame:
    run, record = _record(target="log1p")
    return score(run, record, SLIDES)
