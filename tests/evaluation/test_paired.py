"""Paired differences of rows, by section and by patient."""

import numpy as np
import pandas as pd
import pytest

from compendium.evaluation.paired import Comparison, below, by_split, describe, differences
from compendium.evaluation.results import Results

PAIRS = (Comparison("a − b", "a", "b"), Comparison("a − c", "a", "c"))


def scored(shift: dict[str, float], folds=("f",)) -> pd.DataFrame:
    """Return scores of three rows on some genes, those of a row moved by its shift."""
    rng = np.random.default_rng(0)
    base = pd.DataFrame(
        [
            {"section": s, "patient": s[-1], "fold": f, "gene": g, "pcc": rng.uniform(-0.2, 0.4)}
            for s in ("S2", "S3", "S4")
            for f in folds
            for g in "ABCDE"
        ]
    )
    rows = [base.assign(row=key, pcc=base["pcc"] + shift.get(key, 0.0)) for key in "abc"]
    return pd.concat(rows, ignore_index=True)


def test_a_difference_is_of_the_same_genes_and_a_section_counts_once():
    table = scored({"a": 0.1}, folds=("f", "g"))
    absent = (table["row"] == "a") & (table["gene"] == "A") & (table["section"] == "S2")
    table.loc[absent, "pcc"] = np.nan
    apart = differences(table, PAIRS)
    pair = apart[apart["comparison"] == "a − b"].set_index("section")
    assert pair.index.tolist() == ["S2", "S3", "S4"]
    np.testing.assert_allclose(pair["difference"], 0.1)
    assert pair["genes"].to_dict() == {"S2": 4, "S3": 5, "S4": 5}


def test_splits_are_compared_by_themselves():
    table = pd.concat([scored({"a": 0.1}).assign(split="x"), scored({"a": -0.1}).assign(split="y")])
    means = by_split(table, PAIRS[:1]).groupby("split")["difference"].mean()
    assert means.to_dict() == {"x": pytest.approx(0.1), "y": pytest.approx(-0.1)}


def test_a_patient_counts_once_whatever_its_sections():
    lines = [("A", "A1", 0.1), ("A", "A2", 0.3), ("A", "A2", 0.5), ("B", "B1", 0.05)]
    apart = pd.DataFrame(lines, columns=["patient", "section", "difference"])
    line = describe(apart.assign(comparison="a − b")).iloc[0]
    assert (line["sections"], line["patients"], line["p"]) == (3, 2, 0.5)
    assert line["difference"] == pytest.approx((0.25 + 0.05) / 2)
    assert np.isnan(line["low"])


def test_groups_are_described_by_themselves():
    table = pd.concat([scored({"a": 0.1}).assign(split="x"), scored({"a": -0.1}).assign(split="y")])
    lines = describe(by_split(table, PAIRS), ["comparison", "split"])
    assert lines["difference"].tolist() == [pytest.approx(each) for each in (0.1, 0.1, -0.1, -0.1)]
    assert set(lines["patients"]) == {3}


def test_rows_below_the_criterion_are_named():
    criterion = pd.DataFrame({"row": ["a", "b", "c"], "result": [True, True, False]})
    assert below(Results({"criterion": criterion}, {})) == {"c"}
