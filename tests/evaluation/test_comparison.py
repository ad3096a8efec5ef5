"""The skeleton of a chapter: rows, groups, criterion, seeds, provenance."""

import numpy as np
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


def fits(*folds: list[float]) -> pd.DataFrame:
    """Scores of one row, a list of the PCC of its seeds for each fold."""
    lines = [
        {"row": "head", "fold": f"f{fold}", "seed": seed, "section": f"S{fold}", "pcc": pcc}
        for fold, seeds in enumerate(folds)
        for seed, pcc in enumerate(seeds)
    ]
    return pd.DataFrame(lines, columns=["row", "fold", "seed", "section", "pcc"])


def met(own, control, **words) -> bool:
    return bool(criterion(fits(*own), fits(*control), planned(**words))["result"].item())


FIVE = [[0.20], [0.22], [0.19], [0.21], [0.20]]
NOTHING = [[0.0]] * 5


def test_a_row_needs_to_be_above_its_control_by_two_standard_errors():
    noisy = [[0.6], [0.01], [0.02], [0.01], [-0.3]]
    assert not met(noisy, [[0.0]] * 4 + [[-0.5]]), "above in every fold, by less than the noise"
    assert met(FIVE, NOTHING)
    assert not met(FIVE, [[0.19], [0.25], [0.14], [0.24], [0.15]])
    below_zero = [[each[0] - 0.3] for each in FIVE]
    assert not met(below_zero, [[-0.5]] * 5), "above its control and below 0"


@pytest.mark.parametrize(("folds_above", "result"), [(5, True), (4, True), (3, False)])
def test_four_of_five_folds_are_above_the_control(folds_above, result):
    control = [[0.0]] * folds_above + [[0.25]] * (5 - folds_above)
    own = [[0.9], [0.9], [0.9], [0.9], [0.2]] if folds_above == 4 else [[0.24]] * 5
    line = criterion(fits(*own), fits(*control), planned()).iloc[0]
    assert (line["above"], line["compared"], line["result"]) == (folds_above, 5, result)


def test_of_fewer_folds_all_are_above():
    own = [[0.30, 0.31, 0.29]] * 4
    assert met(own, [[0.0]] * 4)
    assert not met(own, [[0.0]] * 3 + [[0.32]])


def test_epochs_and_width_do_not_decide():
    assert met(FIVE, NOTHING, epochs=10)
    assert not met(FIVE, NOTHING, budget="smoke")


def test_the_error_is_that_of_folds_and_of_seeds_where_there_is_one_fold():
    line = criterion(fits([0.1, 0.3], [0.3, 0.3]), fits([0.1], [0.0]), planned()).iloc[0]
    assert line[["fits", "folds", "compared"]].tolist() == [4, 2, 2]
    assert line["pcc"] == pytest.approx(0.25) and line["permuted"] == pytest.approx(0.05)
    assert line["error"] == pytest.approx(0.05) and line["gain_error"] == pytest.approx(0.1)
    alone = criterion(fits([0.1, 0.3]), fits([0.1]), planned()).iloc[0]
    assert alone[["error", "gain_error"]].tolist() == pytest.approx([0.1, 0.1])


def test_a_single_fit_and_a_row_without_control_are_preliminary():
    assert not met([[0.9]], [[0.0]]) and met([[0.9, 0.8]], [[0.0]])
    assert not met(FIVE, [])
    assert met([[0.9, 0.8], [0.9, 0.8]], [[0.0]]), "compared in the fold that has a control"


def test_seeds_of_a_fold_do_not_make_up_for_folds():
    five = [0.3, 0.01, 0.02, 0.01, 0.02]
    assert not met([[pcc] * 9 for pcc in five], NOTHING)


def test_a_constant_prediction_counts_as_no_correlation():
    assert met(FIVE, [[float("nan")]] * 5)
    assert not met([[float("nan")]] * 5, [[-0.1]] * 5)


def test_a_control_needs_no_control():
    found = criterion(fits([0.2]), fits(), planned("ridge"))
    assert found["result"].tolist() == [True] and np.isnan(found["permuted"].item())


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
        == {"scores": 2, "method stnet": 1, "features": 1, "inputs": 1, "fit": 1}
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
        "partial": 0.1,
        "pcc_pearson": 0.1,
        "partial_pearson": 0.1,
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
