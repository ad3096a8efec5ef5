"""Runs: identity, resume to identical numbers, the store that is the truth."""

import dataclasses
import io
import logging
import shutil
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from compendium.data.splits import Split, folds
from compendium.errors import BadInput
from compendium.methods import names, recipe
from compendium.runs import execute, plan_run, plan_runs, run_once, store
from compendium.runs.fit import fit, pick_device
from compendium.runs.inputs.batches import inputs
from compendium.runs.inputs.prepare import training_set
from compendium.runs.study.runs import distinct
from compendium.storage import read_checksummed, write_checksummed
from conftest import call_after_epochs, tiny_section

pytestmark = pytest.mark.slow

SECTIONS = [
    tiny_section(name, patient, labelled=True)
    for name, patient in (("S1", "P1"), ("S2", "P1"), ("S3", "P2"), ("S4", "P3"))
]
GENES = list(SECTIONS[0].genes)


def smoke(method: str = "histogene", **words):
    split = folds("section-out", SECTIONS)[0]
    return plan_run(
        "tiny",
        split,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


class Interrupted(Exception):
    """Stands for a killed process."""


def interrupt_at(last: int):
    """Ends a fit after an epoch."""

    def interrupt(epoch):
        if epoch == last:
            raise Interrupted

    return interrupt


@pytest.mark.parametrize(
    "method", [name for name in names() if recipe(name).optimiser != "closed form"]
)
def test_an_interrupted_fit_continues_to_identical_numbers(method, home, monkeypatch):
    run = smoke(method, epochs=6)
    straight = run_once(run, SECTIONS, "cpu").predictions["S1"]
    monkeypatch.setenv("COMPENDIUM_HOME", str(home.with_name("second")))
    monkeypatch.setattr("compendium.runs.fit.CHECKPOINT_SECONDS", 0.0)

    with pytest.raises(Interrupted):
        call_after_epochs(monkeypatch, interrupt_at(3))
        run_once(run, SECTIONS, "cpu")
    seen = []
    call_after_epochs(monkeypatch, seen.append)
    record = run_once(run, SECTIONS, "cpu")
    assert seen == [4, 5]
    assert len(record.facts["curve"]) == 6
    np.testing.assert_array_equal(record.predictions["S1"], straight)


def test_a_finished_run_is_never_repeated(home, monkeypatch):
    first = run_once(smoke("ridge"), SECTIONS, "cpu")
    monkeypatch.setattr(
        "compendium.runs.execution.fit", lambda *a, **k: pytest.fail("fitted again")
    )
    again = run_once(smoke("ridge"), SECTIONS, "cpu")
    np.testing.assert_array_equal(first.predictions["S1"], again.predictions["S1"])
    assert not list(home.rglob("*.partial"))


def test_a_damaged_record_is_reported_and_done_again(home, caplog):
    first = run_once(smoke("ridge"), SECTIONS, "cpu")
    path = first.folder / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    with caplog.at_level(logging.WARNING):
        again = run_once(smoke("ridge"), SECTIONS, "cpu")
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(first.predictions["S1"], again.predictions["S1"])
    assert store.read(first.folder) is not None


def test_identity_follows_every_field_and_the_data():
    run = smoke()
    ids = {run.identity(SECTIONS)}
    for change in (
        {"seed": 1},
        {"lr": 0.5},
        {"panel": "hvg(3)"},
        {"epochs": 4},
        {"width": 16},
        {"permute": True},
        {"tile_px": 16},
    ):
        ids.add(smoke(**change).identity(SECTIONS))
    ids.add(run.identity([dataclasses.replace(SECTIONS[0], digest="other"), *SECTIONS[1:]]))
    assert len(ids) == 9
    assert smoke().identity(SECTIONS) == run.identity(SECTIONS)


def test_a_distinct_fold_is_planned_once():
    splits = distinct(["section-out", "patient-out"], SECTIONS)
    assert [(s.rule, s.test) for s in splits if "S3" in s.test] == [("section-out", ("S3",))]
    assert [(s.rule, s.test) for s in splits if s.rule == "patient-out"] == [
        ("patient-out", ("S1", "S2"))
    ]
    assert len(plan_runs("tiny", SECTIONS, ["section-out"], ["mean", "colour"], panel="all")) == 8


def test_a_patient_on_both_sides_is_refused_under_clean():
    crossed = Split("my-split", ("S1", "S3"), (), ("S2",), "section S2")
    with pytest.raises(BadInput, match="patient P1 is in training and in test"):
        plan_run("tiny", crossed, "ridge", sections=SECTIONS)
    assert plan_run("tiny", crossed, "ridge", sections=SECTIONS, protocol="published")


def test_the_protocol_line_names_what_was_overridden():
    assert (
        smoke("ridge").line
        == "clean, except split = section-out, panel = all, encoder = colour, budget = smoke"
    )
    patient = folds("patient-out", SECTIONS)[0]
    assert plan_run("tiny", patient, "ridge", sections=SECTIONS, budget="full").line == "clean"
    published = plan_run(
        "tiny",
        folds("section-out", SECTIONS)[0],
        "histogene",
        sections=SECTIONS,
        protocol="published",
        budget="full",
    )
    assert (published.line, published.target, published.scale, published.encoder) == (
        "published",
        "scprep",
        "0-255",
        "own",
    )
    assert (
        plan_run(
            "tiny",
            folds("section-out", SECTIONS)[0],
            "ridge",
            sections=SECTIONS,
            protocol="published",
            budget="full",
        ).line
        == "published"
    )


def test_a_head_on_frozen_features_is_called_what_it_is():
    assert smoke("stnet").title == "ST-Net head on frozen features"
    assert smoke("stnet", encoder="own").title == "ST-Net"
    assert smoke("histogene").title == "HisToGene on frozen features"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"epochs": "3"}, "epochs is '3' but must be a valid integer"),
        ({"epochs": True}, "must be a valid integer"),
        ({"lr": 0.0}, "lr is 0.0 but must be greater than 0"),
        ({"batch": 0}, "equal to 1"),
        ({"budget": "big"}, "budget is 'big' but must be 'smoke', 'laptop' or 'full'"),
        ({"protocol": "dirty"}, "protocol is 'dirty'"),
        ({"optimiser": "adagrad"}, "'adam', 'adamw' or 'sgd'"),
        ({"optimiser": "closed form"}, "optimiser is"),
        ({"dropout": 1.5}, "less than 1"),
        ({"width": 0}, "equal to 1"),
        ({"encoder": "none"}, "cannot learn without an image"),
        ({"method": "ridge", "encoder": "own"}, "no encoder of its own"),
    ],
)
def test_misspelt_and_mistyped_words_are_errors(words, says):
    with pytest.raises(BadInput, match=says) as error:
        smoke(**words)
    assert "\n" not in str(error.value)


def test_frozen_features_are_the_same_for_every_method():
    split = folds("section-out", SECTIONS)[0]
    runs = [
        plan_run("tiny", split, name, sections=SECTIONS) for name in ("ridge", "stnet", "histogene")
    ]
    assert len({(run.encoder, run.tile_px, run.augment) for run in runs}) == 1
    assert plan_run("tiny", split, "histogene", sections=SECTIONS, encoder="own").tile_px == 112


def test_cuda_without_a_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(BadInput, match="no usable GPU"):
        pick_device("cuda")
    assert pick_device("auto") == "cpu"


def test_positions_beyond_the_table_are_an_error(home):
    with pytest.raises(BadInput, match="set positions="):
        run_once(smoke(positions=3), SECTIONS, "cpu")


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_nothing(home):
    with pytest.raises(BadInput, match="lower lr"):
        run_once(smoke("stnet", lr=1e30, epochs=30), SECTIONS, "cpu")
    assert not list(home.rglob("run.json"))
    assert not list(home.rglob("*.partial"))


def flip(checkpoint: Path, part: float) -> None:
    content = bytearray(checkpoint.read_bytes())
    content[int(part * len(content))] ^= 0x40
    checkpoint.write_bytes(content)


def restated(checkpoint: Path, **words) -> None:
    """Let a checkpoint say something else, undamaged."""
    state, packed = (
        torch.load(io.BytesIO(read_checksummed(checkpoint)), weights_only=True),
        io.BytesIO(),
    )
    assert words.keys() <= state.keys() and all(state[key] != word for key, word in words.items())
    torch.save(state | words, packed)
    write_checksummed(checkpoint, packed.getbuffer())


DAMAGE = {
    "text": lambda path: path.write_bytes(b"not a checkpoint"),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    **{
        f"a bit at {part:.0%}": lambda path, part=part: flip(path, part) for part in (0.3, 0.5, 0.7)
    },
    "other code": lambda path: restated(path, maker="other code"),
}


@pytest.fixture
def interrupted(home, monkeypatch):
    """A run, its checkpoint after three of four epochs, and its uninterrupted predictions."""
    monkeypatch.setattr("compendium.runs.fit.CHECKPOINT_SECONDS", 0.0)
    run = smoke("histogene", epochs=4)
    straight = run_once(run, SECTIONS, "cpu")
    shutil.rmtree(straight.folder)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        call_after_epochs(patch, interrupt_at(2))
        run_once(run, SECTIONS, "cpu")
    (checkpoint,) = home.rglob(store.CHECKPOINT)
    return run, checkpoint, straight.predictions["S1"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_cannot_be_continued_is_reported_and_left_behind(
    interrupted, caplog, damage, monkeypatch
):
    run, checkpoint, straight = interrupted
    DAMAGE[damage](checkpoint)
    seen = []
    call_after_epochs(monkeypatch, seen.append)
    record = run_once(run, SECTIONS, "cpu")
    assert (seen, len(record.facts["curve"])) == ([0, 1, 2, 3], 4)
    assert caplog.text.count("cannot be continued") == 1
    np.testing.assert_array_equal(record.predictions["S1"], straight)


def test_a_checkpoint_of_another_device_is_left_behind(interrupted, caplog, monkeypatch):
    run, checkpoint, straight = interrupted
    checkpoint.unlink()
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr("compendium.runs.execution.pick_device", lambda word: word)
        call_after_epochs(patch, interrupt_at(2))
        run_once(run, SECTIONS, "cpu:0")  # another name stands for another device
    seen = []
    call_after_epochs(monkeypatch, seen.append)
    np.testing.assert_array_equal(run_once(run, SECTIONS, "cpu").predictions["S1"], straight)
    assert seen == [0, 1, 2, 3]
    assert "another kind of device" in caplog.text


def test_a_fit_knows_the_seconds_of_earlier_legs(home, tmp_path, monkeypatch):
    run, checkpoint = smoke("histogene", epochs=6), tmp_path / "checkpoint"
    train, target = training_set(run, SECTIONS)
    parts = [inputs(run, part, target, "cpu", training=True) for part in train]

    def leg(stop: int) -> float:
        ticks = count(
            step=10
        )  # the clock is looked at when a leg begins, after each epoch, and after each checkpoint
        monkeypatch.setattr(
            "compendium.runs.fit.time", SimpleNamespace(monotonic=lambda: float(next(ticks)))
        )
        return fit(run, parts, [], "cpu", checkpoint, interrupt_at(stop)).earlier

    monkeypatch.setattr("compendium.runs.fit.CHECKPOINT_SECONDS", 0.0)
    for stop in (1, 3):
        with pytest.raises(Interrupted):
            leg(stop)
    assert leg(99) == 30 + 30  # two epochs and the checkpoint between them, twice
    checkpoint.unlink()
    assert leg(99) == 0


def test_an_executor_gives_the_same_records(home):
    from concurrent.futures import ThreadPoolExecutor

    runs = plan_runs("tiny", SECTIONS, ["section-out"], ["mean", "colour"], panel="all", tile_px=32)
    with ThreadPoolExecutor(2) as pool:
        parallel = execute(runs, SECTIONS, device="cpu", executor=pool)
    assert [r.id for r in parallel] == [r.id for r in execute(runs, SECTIONS, device="cpu")]
