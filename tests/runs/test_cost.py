"""What runs will cost: from stored runs of their kind, else measured."""

import pytest

from compendium.data.splits import folds
from compendium.runs import execute, plan_run, run_once
from compendium.runs.execution import device_line
from compendium.runs.run import Run
from compendium.runs.study import cost
from conftest import restate, tiny_section

SECTIONS = [
    tiny_section("S1", spots=12),
    tiny_section("S2", patient="P2", spots=16),
    tiny_section("S3", patient="P3", spots=20),
]
pytestmark = pytest.mark.usefixtures("home")


def planned(method: str, fold: int = 0, **words) -> Run:
    words = {"panel": "all", "encoder": "colour", "tile_px": 32, "budget": "smoke"} | words
    return plan_run(
        "tiny", folds("section-out", SECTIONS)[fold], method, sections=SECTIONS, **words
    )


def test_stored_runs_of_the_same_kind_and_device_tell_the_cost(monkeypatch):
    monkeypatch.setattr(cost, "trial", lambda *given: pytest.fail("measured"))
    run = planned("histogene", epochs=4)
    for fold, rate in ((0, 1.0), (1, 2.0), (2, 9.0)):
        record = run_once(planned("histogene", fold, epochs=4), SECTIONS, "cpu")
        restate(record.folder, seconds=rate * 4 * record.facts["training_spots"])
    assert cost.estimate([run], SECTIONS, "cpu") == [2.0 * 36 * 4]  # S2 and S3 hold 36 spots
    assert cost.estimate([planned("histogene", epochs=8)], SECTIONS, "cpu") == [2.0 * 36 * 8]
    assert cost.estimate([planned("histogene", 2, epochs=4)], SECTIONS, "cpu") == [2.0 * 28 * 4]
    (record.folder / "run.json").write_text("[]")  # a damaged record tells no time
    assert cost.stored_rates(device_line("cpu")) == {cost.kind(vars(run)): 1.5}


@pytest.mark.parametrize("other", [{"width": 64}, {"batch": 8}, {"tile_px": 16}])
def test_runs_of_another_kind_or_device_tell_nothing(other, monkeypatch):
    asked = []
    monkeypatch.setattr(cost, "trial", lambda run, *rest: asked.append(run) or 0.5)
    record = run_once(planned("histogene"), SECTIONS, "cpu")
    runs = [planned("histogene", **other), planned("histogene", fold=1, **other)]
    assert cost.estimate(runs, SECTIONS, "cpu") == [0.5 * 36 * 3, 0.5 * 32 * 3]
    assert asked == runs[:1]  # one trial a kind
    restate(record.folder, device="another")
    assert cost.estimate([planned("histogene")], SECTIONS, "cpu") == [0.5 * 36 * 3]


@pytest.mark.parametrize("method", ["mean", "ridge", "histogene"])
def test_what_is_not_known_is_measured_and_leaves_nothing(method, home):
    once, twice = (
        cost.estimate([planned(method, epochs=epochs)], SECTIONS, "cpu")[0] for epochs in (1, 2)
    )
    assert once > 0 and twice > 0
    assert not (home / "runs").exists()


def test_epochs_cost_a_method_in_closed_form_nothing(monkeypatch):
    monkeypatch.setattr(cost, "trial", lambda *given: 0.5)
    assert cost.estimate([planned("ridge", epochs=4000)], SECTIONS, "cpu") == [0.5 * 36]


def test_features_that_are_cached_cost_nothing(monkeypatch):
    runs = [planned("ridge"), planned("ridge", 1), planned("mean")]
    ticks = iter((100.0, 103.0))
    monkeypatch.setattr(cost.time, "monotonic", lambda: next(ticks))
    assert cost.features_left(runs, SECTIONS, "cpu") == pytest.approx(
        3.0 / 12 * (16 + 20)
    )  # S1 has 12 spots and is now cached
    monkeypatch.undo()
    execute(runs[:1], SECTIONS, device="cpu")
    assert cost.features_left(runs, SECTIONS, "cpu") == 0.0
