"""Scores follow from predictions and counts, keep NaN, and count it."""

import numpy as np
import pandas as pd
import pytest

from compendium.evaluation.correlation import pcc
from compendium.evaluation.scores import (
    agreement,
    by_panel,
    median_table,
    on_both_targets,
    per_patient,
    scores,
    scoring_target,
    summary,
)
from compendium.runs import execute, plan_runs
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1"),
    tiny_section("S2"),
    tiny_section("S3", patient="P2"),
    tiny_section("S4", patient="P2"),
]


def test_golden_pcc(golden):
    reference = np.load(golden / "pieces.npz", allow_pickle=False)
    np.testing.assert_allclose(
        pcc(reference["pcc.pred"], reference["pcc.target"]),
        reference["pcc.r"],
        rtol=1e-5,
        atol=1e-6,
    )


def test_agreement_on_known_columns():
    measured = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    found = agreement(np.array([[2.0, 1.0], [4.0, 2.0], [8.0, 3.0]]), measured)
    assert found["pcc"][0] == pytest.approx(1)
    assert np.isnan(found["pcc"][1])
    assert np.isnan(found["spearman"][1])
    np.testing.assert_allclose(found["rmse"], [np.sqrt(21 / 3), np.sqrt((16 + 9 + 4) / 3)])


def test_one_tidy_table_scored_against_the_wide_target(home):
    runs = plan_runs("tiny", SECTIONS, ["section-out"], ["mean", "colour"], panel="all", tile_px=32)
    records = execute(runs, SECTIONS, device="cpu")
    table = scores(runs, records, SECTIONS)
    assert len(table) == 2 * 4 * 12
    assert table[table["method"] == "mean"]["pcc"].isna().all()
    row = table[
        (table["method"] == "colour") & (table["section"] == "S2") & (table["gene"] == "G0")
    ].iloc[0]
    record = next(
        r
        for run, r in zip(runs, records, strict=True)
        if run.method == "colour" and run.split.test == ("S2",)
    )
    measured = scoring_target(record.genes, SECTIONS)(SECTIONS[1])[:, 0]
    assert row["pcc"] == pytest.approx(
        np.corrcoef(record.predictions["S2"][:, 0], measured)[0, 1], rel=1e-6
    )
    assert row["rmse"] == pytest.approx(
        np.sqrt(np.mean((record.predictions["S2"][:, 0] - measured) ** 2)), rel=1e-5
    )
    pd.testing.assert_frame_equal(table, scores(runs, records, SECTIONS))
    rows = summary(table).set_index(["method", "section"])
    assert rows.loc[("mean", "S1"), "nan"] == 12
    assert rows.loc[("colour", "S1"), "values"] == 12


def test_native_target_is_a_second_column(home):
    runs = plan_runs(
        "tiny", SECTIONS, ["section-out"], ["colour"], panel="all", tile_px=32, target="raw"
    )
    table = scores(runs, execute(runs, SECTIONS, device="cpu"), SECTIONS)
    assert not np.allclose(table["pcc"], table["pcc_native"])


def test_the_patient_is_the_unit():
    table = pd.DataFrame(
        {
            "method": "m",
            "split": "s",
            "patient": ["A", "A", "B"],
            "section": ["A1", "A2", "B1"],
            "gene": "g",
            "pcc": [0.1, 0.3, 0.5],
        }
    )
    rows = per_patient(table).set_index("patient")
    assert rows["median"].to_dict() == pytest.approx({"A": 0.2, "B": 0.5})
    assert rows["sections"].to_dict() == {"A": 2, "B": 1}


def test_one_fit_is_scored_on_each_part_of_its_panel(home):
    runs = plan_runs("tiny", SECTIONS, ["section-out"], ["colour"], panel="hvg(3)+all", tile_px=32)
    table = scores(runs, execute(runs, SECTIONS, device="cpu"), SECTIONS)
    rows = by_panel(table).groupby(["section", "panel"])["gene"].nunique()
    assert set(rows.xs("all", level="panel")) == {12}
    assert set(rows.xs("hvg(3)", level="panel")) == {3}
    assert set(table["panels"]) == {"all", "hvg(3)+all"}


def test_one_prediction_is_scored_on_both_targets_and_given_depth(home):
    runs = plan_runs(
        "tiny", SECTIONS, ["section-out"], ["colour"], panel="all", tile_px=32, target="log1p"
    )
    records = execute(runs, SECTIONS, device="cpu")
    table = scores(runs, records, SECTIONS).set_index(["section", "gene"])
    run, record = next(
        pair
        for pair in zip(runs, records, strict=True)
        if "S2" in pair[1].facts["run"]["split"]["test"]
    )
    train = [section for section in SECTIONS if section.name in run.split.train]
    counts = np.concatenate([section.counts.toarray() for section in train]).astype(float)
    own = SECTIONS[1].counts.toarray().astype(float)
    total = own.sum(axis=1)
    mu = np.outer(total, counts.sum(axis=0) / counts.sum())
    residuals = (own - mu) / np.sqrt(mu + mu**2 / 100)
    limit = np.sqrt(len(counts))
    measured = {
        "pcc_pearson": np.clip(residuals, -limit, limit),
        "pcc": np.log1p(1e4 * own / total[:, None]),
    }
    names = {"pcc_pearson": "partial_pearson", "pcc": "partial"}
    design = np.column_stack([np.ones(len(total)), np.log(total)])
    for score, target in measured.items():
        sides = record.predictions["S2"].astype(float)[:, 3], target[:, 3]
        rest = [side - design @ np.linalg.lstsq(design, side, rcond=None)[0] for side in sides]
        row = table.loc[("S2", "G3")]
        assert row[score] == pytest.approx(np.corrcoef(*sides)[0, 1], abs=1e-5)
        assert row[names[score]] == pytest.approx(np.corrcoef(*rest)[0, 1], abs=1e-5)


def test_medians_of_both_targets_and_of_a_table_that_has_the_first_alone():
    table = pd.DataFrame(
        {
            "method": ["b", "b", "b", "a"],
            "pcc": [0.1, 0.2, 0.6, 0.5],
            "partial": [0.0, 0.1, np.nan, 0.3],
            "pcc_pearson": [0.4, 0.2, 0.1, 0.2],
            "partial_pearson": [0.3, 0.3, 0.3, 0.1],
        }
    )
    rows = median_table(on_both_targets(table, ["method"]), ["method"]).set_index("method")
    assert rows.loc["b"].tolist() == pytest.approx([0.2, 0.05, 0.2, 0.3])
    assert rows.loc["a"].tolist() == pytest.approx([0.5, 0.3, 0.2, 0.1])
    first = median_table(on_both_targets(table[["method", "pcc"]], ["method"]), ["method"])
    assert list(first) == ["method", "PCC (wide)"]
