"""Several fits averaged: which seeds, what is stored, and that one fit is what it always was."""

import json

import numpy as np
import pytest

from compendium.data.splits import folds
from compendium.errors import BadInput
from compendium.runs import plan_run, run_once, store
from compendium.runs.execution import members
from compendium.runs.study import cost
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2"), tiny_section("S3", patient="P3")]


def smoke(method: str = "stimage", **words):
    split = folds("section-out", SECTIONS)[0]
    return plan_run(
        "tiny",
        split,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


def test_the_record_holds_the_mean_and_the_spread_of_fits_that_stand_alone(home):
    record = run_once(smoke("deepspace", members=3), SECTIONS, "cpu")
    fits = [store.read(record.folder.with_name(name)) for name in record.facts["members"]]
    alone = np.stack([fit.predictions["S1"] for fit in fits])
    assert record.folder.name not in record.facts["members"]
    assert len({fit.facts["run"]["seed"] for fit in fits}) == 3
    assert (alone.std(axis=0) > 0).all()
    np.testing.assert_allclose(record.predictions["S1"], alone.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(record.spread["S1"], alone.std(axis=0, ddof=1), rtol=1e-4)
    assert record.facts["parameters"] == 3 * fits[0].facts["parameters"]
    assert record.facts["curve"][-1]["smooth L1"] == pytest.approx(
        np.mean([fit.facts["curve"][-1]["smooth L1"] for fit in fits])
    )
    again = store.read(record.folder)
    np.testing.assert_array_equal(again.spread["S1"], record.spread["S1"])
    assert list(again.predictions) == ["S1"]


def test_the_first_fit_is_the_run_of_one(home):
    one = run_once(smoke(), SECTIONS, "cpu")
    assert one.spread == {}
    assert run_once(smoke(members=2), SECTIONS, "cpu").facts["members"][0] == one.id
    assert [each.seed for each in members(smoke(seed=7, members=3))] != [
        each.seed for each in members(smoke(seed=8, members=3))
    ]


def test_fits_that_are_there_are_not_made_again(home, monkeypatch):
    run_once(smoke(members=3), SECTIONS, "cpu")
    monkeypatch.setattr(
        "compendium.runs.execution.fit", lambda *a, **k: pytest.fail("fitted again")
    )
    record = run_once(smoke(members=2), SECTIONS, "cpu")
    assert len(record.facts["members"]) == 2


def test_a_row_and_its_line_say_that_it_is_a_mean():
    assert smoke(members=5).title == "STimage head on frozen features, mean of 5 fits"
    assert smoke(members=5).line.endswith("members = 5")
    assert "members" not in smoke().line
    assert smoke(members=5).identity(SECTIONS) != smoke().identity(SECTIONS)


def test_a_method_in_closed_form_is_fitted_once():
    assert smoke("ridge", members=5) == smoke("ridge")


@pytest.mark.parametrize("number", [0, -1, 2.0, True])
def test_a_number_of_members_that_is_none_is_refused(number):
    with pytest.raises(BadInput, match="method stimage: members is"):
        smoke(members=number)


def test_an_ensemble_costs_as_much_as_its_fits(home, monkeypatch):
    monkeypatch.setattr(cost, "trial", lambda *a: 0.5)
    one, five = cost.estimate([smoke(), smoke(members=5)], SECTIONS, "cpu")
    assert five == 5 * one
    record = run_once(smoke(members=2), SECTIONS, "cpu")
    facts = json.loads((record.folder / "run.json").read_text())
    fits = [store.read(record.folder.with_name(name)).facts["seconds"] for name in facts["members"]]
    assert facts["seconds"] == pytest.approx(sum(fits))
