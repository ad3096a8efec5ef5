"""Chapter 6: its tables on tiny sections, the sweep over gamma, its claims."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.regclass.design import design
from compendium.chapters.regclass.findings import FINDINGS, classes, expression
from compendium.chapters.regclass.results import (
    BY_SECTION,
    TWO_CLASSES,
    beside_permuted,
    gamma_changes,
    tables,
)
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, labelled=True),
]
PARAMETERS = {"panel": "all", "encoder": "colour", "weights": "", "budget": "smoke", "seed": 0}


@pytest.fixture
def chapter(home, monkeypatch):
    """Compute the chapter on tiny sections, with some parameters changed."""
    monkeypatch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
    monkeypatch.setattr(comparison, "placed", lambda *_: SECTIONS)

    def computed(**changed) -> Results:
        stated = {"splits": ["patient-out"], "tested": ["S3"], "gammas": [0, 1.0], "gamma": 1.0}
        stated |= {"seeds": 1, "steps": 2}
        planned = design("demo", None, **PARAMETERS | stated | changed)
        return compute(planned, tables, "cpu")

    return computed


def test_results_hold_all_that_the_page_draws(chapter):
    results = chapter()
    sweep = results["sweep"]
    assert sweep["permuted"].tolist() == [False, False, False, True]
    assert sweep["gamma"].fillna(-1).tolist() == [-1, 0, 1, 1]
    assert sweep["f1"].isna().tolist() == [True, False, False, False]
    names = {"Hist2ST", "γ = 0", "γ = 1", "γ = 1, permuted"}
    assert set(results["curves"]["method"]) == set(results["cost"]["row"]) == names
    for name in ("by_class", "confusion"):
        assert results[name]["section"].unique().tolist() == ["S3"]
    assert results["confusion"]["spots"].sum() == results["by_class"]["spots"].sum() <= 24
    panels = results["panels"]
    assert panels["method"].tolist() == ["Hist2ST", "γ = 0", "γ = 1"], "controls have no box"
    assert (panels["values"] == 12).all()
    assert results.facts["changed"]["epochs"].startswith("2 steps instead of")
    assert results["cost"]["steps"].tolist() == [2] * 4 and "steps = 2" in results.facts["protocol"]
    assert results.facts["preliminary"] and results.facts["gamma"] == 1
    assert len(results["labels"]) == 3 and results["transfer"].empty
    beside = beside_permuted(results)
    assert len(beside) == 1 and {*BY_SECTION, *TWO_CLASSES} <= set(beside)
    assert {outcome.verdict for outcome in decide_all(FINDINGS, results).values()} == {
        Verdict.UNDECIDED
    }


def test_every_row_is_averaged_over_the_same_seeds(chapter):
    results, single = chapter(seeds=2), chapter()
    assert results["seeds"].groupby("method")["seed"].agg(list).to_dict() == {
        "Hist2ST": [0, 1],
        "γ = 0": [0, 1],
        "γ = 1": [0, 1],
    }
    assert list(results["sweep"]) == list(single["sweep"])
    assert len(results["sweep"]) == len(single["sweep"]) == 4
    medians = results["seeds"].groupby("method")["median"].mean()
    assert results["sweep"]["pcc"].iloc[0] == pytest.approx(medians["Hist2ST"])
    pd.testing.assert_frame_equal(results["confusion"], single["confusion"])
    reasons = [limit.split(":")[0] for limit in expression(single).limits]
    assert "one seed" in reasons
    assert "one seed" not in [limit.split(":")[0] for limit in expression(results).limits]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tested": ["S9"]}, "section S9, which is not among S1, S2, S3"),
        ({"gamma": 2.0}, r"gamma 2 is not among the gammas above 0 \(0, 1\)"),
        ({"gamma": 0}, "gamma 0"),
    ],
)
def test_a_design_that_cannot_be_is_refused(chapter, changed, message):
    with pytest.raises(BadInput, match=message):
        chapter(**changed)


def swept(**pcc: list[float]) -> pd.DataFrame:
    """Return rows of tests of as many sections and patients, of hist2st, g0, g1, ..."""
    gammas = {name: np.nan if name == "hist2st" else float(name[1:]) for name in pcc}
    return pd.DataFrame(
        [
            {
                "gamma": gammas[name],
                "section": f"S{i}",
                "patient": f"P{i}",
                "split": "s",
                "pcc": value,
            }
            for name, values in pcc.items()
            for i, value in enumerate(values)
        ]
    )


def with_control(rows: pd.DataFrame, control: float = -1.0, preliminary=()) -> Results:
    """Return results whose permuted-image control has one median PCC."""
    permuted = rows[rows["gamma"] == 1].assign(permuted=True, pcc=control)
    table = pd.concat([rows.assign(permuted=False), permuted])
    return Results({"sweep": table}, {"gamma": 1.0, "preliminary": list(preliminary)})


GAINING = {"hist2st": [0.20, 0.22, 0.2], "g0": [0.19, 0.21, 0.19], "g10": [0.25, 0.24, 0.25]}


def test_changes_are_against_gamma_0():
    rows = gamma_changes(swept(**GAINING, g1=[0.195, 0.205, 0.19])).set_index("model")
    assert list(rows.index) == ["Hist2ST", "γ = 10", "γ = 1"]
    np.testing.assert_allclose(rows["change"], [0.01, 0.05, 0.0], atol=1e-12)
    np.testing.assert_allclose(rows["absolute"], [0.01, 0.05, 0.01 / 3])
    assert rows["higher"].tolist() == [3, 3, 1] and set(rows["tests"]) == {3}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (swept(**GAINING, g1=[0.195, 0.205, 0.19]), Verdict.FAILS),
        (swept(hist2st=[0.3, 0.1, 0.3], g0=[0.19] * 3, g1=[0.1] * 3), Verdict.HOLDS),
        (swept(hist2st=[0.2] * 3, g0=[0.2] * 3, g1=[0.1, 0.3, 0.3]), Verdict.UNDECIDED),
        (swept(**GAINING, g1=[0.2] * 3).assign(patient="P1"), Verdict.UNDECIDED),
        (swept(hist2st=[0.2] * 3, g1=[0.3] * 3), Verdict.UNDECIDED),
    ],
)
def test_a_gain_is_one_that_exceeds_what_random_draws_move(rows, expected):
    outcome = expression(with_control(rows))
    assert outcome.verdict is expected
    assert FINDINGS[0].sentence(outcome)


def judged(f1: list[float], auc: list[float], labels_from: str = "") -> pd.DataFrame:
    names = [f"{labels_from}S{i}" for i in range(len(f1))]
    return pd.DataFrame(
        {
            "gamma": 1.0,
            "permuted": False,
            "section": names,
            "patient": names,
            "cancer_f1": f1,
            "cancer_auc": auc,
            "labels_from": labels_from,
            "always_f1": 0.9,
        }
    )


GOOD, BAD = [0.9, 0.9, 0.9], [0.9, 0.7, 0.7]
MIXED = pd.concat([judged(GOOD, GOOD), judged([0.1] * 4, [0.1] * 4, "C1")])


@pytest.mark.parametrize(
    ("rows", "preliminary", "expected", "sections", "passed"),
    [
        (judged(GOOD, GOOD), [], Verdict.HOLDS, 3, 3),
        (judged(GOOD, BAD), [], Verdict.FAILS, 3, 1),
        (judged(BAD, GOOD), [], Verdict.FAILS, 3, 1),
        (judged(GOOD, GOOD, "C1"), [], Verdict.UNDECIDED, 3, 3),
        (judged(GOOD, GOOD), ["Regclass"], Verdict.UNDECIDED, 3, 3),
        (MIXED, [], Verdict.HOLDS, 3, 3),
        (MIXED[1:], [], Verdict.UNDECIDED, 2, 2),
    ],
)
def test_classes_are_judged_on_labels_of_the_section_itself(
    rows, preliminary, expected, sections, passed
):
    outcome = classes(Results({"sweep": rows}, {"gamma": 1.0, "preliminary": preliminary}))
    assert (outcome.verdict, outcome.sections) == (expected, sections)
    assert (outcome.numbers["passed"], outcome.numbers["tests"]) == (passed, len(rows))
    assert outcome.numbers["always"] == len(rows)


@pytest.mark.parametrize(
    ("control", "preliminary", "expected"),
    [
        (0.1, [], [Verdict.HOLDS, Verdict.HOLDS]),
        (0.3, [], [Verdict.UNDECIDED, Verdict.HOLDS]),
        (0.1, ["Hist2ST on frozen features"], [Verdict.UNDECIDED, Verdict.HOLDS]),
        (0.1, ["Regclass on frozen features"], [Verdict.UNDECIDED] * 2),
    ],
)
def test_claims_need_rows_above_the_criterion(control, preliminary, expected):
    rows = swept(hist2st=[0.2] * 3, g0=[0.2] * 3, g1=[0.2] * 3)
    scores = judged(GOOD, GOOD)[["cancer_f1", "cancer_auc", "labels_from", "always_f1"]]
    rows = rows.assign(**scores.iloc[0].to_dict())
    outcomes = decide_all(FINDINGS, with_control(rows, control, preliminary))
    assert [outcome.verdict for outcome in outcomes.values()] == expected
