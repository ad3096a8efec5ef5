"""Chapter 8: its tables on tiny sections, the time of steps and layers, its claims."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.gat import figures
from compendium.chapters.gat.design import COMPARISONS, ROWS, TITLES, check_sizes, design
from compendium.chapters.gat.findings import FINDINGS, cost
from compendium.chapters.gat.layer_time import LAYERS, exponents, layer_times
from compendium.chapters.gat.results import tables
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.paired import by_split
from compendium.evaluation.results import Results
from compendium.evaluation.scores import summary
from compendium.evaluation.settled import last_fall
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section

PARAMETERS = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32}


@pytest.fixture
def chapter(home, monkeypatch):
    """Compute the chapter on three tiny sections of some patients."""

    def computed(patients: tuple[str, ...], splits: list[str]) -> Results:
        sections = [tiny_section(f"S{i}", patient=name) for i, name in enumerate(patients, start=1)]
        monkeypatch.setattr(comparison, "open_sections", lambda cohort, names: sections)
        monkeypatch.setattr(comparison, "placed", lambda *_: sections)
        planned = design("demo", None, splits, [], [5, 20], 1, weights="", seed=0, **PARAMETERS)
        return compute(planned, tables, "cpu")

    return computed


def test_every_row_is_fitted_scored_and_timed(chapter):
    results = chapter(("P1", "P2", "P3"), [])
    scores = results["scores"]
    assert scores.groupby("row").size().to_dict() == {row.key: 3 * 12 for row in ROWS}
    apart = by_split(scores, COMPARISONS)
    assert len(apart) == 3 * len(COMPARISONS)
    with_ridge = apart["comparison"].str.contains("ridge")  # which misses genes it cannot predict
    assert (apart["genes"][~with_ridge] == 12).all() and (apart["genes"][with_ridge] > 6).all()
    met = results["criterion"].set_index("row")["result"].to_dict()
    assert met == {row.key: row.key == "ridge" for row in ROWS}, "budget smoke is preliminary"
    steps = results["steps"].set_index("row")
    assert steps["relative"]["hist2st"] == 1
    assert steps["relative"]["gat"] > 0 and np.isnan(steps["relative"]["ridge"])
    trainable = steps["trainable"]
    assert trainable["gat-published"] < trainable["mean"] < trainable["gat"]
    fig = figures.accuracy_by_cost(summary(scores), results["steps"], TITLES)
    assert len(fig.data) == 4, "ridge has no steps"
    assert (results.facts["records"], results.facts["width"]) == (27, 32), "3 x (5 + 4) fits"
    assert set(results["curves"]["method"]) == set(TITLES) - {"ridge"}
    assert set(last_fall(results["curves"])["method"]) == set(TITLES) - {"ridge"}
    outcomes = decide_all(FINDINGS, results)
    own = outcomes["accuracy-patient-out"]
    assert (own.verdict, own.sections, own.patients) == (Verdict.UNDECIDED, 3, 3)
    assert len([limit for limit in own.limits if "criterion" in limit]) == 2
    assert outcomes["accuracy-section-out"].verdict is Verdict.UNDECIDED


def test_each_distinct_fold_is_fitted_once_and_controls_are_of_the_first_split(chapter):
    results = chapter(("P1", "P1", "P2"), ["patient-out", "section-out"])
    scores = results["scores"]
    tested = scores.groupby("split")["section"].agg(set).to_dict()
    assert tested == {"patient-out": {"S1", "S2", "S3"}, "section-out": {"S1", "S2"}}, (
        "leaving out S3 is leaving out its patient"
    )
    assert results.facts["records"] == 5 * 4 + 4 * 2 and results.facts["first"] == "patient-out"
    sizes = by_split(scores, COMPARISONS[:1]).groupby("split").size().to_dict()
    assert sizes == {"patient-out": 3, "section-out": 2}
    first = scores.query("row == 'gat' and split == 'patient-out'")
    medians = first.groupby("section")["pcc"].median()
    expected = (medians[["S1", "S2"]].mean() + medians["S3"]) / 2
    assert results["criterion"].set_index("row")["pcc"]["gat"] == pytest.approx(expected)


def apart(value: float, patients: int, result: bool = True, fold: str = "") -> Results:
    """Return results in which graph attention differs from all other rows by about a value."""
    rows = [
        {
            "row": row.key,
            "split": "patient-out",
            "patient": f"P{i}",
            "section": f"S{i}",
            "fold": fold or f"f{i}",
            "gene": "A",
            "pcc": value + i / 1e3 if row.key == "gat" else 0.0,
        }
        for row in ROWS
        for i in range(patients)
    ]
    steps = pd.DataFrame({"row": ["hist2st", "gat"], "relative": [1.0, 0.5]})
    tables = {"scores": pd.DataFrame(rows), "steps": steps}
    return Results(
        tables | {"criterion": pd.DataFrame({"row": list(TITLES), "result": result})}, {}
    )


@pytest.mark.parametrize(
    ("results", "accuracy", "attention"),
    [
        (apart(0.1, 8), Verdict.NOT_REPRODUCED, Verdict.REPRODUCED),
        (apart(-0.1, 8), Verdict.REPRODUCED, Verdict.NOT_REPRODUCED),
        (apart(0.1, 5), Verdict.UNDECIDED, Verdict.UNDECIDED),
        (apart(0.1, 8, result=False), Verdict.UNDECIDED, Verdict.UNDECIDED),
        (apart(0.1, 8, fold="f"), Verdict.UNDECIDED, Verdict.UNDECIDED),
    ],
)
def test_the_claims_about_accuracy_follow_from_the_patients(results, accuracy, attention):
    outcomes = decide_all(FINDINGS, results)
    assert outcomes["accuracy-patient-out"].verdict == accuracy
    assert outcomes["attention-patient-out"].verdict == attention
    assert outcomes["accuracy-section-out"].limits[0] == "split not run"
    assert outcomes["accuracy-patient-out"].statistic == pytest.approx(
        -outcomes["attention-patient-out"].statistic
    )


@pytest.mark.parametrize(
    ("relative", "expected"),
    [(0.5, Verdict.HOLDS), (1.2, Verdict.FAILS), (0.95, Verdict.UNDECIDED)],
)
def test_the_claim_about_cost_follows_from_the_steps(relative, expected):
    steps = pd.DataFrame({"row": ["hist2st", "gat"], "relative": [1.0, relative]})
    outcome = cost(Results({"steps": steps}, {}))
    assert (outcome.verdict, outcome.statistic) == (expected, relative)


def test_growth_is_the_exponent_between_the_two_largest_sizes():
    lines = pd.DataFrame({"layer": "a", "spots": [10, 100, 400], "seconds": [9.0, 1.0, 16.0]})
    assert exponents(lines) == {"a": pytest.approx(2)}


def test_each_layer_is_timed_at_each_size():
    lines = layer_times(64, "cpu", (5, 20), 4, repeats=1)
    assert len(lines) == 2 * len(LAYERS) and (lines["seconds"] > 0).all()
    assert len(figures.growth(lines).data) == len(LAYERS)
    assert lines.groupby("layer")["parameters"].first()["graph mean"] == 64 * 65


@pytest.mark.parametrize("sizes", [[100], [100, 100], [4, 100], []])
def test_sizes_that_cannot_be_timed_are_refused(sizes):
    with pytest.raises(BadInput, match="two or more different sizes"):
        check_sizes(sizes, 4)


def test_a_layer_needs_more_spots_than_neighbours():
    check_sizes([7, 100], 6)
    with pytest.raises(BadInput, match="at least 7"):
        check_sizes([6, 100], 6)
