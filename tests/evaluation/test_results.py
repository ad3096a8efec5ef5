"""Tables and facts of a chapter are kept together and read only together.

They are compared without what depends on the clock.
"""

import numpy as np
import pandas as pd
import pytest

from compendium.errors import BadInput
from compendium.evaluation.results import (
    FACTS,
    OTHER,
    TOLERANCE,
    Difference,
    Results,
    differences,
    read,
    summarise_differences,
    write,
)


def found(**columns):
    scores = pd.DataFrame(
        {
            "method": ["ridge", "mean"],
            "pcc": [0.25, np.nan],
            "spots": [187, 187],
            "seconds": [1.5, 2.5],
        }
        | columns
    )
    return Results(
        {"scores": scores, "empty": pd.DataFrame(columns=["method", "gene"])},
        {"device": "CPU", "order": ["ridge", "mean"], "titles": {"b": "B", "a": "A"}},
    )


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "one", found())
    again = read(tmp_path / "one")
    assert again["scores"].dtypes.astype(str).to_dict() == {
        "method": again["scores"]["method"].dtype,
        "pcc": "float32",
        "spots": "int64",
        "seconds": "float32",
    }
    assert again["scores"]["pcc"].isna().tolist() == [False, True]
    assert again["empty"].empty and list(again["empty"]) == ["method", "gene"]
    assert again.facts["device"] == "CPU"
    assert list(again.facts["titles"]) == ["b", "a"], "an order that was given stays"


def test_numbers_of_single_genes_have_four_decimals_and_others_are_as_they_were(tmp_path):
    table = pd.DataFrame({"gene": ["A", "B"], "pcc": [0.123456, np.nan], "spots": [7, 8]})
    tables = {"scores": table, "medians": table.drop(columns="gene")}
    write(tmp_path / "kept", Results(tables, {}))
    again = read(tmp_path / "kept")
    assert again["scores"]["pcc"].tolist()[0] == np.float32(0.1235)
    assert again["medians"]["pcc"].tolist()[0] == np.float32(0.123456)
    assert np.isnan(again["scores"]["pcc"][1]) and again["scores"]["spots"].tolist() == [7, 8]


def test_it_is_written_again_bit_for_bit(tmp_path):
    write(tmp_path / "one", found())
    write(tmp_path / "two", read(tmp_path / "one"))
    assert all(
        (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()
        for path in (tmp_path / "one").iterdir()
    )


def test_a_table_of_another_making_is_refused(tmp_path):
    write(tmp_path / "one", found())
    write(tmp_path / "two", found(pcc=[0.3, 0.1]))
    (tmp_path / "two" / "scores.parquet").replace(tmp_path / "one" / "scores.parquet")
    with pytest.raises(
        BadInput,
        match=r"scores.parquet is not the table that facts.json describes"
        r".*take the folder from one commit",
    ):
        read(tmp_path / "one")


def test_a_folder_without_facts_is_refused_in_one_line(tmp_path):
    write(tmp_path / "one", found())
    (tmp_path / "one" / FACTS).unlink()
    with pytest.raises(BadInput, match="holds no tables of a chapter") as error:
        read(tmp_path / "one")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("columns", "largest", "share"),
    [
        ({}, 0.0, 0.0),
        ({"seconds": [9.0, 9.0]}, 0.0, 0.0),
        ({"pcc": [0.5, np.nan]}, 0.25, 0.5),
        ({"pcc": [0.25, 0.1]}, np.inf, np.inf),
        ({"method": ["ridge", "stnet"]}, np.inf, np.inf),
        ({"spots": [187, 189]}, 2.0, 1 / np.sqrt((187**2 + 189**2) / 2)),
        ({"more": [1, 2]}, np.inf, np.inf),
    ],
)
def test_tables_are_compared_by_number_and_word(columns, largest, share):
    assert differences(found(), found(**columns)) == {
        "empty": (0.0, 0.0),
        "scores": pytest.approx((largest, share)),
    }


def test_the_share_is_that_of_the_column_that_differs_most():
    one, kept = (
        Results({"a": pd.DataFrame({"pcc": [0.1, -0.1], "spots": values, "zero": [0.0, 0.0]})}, {})
        for values in ([190.0, 200.0], [200.0, 200.0])
    )
    assert differences(one, kept) == {"a": pytest.approx((10.0, 5 / 200))}


def test_a_table_that_one_lacks_is_another():
    assert differences(found(), Results({}, {})) == {"empty": OTHER, "scores": OTHER}


@pytest.mark.parametrize(
    ("apart", "exact", "said"),
    [
        ((Difference(0.0, 0.0), Difference(0.0, 0.0)), "all", "times left out"),
        (
            (Difference(0.0, 0.0), Difference(0.0125, 0.03)),
            "1 of 2",
            "b differs by up to 0.013, on average by 3% of its size, within",
        ),
        (
            (Difference(0.9, 0.1), Difference(0.5, 2 * TOLERANCE)),
            "0 of 2",
            f"b differs by up to 0.5, on average by {2 * TOLERANCE:.0%} of its size, "
            f"beyond the tolerance of {TOLERANCE:.0%}",
        ),
        (
            (OTHER, Difference(0.1, TOLERANCE)),
            "0 of 2",
            f"b differs by up to 0.1, on average by {TOLERANCE:.0%} of its size, within the",
        ),
        ((OTHER, Difference(0.1, 0.1)), "0 of 2", "; other rows or texts: a"),
        ((OTHER, OTHER), "0 of 2", "times left out; other rows or texts: a, b"),
    ],
)
def test_the_comparison_is_told(apart, exact, said):
    line = summarise_differences(dict(zip("ab", apart, strict=True)))
    assert line.startswith(exact) and "equal, times left out" in line and said in line
