"""The learning bar: shares of what can be reached, and reasons that follow from the curve."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.id_loocv.attainable import bar, reached, reason, told


def test_the_share_is_over_learnable_genes_and_the_same_sections():
    known = pd.DataFrame(
        {
            "section": ["S1", "S1", "S1", "S2"],
            "gene": ["a", "b", "c", "a"],
            "image_attainable": [0.8, 0.4, 0.0, 0.4],
            "learnable": [True, True, False, True],
        }
    )
    table = pd.DataFrame(
        {
            "method": "m",
            "section": ["S1", "S1", "S1", "S2"],
            "gene": ["a", "b", "c", "a"],
            "pcc": [0.4, 0.3, 0.9, np.nan],
        }
    )
    rows = reached(table, known).set_index("gene")
    assert rows["pcc"].to_dict() == {"a": 0.4, "b": 0.3}
    assert rows["image_attainable"].to_dict() == {
        "a": 0.8,
        "b": 0.4,
    }  # section S2 has no PCC, so it counts on neither side
    found = bar(reached(table, known)).iloc[0]
    assert found["share"] == pytest.approx(0.35 / 0.6)
    assert found["reached"]
    assert not bar(reached(table.assign(pcc=table["pcc"] / 2), known)).iloc[0]["reached"]


@pytest.mark.parametrize(
    ("last", "said"), [(0.5, "still fell by 44%"), (0.9, "had settled by epoch 20")]
)
def test_the_reason_reads_the_curve(last, said):
    assert said in reason(np.array([0.9] * 19 + [last]))


def test_the_sentence_counts_and_names_what_a_linear_model_reaches():
    assert (
        told(2, 7, linear=0.8)
        == "2 of 7 trained methods stay below 50% of what can be reached; ridge on the same features reaches 80%."
    )
    assert "ridge" not in told(0, 7, linear=np.nan)
