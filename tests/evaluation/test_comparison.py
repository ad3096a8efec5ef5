"""The skeleton of a chapter: rows, groups, criterion, seeds, provenance."""

import pandas as pd
import pytest

from compendium.errors import BadInput
from compendium.evaluation import comparison as rows
from compendium.evaluation.comparison import (
    Design,
    Row,
    by_seed,
    compute,
    criterion,
    fitted,
    labelled,
    over_seeds,
    placed,
    provenance,
    repeated,
    seed_range,
)
from compendium.runs import plan_runs
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2")]
PARAMETERS = {"panel": "all", "encoder": "colour", "tile_px": 32}
ROW = Row("head", "ST-Net head", {"method": "stnet"})


def planned(method: str = "stnet", **words):
    return [
        (ROW.key, run)
        for run in plan_runs("tiny", SECTIONS, ["patient-out"], [method], **PARAMETERS | words)
    ]


@pytest.mark.parametrize(
    ("pcc", "control", "budget", "result"),
    [(0.2, 0.1, "laptop", True), (0.1, 0.1, "laptop", False), (0.2, 0.1, "smoke", False)],
)
def test_a_result_is_trained_enough_and_above_its_control(pcc, control, budget, result):
    own, shuffled = (
        pd.DataFrame({"row": ["head"] * 2, "pcc": [value, value]}) for value in (pcc, control)
    )
    line = criterion(own, shuffled, planned(budget=budget)).iloc[0]
    assert line.tolist() == [
        "head",
        pcc,
        control,
        budget == "laptop",
        result,
    ]


def test_a_control_needs_no_control():
    own = pd.DataFrame({"row": ["head"], "pcc": [0.2]})
    assert criterion(own, own[:0], planned("ridge"))["result"].tolist() == [True]


def test_groups_are_executed_as_one_and_told_apart(home):
    groups = fitted(
        {
            "fits": planned(budget="smoke"),
            "permuted": planned(budget="smoke", permute=True),
            "none": [],
        },
        SECTIONS,
        "cpu",
    )
    scores = groups["fits"].scores(SECTIONS)
    assert (
        set(scores["method"]) == set(scores["row"]) == {"head"}
        and not scores["permuted"].any()
        and scores["fold"].nunique() == 2
    )
    assert groups["permuted"].scores(SECTIONS)["permuted"].all()
    assert groups["none"].scores(SECTIONS).empty and groups["none"].curves().empty
    curves = groups["fits"].curves()
    assert (curves.loc[curves["epoch"] == 0, "relative"] == 1).all() and len(curves) == 2 * groups[
        "fits"
    ].jobs[0][1].epochs
    cost = groups["fits"].cost().iloc[0]
    assert (cost["row"], cost["fits"], cost["training spots"]) == ("head", 2, 24) and cost[
        "seconds"
    ] > 0
    facts = provenance(groups)
    assert (
        facts["records"] == 4
        and facts["stages"]
        == {"scores": 1, "method stnet": 1, "features": 1, "inputs": 1, "fit": 1}
        and facts["device"].startswith("CPU")
    )


def test_a_row_below_the_criterion_is_labelled_preliminary():
    titles = {"a": "ST-Net", "b": "Ridge", "c": "Mean"}
    assert labelled(titles, {"a": False, "b": True}) == titles | {"a": "ST-Net (preliminary)"}


def test_a_design_lists_its_fits_and_is_computed(home, monkeypatch):
    monkeypatch.setattr(rows, "open_sections", lambda cohort, names: SECTIONS)
    jobs = repeated([("mean", run) for _, run in planned("mean", budget="smoke")], 1)
    design = Design("demo", SECTIONS, {"fits": jobs}, "clean", {"order": ["mean"]})
    line = design.table().iloc[0]
    expected = ["fits", "mean", "patient-out", 2, 1, 1]
    columns = ["group", "row", "split", "folds", "seeds", "training sections"]
    assert line[columns].tolist() == expected
    results = compute(
        design,
        lambda design, groups, sections: (
            {"scores": groups["fits"].scores(sections)},
            {"genes": 12},
        ),
        "cpu",
    )
    assert len(results["scores"]) == 2 * 12 and results.facts["data"].startswith("demo ")
    assert results.facts["records"] == 2 and results.facts["genes"] == 12
    assert results.facts["order"] == ["mean"] and results.facts["protocol"] == "clean"


def test_sections_of_a_design_are_those_of_the_catalogue():
    assert [section.name for section in placed("her2st", ["C4", "B4"])] == ["C4", "B4"]
    assert len(placed("wu+tenx")) == 9


def test_seeds_of_heads_are_averaged(home):
    jobs = repeated(
        [
            *planned(budget="smoke"),
            *[("ridge", run) for _, run in planned("ridge", budget="smoke")],
        ],
        3,
    )
    assert [(key, run.seed) for key, run in jobs[:4]] == [
        ("head", 0),
        ("head", 1),
        ("head", 2),
        ("head", 0),
    ] and len(jobs) == 8, "a closed form has no seed"
    group = fitted({"fits": jobs}, SECTIONS, "cpu")["fits"]
    every = group.scores(SECTIONS)
    mean = over_seeds(every)
    assert list(mean) == list(every) and len(mean) == 4 * 12 and set(mean["seed"]) == {0}
    some = {"row": "head", "section": "S1", "gene": mean["gene"][0]}
    theirs = every[(every[list(some)] == pd.Series(some)).all(axis=1)]["pcc"]
    assert theirs.nunique() == 3 and mean[(mean[list(some)] == pd.Series(some)).all(axis=1)][
        "pcc"
    ].item() == pytest.approx(theirs.mean())
    assert over_seeds(mean) is mean and [run.seed for _, run in group.once.jobs] == [0] * 4
    apart = (
        by_seed(every)
        .groupby("method")["median"]
        .agg(lambda medians: medians.max() - medians.min())
    )
    table = seed_range(by_seed(every))
    line = table[table["seeds"] > 1].iloc[0]
    assert (line["method"], line["seeds"]) == ("head", 3)
    assert line["range"] == pytest.approx(apart["head"]) and apart["ridge"] == 0
    assert seed_range(by_seed(mean))["range"].isna().all()


def test_a_score_that_one_seed_lacks_is_missing():
    line = {
        "row": "head",
        "fold": "f",
        "section": "S1",
        "gene": "G",
        "spearman": 0.1,
        "rmse": 1.0,
        "pcc_native": 0.1,
    }
    table = pd.DataFrame([line | {"seed": 0, "pcc": 0.2}, line | {"seed": 1, "pcc": float("nan")}])
    assert over_seeds(table)["pcc"].isna().tolist() == [True] and over_seeds(table)[
        "rmse"
    ].tolist() == [1.0]


def test_folds_are_chosen_by_what_they_test():
    runs = [run for _, run in planned()]
    assert rows.testing(runs, []) == runs and [
        run.split.test for run in rows.testing(runs, ["S2"])
    ] == [("S2",)]
    with pytest.raises(
        BadInput,
        match="tested names S9, but the folds of patient-out test S1, S2; "
        "name one of these, or other splits",
    ):
        rows.testing(runs, ["S9"])
