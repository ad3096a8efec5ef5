"""PCC within classes on cases with a known answer, and the control that knows the classes."""

from dataclasses import replace

import numpy as np
import pytest

from compendium.evaluation.correlation import partial_pcc, pcc
from compendium.evaluation.scores import scoring_target
from compendium.evaluation.within_class import (
    by_method,
    class_means,
    known,
    within_class,
)
from compendium.runs import execute, plan_runs
from conftest import tiny_section

LABELS = np.repeat(["red", "pale", "blue"], [20, 15, 5])
RNG = np.random.default_rng(5)
LEVEL = np.select([LABELS == "red", LABELS == "pale"], [3.0, -1.0], 7.0)[:, None]
INSIDE = RNG.normal(size=(40, 2))


def test_who_only_tells_classes_apart_has_nothing_within_them():
    measured = LEVEL + INSIDE
    assert np.isnan(partial_pcc(np.repeat(LEVEL, 2, axis=1) / 3, measured, LABELS)).all()
    assert pcc(np.repeat(LEVEL, 2, axis=1), measured).min() > 0.9


def test_what_is_right_within_classes_is_found_whatever_the_classes_do():
    np.testing.assert_allclose(partial_pcc(2 * INSIDE - 5 * LEVEL, LEVEL + INSIDE, LABELS), 1)
    assert pcc(2 * INSIDE - 5 * LEVEL, LEVEL + INSIDE).max() < 0


def test_it_is_the_partial_correlation_given_the_class():
    one, other = RNG.normal(size=(40, 3)) + LEVEL, RNG.normal(size=(40, 3)) - LEVEL
    dummies = (LABELS[:, None] == np.unique(LABELS)).astype(float)
    rest = [side - dummies @ np.linalg.lstsq(dummies, side, rcond=None)[0] for side in (one, other)]
    np.testing.assert_allclose(
        partial_pcc(one, other, LABELS),
        [np.corrcoef(a, b)[0, 1] for a, b in zip(*(r.T for r in rest), strict=True)],
    )


def test_a_class_of_one_spot_adds_nothing():
    measured, labels = INSIDE.copy(), np.array(["red"] * 39 + ["blue"])
    expected = partial_pcc(INSIDE[:39] ** 3, measured[:39], labels[:39])
    measured[39] = 1e3
    np.testing.assert_allclose(partial_pcc(INSIDE**3, measured, labels), expected)


def test_class_means_are_those_of_training_and_an_unlearned_class_gets_the_mean_of_all():
    means = class_means(
        np.array([[1.0], [3.0], [8.0]]),
        np.array(["red", "red", "blue"]),
        np.array(["blue", "red", "grey"]),
    )
    np.testing.assert_allclose(means[:, 0], [8, 2, 4])


def labelled(name: str, patient: str, seed: int):
    section = tiny_section(name, patient=patient, seed=seed)
    labels = np.array(
        (["red"] * 10 + ["blue"] * 8 + ["undetermined"] * 4 + [""] * len(section))[: len(section)]
    )
    return replace(section, labels=labels)


@pytest.fixture
def cohort():
    return [
        labelled("S1", "P1", 1),
        labelled("S2", "P2", 2),
        replace(tiny_section("S3", patient="P2", seed=3), labels=None),
    ]


def test_stored_runs_are_scored_beside_the_control(home, cohort):
    runs = plan_runs("tiny", cohort, ["section-out"], ["mean", "colour"], panel="all", tile_px=32)
    records = execute(runs, cohort, device="cpu")
    rows = within_class(runs, records, cohort)
    assert set(rows["section"]) == {"S1", "S2"}, "a section without labels says nothing of classes"
    assert (
        set(rows["spots"]) == {18} and set(rows["classes"]) == {2} and set(rows["unlearned"]) == {0}
    )
    row = rows[(rows["method"] == "colour") & (rows["section"] == "S1")].iloc[0]
    record = next(
        r
        for run, r in zip(runs, records, strict=True)
        if run.method == "colour" and run.split.test == ("S1",)
    )
    spots, wide = known(cohort[0]), scoring_target(record.genes, cohort)
    measured, taught = wide(cohort[0])[spots], wide(cohort[1])[spots].astype(float)
    by_hand = np.where(
        (cohort[0].labels[spots] == "red")[:, None],
        taught[:10].mean(axis=0),
        taught[10:].mean(axis=0),
    )
    assert row["control"] == pytest.approx(np.nanmedian(pcc(by_hand, measured)))
    assert row["pcc"] == pytest.approx(np.nanmedian(pcc(record.predictions["S1"][spots], measured)))
    assert row["within"] == pytest.approx(
        np.nanmedian(
            partial_pcc(record.predictions["S1"][spots], measured, cohort[0].labels[spots])
        )
    )
    assert rows.loc[rows["method"] == "mean", ["pcc", "within"]].isna().all(axis=None)
    summed = by_method(rows).set_index("method").loc["colour"]
    assert summed["sections"] == 2 and summed["within"] == pytest.approx(
        rows.loc[rows["method"] == "colour", "within"].mean()
    )


def test_transferred_labels_are_named_and_what_training_lacks_is_counted(home, cohort):
    cohort[0] = replace(
        cohort[0],
        labels=np.where(cohort[0].labels == "blue", "grey", cohort[0].labels),
        labels_from="S9",
    )
    runs = plan_runs("tiny", cohort, ["section-out"], ["colour"], panel="all", tile_px=32)
    rows = within_class(runs, execute(runs, cohort, device="cpu"), cohort).set_index("section")
    assert rows["labels"].to_dict() == {
        "S1": "transferred from the adjacent section S9",
        "S2": "",
    }
    assert rows["unlearned"].to_dict() == {"S1": 8, "S2": 8}
