"""Runs end to end on tiny sections: own tiles, validation, two processes that want one run."""

import dataclasses
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.runs import Run, plan_run, run_once
from compendium.runs.inputs.batches import in_order, inputs
from compendium.runs.inputs.matching import uncut
from conftest import call_after_epochs, tiny_section

pytestmark = pytest.mark.slow

FEW = [
    tiny_section("S1", spots=8),
    tiny_section("S2", patient="P2", spots=8),
    tiny_section("S3", patient="P3", spots=8),
]
SPLIT = Split("my-split", ("S1", "S2"), (), ("S3",), "patient P3")
CHECKED = Split("my-split", ("S1",), ("S2",), ("S3",), "patient P3")
UNCHECKED = dataclasses.replace(CHECKED, valid=())
EPOCHS = 12


@pytest.mark.parametrize(("protocol", "target"), [("published", "log1p"), ("clean", "wide")])
def test_stnet_trains_its_own_encoder_and_averages_eight_views(protocol, target, home):
    sections = [
        *FEW,
        dataclasses.replace(
            FEW[2], name="S4", stored_tiles=np.rot90(FEW[2].stored_tiles, axes=(1, 2)).copy()
        ),
    ]  # S4 is S3 with its tiles turned
    words = {
        "encoder": "own",
        "weights": "random",
        "tile_px": 64,
        "epochs": 1,
        "batch": 8,
        "optimiser": "adam",
        "lr": 1e-3,
    }
    run = plan_run(
        "tiny",
        dataclasses.replace(SPLIT, test=("S3", "S4")),
        "stnet",
        sections=sections,
        panel="all",
        protocol=protocol,
        **words,
    )
    record = run_once(run, sections, "cpu")
    assert (run.target, run.encoder, run.augment) == (target, "own", "stnet")
    assert (
        record.facts["trainable"] == 6_953_856 + 1025 * 12
    )  # DenseNet-121 without its classifier, and the head
    predicted = record.predictions["S3"]
    assert predicted.shape == (8, 12) and np.isfinite(predicted).all()
    assert (
        np.ptp(predicted, axis=0).min() > 1e-4
    )  # the head has left its start, where every spot gets the mean
    np.testing.assert_allclose(record.predictions["S4"], predicted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("scale", "low", "high"), [("normalised", -1.0, 1.0), ("0-255", 0.0, 255.0)]
)
def test_histogene_sees_tiles_on_the_asked_scale(scale, low, high, home):
    run = plan_run(
        "tiny",
        SPLIT,
        "histogene",
        sections=FEW,
        panel="all",
        encoder="own",
        tile_px=32,
        scale=scale,
        budget="smoke",
    )
    record = run_once(run, FEW, "cpu")
    assert record.predictions["S3"].shape == (8, 12) and np.isfinite(record.predictions["S3"]).all()
    assert record.facts["parameters"] > 3 * 32 * 32 * 32  # the embedding of a tile of 32 px
    (seen,) = in_order(run, inputs(run, uncut(FEW)[2], None, "cpu"))
    tiles = FEW[2].tiles(32).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_allclose(seen.image, low + tiles / 255 * (high - low), atol=1e-4)


def test_reversed_channels_are_the_raw_ones_the_other_way_round():
    raw, reversed_ = (
        plan_run(
            "tiny",
            SPLIT,
            "bleep",
            sections=FEW,
            panel="all",
            encoder="own",
            tile_px=32,
            scale=scale,
            budget="smoke",
        )
        for scale in ("0-255", "0-255-bgr")
    )
    (seen,), (turned,) = (
        in_order(run, inputs(run, uncut(FEW)[2], None, "cpu")) for run in (raw, reversed_)
    )
    assert not np.array_equal(seen.image[:, 0], seen.image[:, 2])
    np.testing.assert_array_equal(turned.image, seen.image.numpy()[:, ::-1])


def learning(split: Split, epochs: int = EPOCHS) -> tuple[Run, list[Section]]:
    """A run that learns a signal which S2 shows weaker.

    Two of its reddest patches are swapped for the darkest: too strong an answer is wrong there.
    """
    swapped = tiny_section("S2", patient="P2")
    order = swapped.stored_tiles[..., 0].mean(axis=(1, 2)).argsort()
    ends = np.concatenate([order[:2], order[-2:]])
    swapped.stored_tiles[ends] = swapped.stored_tiles[ends[::-1]]
    sections = [tiny_section("S1"), swapped, tiny_section("S3", patient="P3")]
    words = {
        "target": "log1p",
        "encoder": "colour",
        "tile_px": 32,
        "budget": "smoke",
        "width": 64,
        "lr": 1e-2,
    }
    run = plan_run(
        "tiny", split, "histogene", sections=sections, panel="all", epochs=epochs, **words
    )
    return run, sections


def test_validation_keeps_the_weights_of_the_best_epoch(home):
    record = run_once(*learning(CHECKED), "cpu")
    losses = [row["validation"] for row in record.facts["curve"]]
    best = int(np.argmin(losses))
    assert 0 < best < EPOCHS - 1
    assert record.facts["best_epoch"] == best
    stopped, last = (
        run_once(*learning(UNCHECKED, epochs), "cpu").predictions["S3"]
        for epochs in (best + 1, EPOCHS)
    )
    np.testing.assert_array_equal(record.predictions["S3"], stopped)
    assert not np.array_equal(stopped, last)


class Interrupted(Exception):
    """Stands for a killed process."""


@pytest.mark.parametrize("after", [0, EPOCHS - 2])
def test_a_fit_with_validation_continues_to_identical_numbers(after, home, monkeypatch):
    straight = run_once(*learning(CHECKED), "cpu")
    assert (
        0 < straight.facts["best_epoch"] < EPOCHS - 2
    )  # so the best weights come once from the fit that goes on, once from the checkpoint
    monkeypatch.setenv("COMPENDIUM_HOME", str(home.with_name("second")))
    monkeypatch.setattr("compendium.runs.fit.CHECKPOINT_SECONDS", 0.0)

    def interrupt(epoch: int) -> None:
        if epoch == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        call_after_epochs(monkeypatch, interrupt)
        run_once(*learning(CHECKED), "cpu")
    seen: list[int] = []
    call_after_epochs(monkeypatch, seen.append)
    resumed = run_once(*learning(CHECKED), "cpu")
    assert seen == list(range(after + 1, EPOCHS))
    assert (resumed.facts["curve"], resumed.facts["best_epoch"]) == (
        straight.facts["curve"],
        straight.facts["best_epoch"],
    )
    np.testing.assert_array_equal(resumed.predictions["S3"], straight.predictions["S3"])


def ask(folder: Path, ready) -> None:
    """One process that wants the run, slow enough to be overtaken; what it trained and got."""
    os.environ["COMPENDIUM_HOME"] = str(folder / "home")
    run, sections = learning(UNCHECKED, epochs=4)
    ready.wait(60)

    def log(epoch: int) -> None:
        with (folder / "epochs").open("a") as lines:
            lines.write(f"{os.getpid()} {epoch}\n")
        time.sleep(0.2)

    with pytest.MonkeyPatch.context() as patch:
        call_after_epochs(patch, log)
        predicted = run_once(run, sections, "cpu").predictions["S3"]
    np.save(folder / f"{os.getpid()}.npy", predicted)


def test_two_processes_that_want_one_run_make_it_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(2)
    both = [spawn.Process(target=ask, args=(tmp_path, ready)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    lines = [line.split() for line in (tmp_path / "epochs").read_text().splitlines()]
    assert [epoch for _, epoch in lines] == ["0", "1", "2", "3"]
    assert len({process for process, _ in lines}) == 1
    one, two = (np.load(tmp_path / f"{process.pid}.npy") for process in both)
    np.testing.assert_array_equal(one, two)
    assert len(list(tmp_path.rglob("run.json"))) == 1
    assert not list(tmp_path.rglob("*.partial"))
