"""Runs of a number of steps: the same work whatever the training set, cut and continued."""

import json

import numpy as np
import pytest

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.evaluation.comparison import Fitted, changed
from compendium.runs import fit, plan_run, run_once
from compendium.runs.study import cost
from conftest import call_after_epochs, tiny_section

SECTIONS = [
    tiny_section(name, patient)
    for name, patient in zip("ABCDE", ("P", "P", "P", "Q", "R"), strict=True)
]
pytestmark = pytest.mark.usefixtures("home")


def planned(method: str = "histogene", train: str = "ABC", valid: str = "", **parameters):
    split = Split("patient-out", tuple(train), tuple(valid), ("E",), "patient R")
    small = {"panel": "all", "encoder": "colour", "tile_px": 32, "budget": "smoke"}
    return plan_run("tiny", split, method, sections=SECTIONS, **small | parameters)


@pytest.mark.parametrize(
    ("method", "train", "ends"),
    [
        ("histogene", "ABC", [3, 6, 7]),
        ("histogene", "A", [1, 2, 3, 4, 5, 6, 7]),
        ("stnet", "ABC", [3, 6, 7]),  # 72 spots in batches of 32
        ("stnet", "A", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_every_training_set_is_given_the_same_steps(method, train, ends, monkeypatch):
    done, start = [], fit._Training.__post_init__

    def counted(self) -> None:
        start(self)
        own = self.optimiser.step
        self.optimiser.step = lambda: done.append(1) or own()

    monkeypatch.setattr(fit._Training, "__post_init__", counted)
    facts = run_once(planned(method, train, steps=7), SECTIONS, "cpu").facts
    assert (len(done), facts["steps"], len(facts["curve"])) == (7, ends, len(ends))


@pytest.mark.parametrize("method", ["histogene", "stnet"])
def test_whole_epochs_are_the_same_by_steps_and_by_epochs(method):
    by_steps = run_once(planned(method, steps=6, lr_every=1, lr_decay=0.5), SECTIONS, "cpu")
    by_epochs = run_once(planned(method, epochs=2, lr_every=1, lr_decay=0.5), SECTIONS, "cpu")
    assert by_steps.id != by_epochs.id
    assert by_steps.facts["curve"] == by_epochs.facts["curve"]
    np.testing.assert_array_equal(by_steps.predictions["E"], by_epochs.predictions["E"])


def test_a_cut_epoch_is_continued_to_identical_numbers(home, monkeypatch):
    run = planned(steps=7, valid="D")
    straight = run_once(run, SECTIONS, "cpu")
    assert all("validation" in row for row in straight.facts["curve"])
    monkeypatch.setenv("COMPENDIUM_HOME", str(home.with_name("second")))
    monkeypatch.setattr("compendium.runs.fit.CHECKPOINT_SECONDS", 0.0)

    def interrupt(epoch: int) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        call_after_epochs(patch, interrupt)
        run_once(run, SECTIONS, "cpu")
    seen = []
    call_after_epochs(monkeypatch, seen.append)
    record = run_once(run, SECTIONS, "cpu")
    assert seen == [2] and record.facts["curve"] == straight.facts["curve"]
    np.testing.assert_array_equal(record.predictions["E"], straight.predictions["E"])


def test_steps_and_epochs_are_one_or_the_other():
    assert (planned(steps=7).steps, planned(steps=7).epochs) == (7, 0)
    assert (planned(epochs=7).steps, planned(epochs=7).epochs) == (0, 7)
    assert planned("ridge", steps=7) == planned("ridge")
    with pytest.raises(BadInput, match="steps=7 and epochs=2 both"):
        planned(steps=7, epochs=2)


def test_a_run_by_epochs_keeps_its_identity(monkeypatch):
    seen = []
    monkeypatch.setattr(json, "dumps", lambda facts, **how: seen.append(facts) or "")
    planned(epochs=2).identity(SECTIONS)
    planned(steps=2).identity(SECTIONS)
    assert ["steps" in facts for facts in seen] == [False, True]


@pytest.mark.parametrize("method", ["histogene", "stnet"])
def test_the_cost_is_that_of_the_steps(method, monkeypatch):
    monkeypatch.setattr(cost, "trial", lambda *given: 0.5)
    many, few = (planned(method, train, steps=30) for train in ("ABC", "A"))
    spots = 24  # of a section, and of a batch of one section
    expected = [0.5 * 10 * 3 * spots, 0.5 * 30 * spots]
    assert cost.estimate([many, few], SECTIONS, "cpu") == pytest.approx(expected)


def test_a_stored_cut_run_tells_its_rate():
    record = run_once(planned(steps=7), SECTIONS, "cpu")
    (rate,) = cost.stored_rates(record.facts["device"]).values()
    assert rate == pytest.approx(record.facts["seconds"] / (72 * 7 / 3))


def test_tables_state_what_was_done():
    run = planned(steps=7)
    fits = Fitted([("row", run)], [run_once(run, SECTIONS, "cpu")])
    line = fits.cost().iloc[0]
    assert (line["epochs"], line["steps"]) == (3, 7)
    assert fits.curves()["step"].tolist() == [3, 6, 7]
    assert changed(run)["epochs"] == "7 steps instead of 100"
