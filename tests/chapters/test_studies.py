"""What chapters compute, on tiny sections: every table that their pages draw, with the rows that it must have."""

import numpy as np

from compendium.chapters.data_review import results as data_review
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, labelled=True),
]


def test_thinning_takes_counts_and_never_adds(monkeypatch):
    lines = data_review.thinned(SECTIONS[0], SECTIONS[0].genes.tolist())
    measured, thin = lines.to_dict("records")
    assert measured["UMIs"] == SECTIONS[0].counts.sum() and thin["counts"] == "thinned to 10%"
    assert 0.05 * measured["UMIs"] < thin["UMIs"] < 0.2 * measured["UMIs"]
    assert thin["genes seen at all"] <= measured["genes seen at all"] and np.all(
        lines["genes without variance"].diff().dropna() >= 0
    )
