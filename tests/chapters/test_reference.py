"""Splits of a reference run stand side by side only on the sections that have both."""

import pandas as pd

from compendium.chapters.id_loocv import reference


def test_splits_are_compared_on_the_sections_that_have_both():
    rows = [
        ("ridge", "C2", "section-out", 0.3),
        ("ridge", "C2", "patient-out", 0.1),
        ("ridge", "B4", "section-out", 0.9),
    ]
    rows += [("stnet", "C2", "section-out", 0.2), ("stnet", "C2", "patient-out", 0.2)]
    kept = pd.DataFrame(
        [
            {
                "method": m,
                "section": s,
                "split": split,
                "gene": "FASN",
                "panels": "markers_12",
                "pcc": pcc,
            }
            for m, s, split, pcc in rows
        ]
    )
    both = reference.side_by_side(kept)
    assert both.set_index(["split", "method"])["median"].to_dict() == {
        ("section-out", "ridge"): 0.3, ("patient-out", "ridge"): 0.1, ("section-out", "stnet"): 0.2, ("patient-out", "stnet"): 0.2,
    }  # fmt: skip
    assert set(both["sections"].map(tuple)) == {("C2",)}
    line = reference.told(both, {"ridge": "Ridge", "stnet": "ST-Net"})
    assert (
        line
        == "Highest medians: on 12 marker genes (markers_12) Ridge with 0.300 under section-out (ridge 0.300) and ST-Net with 0.200 under patient-out (ridge 0.100)."
    )
