"""A step is timed in the run that tells its time, row by row in turn."""

import numpy as np
import pytest

from compendium.chapters.gat import step_time
from compendium.evaluation.comparison import fitted
from compendium.runs import plan_runs
from compendium.runs.inputs.prepare import prepare_inputs
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2"), tiny_section("S3", patient="P3")]
PARAMETERS = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32}


@pytest.fixture
def group(home):
    jobs = [
        (method, run)
        for method in ("ridge", "hist2st", "hist2st-gat")
        for run in plan_runs("tiny", SECTIONS, ["patient-out"], [method], **PARAMETERS)
    ]
    return fitted({"fits": jobs}, SECTIONS, "cpu")["fits"]


def test_rows_are_timed_in_turn_and_the_shortest_epoch_counts(group, monkeypatch):
    asked, seconds = [], iter([8.0, 2.0, 4.0, 3.0])

    def shortest(run, seen, device):
        asked.append((run.method, run.split.test, len(seen.training), len(seen.target.genes)))
        return next(seconds)

    monkeypatch.setattr(step_time, "shortest", shortest)
    lines = step_time.per_step(group, SECTIONS, "hist2st", "cpu").set_index("row")
    assert asked == [("hist2st", ("S1",), 2, 12), ("hist2st-gat", ("S1",), 2, 12)] * 2
    assert list(lines.index) == ["ridge", "hist2st", "hist2st-gat"]
    assert lines["seconds_per_step"].tolist()[1:] == [2.0, 1.0] and lines["relative"].tolist()[
        1:
    ] == [1.0, 0.5], "an epoch has two sections"
    assert (
        lines.loc["ridge", ["seconds_per_step", "relative"]].isna().all()
        and lines.loc["ridge", "trainable"] == 0
    )


def test_the_first_epoch_is_left_out(group, monkeypatch):
    ticks = iter([0.0, 5.0, 7.0, 10.0])
    monkeypatch.setattr(step_time.time, "perf_counter", lambda: next(ticks))
    run = next(run for key, run in group.jobs if key == "hist2st")
    seen = prepare_inputs(run, SECTIONS, "cpu")
    assert step_time.shortest(run, seen, "cpu") == 2.0 and step_time.EPOCHS == 4


def test_nothing_is_stored(group, home):
    before = sorted(home.rglob("*"))
    assert np.isfinite(step_time.per_step(group, SECTIONS, "hist2st", "cpu")["relative"].iloc[1])
    assert sorted(home.rglob("*")) == before
