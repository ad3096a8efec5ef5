"""What stands in a table is read as it stands there, whatever pandas takes it for."""

import numpy as np
import pandas as pd
import pytest

from compendium.data.readers.tables import annotated_counts, read_table, text


@pytest.mark.parametrize(
    "words",
    [
        ["NA", "None", "nan", "", "null", "N/A", "007", "invasive cancer"],
        ["1", "2"],
        ["1.0", ""],
        ["", ""],
    ],
)
def test_spot_and_label_are_text(tmp_path, words):
    (tmp_path / "spots.csv").write_text(
        "spot,label,x\n" + "".join(f"{word},{word},{i}\n" for i, word in enumerate(words))
    )
    table = read_table(tmp_path / "spots.csv", ("spot", "x"))
    assert table["spot"].tolist() == table["label"].tolist() == words
    assert table["x"].tolist() == list(range(len(words)))


def test_a_number_may_be_missing(tmp_path):
    (tmp_path / "spots.csv").write_text("label,x,y\nNA,NA,1\nb,,2.5\nc,3,N/A\n")
    table = read_table(tmp_path / "spots.csv", ("x", "y", "label"))
    np.testing.assert_array_equal(
        table[["x", "y"]].to_numpy(), [[np.nan, 1], [np.nan, 2.5], [3, np.nan]]
    )


@pytest.mark.parametrize("kind", [object, "str", "string"])
def test_a_label_is_whole_beside_one_that_is_missing(tmp_path, kind):
    stated = (
        pd.Series(["invasive cancer", None, "stroma "], dtype=object).astype(kind)
        if kind != "str"
        else pd.Series(["invasive cancer", np.nan, "stroma "])
    )
    assert text(stated.str.strip()).tolist() == ["invasive cancer", "", "stroma"]


def test_names_of_an_annotated_table_are_whole(tmp_path):
    from anndata import AnnData

    spots, genes = ["AAACG-1", "NA", "T"], ["ERBB2", "nan"]
    table = AnnData(
        np.ones((3, 2), np.float32), obs=pd.DataFrame(index=spots), var=pd.DataFrame(index=genes)
    )
    found = annotated_counts(table, "mine")
    assert (found[0].tolist(), found[1].tolist()) == (spots, genes)
