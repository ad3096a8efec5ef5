"""Scores of classes on cases made by hand, against scikit-learn and against arithmetic."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import classification_report, roc_auc_score

from compendium.evaluation.classification import (
    Answers,
    answers,
    by_class,
    confusion,
    over_classes,
    roc,
)
from compendium.runs.store import Record
from conftest import tiny_section

LEARNED = ("adipose tissue", "cancer in situ", "connective tissue", "invasive cancer")
RNG = np.random.default_rng(3)


def made(truth: list[int], probability, unlearned: tuple[str, ...] = ()) -> Answers:
    probability = np.asarray(probability, dtype=float)
    return Answers(
        (*LEARNED, *unlearned),
        len(LEARNED),
        np.array(truth),
        np.hstack([probability, np.zeros((len(truth), len(unlearned)))]),
    )


RANDOM = made(RNG.integers(0, 4, 60).tolist(), RNG.dirichlet(np.ones(4), 60))
CERTAIN = np.eye(4)
# Invasive cancer, twice connective tissue, glands that nobody has learned; adipose tissue and
# cancer in situ are not there.
SOME = made(
    [3, 2, 2, 4],
    [[0, 0.1, 0.3, 0.6], [0, 0.3, 0.5, 0.2], [0, 0.2, 0.3, 0.5], [1, 0, 0, 0]],
    ("breast glands",),
)


def test_classes_are_scored_as_scikit_learn_does():
    report = classification_report(
        RANDOM.truth, RANDOM.answer, target_names=LEARNED, output_dict=True
    )
    rows, numbers = by_class(RANDOM).set_index("class"), over_classes(RANDOM)
    for name in LEARNED:
        assert rows.loc[name, "f1"] == pytest.approx(report[name]["f1-score"])
        assert rows.loc[name, "spots"] == report[name]["support"]
    assert numbers["accuracy"] == pytest.approx(report["accuracy"])
    assert numbers["f1"] == pytest.approx(report["macro avg"]["f1-score"])
    assert numbers["auc"] == pytest.approx(
        roc_auc_score(RANDOM.truth, RANDOM.probability, multi_class="ovr")
    )
    cancer = np.isin(RANDOM.truth, [1, 3])
    assert numbers["cancer_auc"] == pytest.approx(
        roc_auc_score(cancer, RANDOM.probability[:, [1, 3]].sum(axis=1))
    )
    assert numbers["cancer_share"] == pytest.approx(cancer.mean())


def test_what_a_section_lacks_is_nan_and_counted():
    rows, numbers = by_class(SOME).set_index("class"), over_classes(SOME)
    assert rows["spots"].tolist() == [0, 0, 2, 1, 1]
    assert np.isnan(rows.loc[["adipose tissue", "cancer in situ"], ["f1", "auc"]]).all(axis=None)
    assert rows.loc["connective tissue", "f1"] == pytest.approx(
        2 / 3
    )  # one of two found, one answer of one right
    assert rows.loc["breast glands", "f1"] == 0 and np.isnan(rows.loc["breast glands", "auc"])
    assert (numbers["spots"], numbers["absent"], numbers["unlearned"]) == (4, 2, 1)
    assert numbers["accuracy"] == 2 / 4
    assert numbers["f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_constant_answers_stand_beside():
    numbers = over_classes(SOME)
    assert (numbers["majority"], numbers["majority_accuracy"]) == ("connective tissue", 0.5)
    assert numbers["majority_f1"] == pytest.approx((2 / 3) / 3)
    assert numbers["always_f1"] == pytest.approx(2 * 0.25 / (1 + 0.25))
    assert numbers["cancer_f1"] == pytest.approx(
        2 / 3
    )  # the third spot passes for cancer: 0.2 + 0.5
    assert numbers["cancer_auc"] == pytest.approx(
        2.5 / 3
    )  # and so it is no less certain than the first


def test_perfect_answers_have_the_best_scores_and_one_class_has_no_auc():
    perfect = over_classes(made([0, 1, 2, 3], CERTAIN))
    assert [perfect[what] for what in ("accuracy", "f1", "auc", "cancer_f1", "cancer_auc")] == [
        1
    ] * 5
    alone = over_classes(made([3, 3], CERTAIN[[3, 2]]))
    assert np.isnan(alone["auc"]) and np.isnan(alone["cancer_auc"])
    assert (alone["accuracy"], alone["majority_f1"], alone["always_f1"]) == (0.5, 1, 1)
    benign = over_classes(made([0, 2], CERTAIN[[0, 2]]))
    assert (
        np.isnan(benign["cancer_f1"])
        and np.isnan(benign["always_f1"])
        and benign["cancer_share"] == 0
    )


def test_the_area_below_the_curve_is_the_auc():
    curves, rows = roc(RANDOM), by_class(RANDOM).set_index("class")
    assert set(curves["class"]) == {*LEARNED, "cancer"}
    for name, curve in curves.groupby("class"):
        expected = over_classes(RANDOM)["cancer_auc"] if name == "cancer" else rows.loc[name, "auc"]
        assert area(curve["false_positive"], curve["true_positive"]) == pytest.approx(expected)
    assert set(roc(SOME)["class"]) == {"connective tissue", "invasive cancer", "cancer"}


def test_every_answer_has_its_cell():
    table = confusion(SOME)
    assert table.to_numpy().sum() == 4
    assert (
        table.loc["connective tissue", "invasive cancer"] == 1
        and table.loc["breast glands", "adipose tissue"] == 1
    )
    assert table.loc["adipose tissue"].sum() == 0


def test_answers_are_those_of_spots_with_a_class():
    section = replace(
        tiny_section(spots=5), labels=np.array(["red", "", "undetermined", "blue", "pale"])
    )
    record = Record(
        Path("r"),
        {"classes": ["pale", "red"]},
        [],
        {},
        probabilities={"S1": np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2)},
    )
    found = answers(record, section)
    assert (found.classes, found.learned, found.truth.tolist()) == (
        ("pale", "red", "blue"),
        2,
        [1, 2, 0],
    )
    np.testing.assert_allclose(
        found.probability, [[0, 1 / 9, 0], [6 / 9, 7 / 9, 0], [8 / 9, 1, 0]], rtol=1e-6
    )
    bare = over_classes(answers(record, replace(section, labels=None)))
    assert (
        (bare["spots"], bare["unlearned"]) == (0, 0)
        and np.isnan(bare["f1"])
        and np.isnan(bare["cancer_auc"])
    )
    assert confusion(answers(record, replace(section, labels=None))).to_numpy().sum() == 0
    assert len(roc(answers(record, replace(section, labels=None)))) == 0
