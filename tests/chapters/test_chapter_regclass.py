"""Chapter 6: its tables on tiny sections, the sweep over gamma, its claims."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.regclass.design import design
from compendium.chapters.regclass.findings import FINDINGS, expression
from compendium.chapters.regclass.results import (
    BY_SECTION,
    TWO_CLASSES,
    beside_permuted,
    criterion,
    gamma_changes,
    preliminary,
    tables,
)
from compendium.data.splits import folds
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from compendium.runs import plan_run
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


def test_rows_share_the_control_of_the_gamma_that_is_shown():
    fit = {"fold": "f", "section": "S"}
    shift = {"Hist2ST": 0.2, "γ = 0": 0.3, "γ = 1": 0.2, "γ = 10": 0.05}
    own = pd.DataFrame(
        [
            fit | {"row": key, "seed": seed, "pcc": pcc + seed / 1000}
            for key, pcc in shift.items()
            for seed in (0, 1)
        ]
    )
    control = pd.DataFrame([fit | {"row": "γ = 1, permuted", "seed": 0, "pcc": 0.1}])
    split = folds("patient-out", SECTIONS)[0]
    jobs = [
        (key, plan_run("tiny", split, method, sections=SECTIONS, panel="all"))
        for key, method in zip(shift, ["hist2st", *["regclass"] * 3], strict=True)
    ]
    met = criterion(own, control, jobs)
    assert met["result"].tolist() == [True, True, True, False]
    assert preliminary(met, jobs, 1.0) == []
    assert preliminary(met, jobs, 10.0) == ["Regclass on frozen features"]


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
    ("change", "tests", "expected"),
    [
        (0.0, 6, Verdict.REPRODUCED),
        (0.05, 6, Verdict.NOT_REPRODUCED),
        (-0.01, 6, Verdict.NOT_REPRODUCED),
        (0.05, 5, Verdict.UNDECIDED),
    ],
)
def test_learning_the_classes_is_compared_with_not_learning_them(change, tests, expected):
    base = np.linspace(0.1, 0.2, tests)
    own = base + change + 0.001 * (-1) ** np.arange(tests)
    rows = swept(hist2st=[0.9] * tests, g0=list(base), g1=list(own))
    outcome = decide_all(FINDINGS[:1], with_control(rows))["expression"]
    assert (outcome.verdict, outcome.patients) == (expected, tests)
    assert outcome.statistic == pytest.approx(change, abs=1e-3)
    assert FINDINGS[0].sentence(outcome)


def test_one_fold_or_no_gamma_0_decides_nothing():
    rows = swept(g0=[0.1] * 6, g1=[0.2] * 6)
    one_fit = expression(with_control(rows.assign(split="ood")))
    assert one_fit.limits == ["all test sections share one fit"]
    assert expression(with_control(rows[rows["gamma"] == 1])).limits == ["γ = 0 was not fitted"]


def judged(f1: list[float], auc: list[float], labels_from: str = "") -> pd.DataFrame:
    names = [f"{labels_from}S{i}" for i in range(len(f1))]
    return pd.DataFrame(
        {
            "gamma": 1.0,
            "permuted": False,
            "section": names,
            "patient": names,
            "split": "s",
            "cancer_f1": f1,
            "cancer_auc": auc,
            "labels_from": labels_from,
            "always_f1": 0.9,
        }
    )


GOOD, BAD = [0.9] * 6, [0.5, 0.6, 0.7, 0.5, 0.6, 0.7]
MIXED = pd.concat([judged(GOOD, GOOD), judged([0.1] * 4, [0.1] * 4, "C1")])


@pytest.mark.parametrize(
    ("rows", "preliminary", "expected", "sections", "passed"),
    [
        (judged(GOOD, GOOD), [], Verdict.REPRODUCED, 6, 6),
        (judged(GOOD, BAD), [], Verdict.NOT_REPRODUCED, 6, 0),
        (judged(BAD, GOOD), [], Verdict.NOT_REPRODUCED, 6, 0),
        (judged(GOOD, GOOD, "C1"), [], Verdict.UNDECIDED, 0, 6),
        (judged(GOOD, GOOD), ["Regclass"], Verdict.UNDECIDED, 6, 6),
        (MIXED, [], Verdict.REPRODUCED, 6, 6),
        (MIXED[1:], [], Verdict.UNDECIDED, 5, 5),
    ],
)
def test_classes_are_judged_on_labels_of_the_section_itself(
    rows, preliminary, expected, sections, passed
):
    results = Results({"sweep": rows}, {"gamma": 1.0, "preliminary": preliminary})
    outcome = decide_all(FINDINGS[1:], results)["classes"]
    assert (outcome.verdict, outcome.sections) == (expected, sections)
    assert (outcome.numbers["passed"], outcome.numbers["tests"]) == (passed, len(rows))
    assert outcome.numbers["always"] == len(rows)


@pytest.mark.parametrize(
    ("preliminary", "expected"),
    [
        ([], [Verdict.REPRODUCED, Verdict.REPRODUCED]),
        (["Hist2ST on frozen features"], [Verdict.UNDECIDED, Verdict.REPRODUCED]),
        (["Regclass on frozen features"], [Verdict.UNDECIDED] * 2),
    ],
)
def test_claims_need_rows_above_the_criterion(preliminary, expected):
    rows = swept(hist2st=[0.2] * 6, g0=[0.2] * 6, g1=[0.2] * 6)
    scores = judged(GOOD, GOOD)[["cancer_f1", "cancer_auc", "labels_from", "always_f1"]]
    rows = rows.assign(**scores.iloc[0].to_dict())
    outcomes = decide_all(FINDINGS, with_control(rows, preliminary=preliminary))
    assert [outcome.verdict for outcome in outcomes.values()] == expected
