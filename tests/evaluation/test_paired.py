"""Paired differences of rows, and what sections decide about them."""

import numpy as np
import pandas as pd
import pytest

from compendium.evaluation.paired import (
    BETTER,
    PRELIMINARY,
    UNDECIDED,
    WORSE,
    Comparison,
    below,
    by_split,
    differences,
    verdict,
    verdicts,
)
from compendium.evaluation.results import Results

PAIRS = (Comparison("a − b", "a", "b"), Comparison("a − c", "a", "c", claim=False))


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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.2, 0.1], BETTER),
        ([-0.1, -0.2, -0.1], WORSE),
        ([0.1, -0.2, 0.1], UNDECIDED),
        ([0.1, 0.1], UNDECIDED),
        ([0.1, 0.1, 0.0], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_a_verdict_takes_three_sections_of_two_patients_that_agree(values, expected):
    sections = [f"S{i}" for i in range(len(values))]
    patients = [f"P{i // 2}" for i in range(len(values))]
    apart = pd.DataFrame({"section": sections, "patient": patients, "difference": values})
    assert verdict(apart) == expected
    assert verdict(apart.assign(patient="P1")) == UNDECIDED


def test_a_preliminary_row_decides_nothing():
    criterion = pd.DataFrame({"row": ["a", "b", "c"], "result": [True, True, False]})
    assert below(Results({"criterion": criterion}, {})) == {"c"}
    lines = verdicts(differences(scored({"a": 0.1}), PAIRS), PAIRS, {"c"})
    assert lines["verdict"].tolist() == [BETTER, PRELIMINARY]
    assert lines["claim"].tolist() == [True, False]
    assert lines["first is above in"].tolist() == [3, 3]
