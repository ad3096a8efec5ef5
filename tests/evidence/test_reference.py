"""Reference scores are kept with the facts of their making, and read only together."""

import json

import numpy as np
import pandas as pd
import pytest

from compendium import disk
from compendium.errors import BadInput
from compendium.evidence import reference


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with nothing in it but its catalogue."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sources.yaml").write_text("")
    monkeypatch.setattr(disk, "CHECKOUT", tmp_path)
    return tmp_path


def table():
    return pd.DataFrame({
        "method": ["ridge", "mean"], "title": ["Ridge", "Training mean"], "split": "section-out", "section": "C2", "patient": "C", "gene": "FASN",
        "panels": "markers_12+hvg_769", "spots": 187, "pcc": [0.25, np.nan], "result": True, "seed": 0,
    })  # fmt: skip


def test_what_is_kept_is_read(checkout):
    reference.keep("two", table(), {"device": "CPU"})
    read, facts = reference.read("two")
    assert list(read.columns) == list(reference.COLUMNS)
    assert read["pcc"][0] == pytest.approx(0.25)
    assert np.isnan(read["pcc"][1])
    assert facts["device"] == "CPU"
    assert facts["rows"] == 2


def test_scores_of_another_making_are_refused(checkout):
    reference.keep("two", table(), {"device": "CPU"})
    path = checkout / "data" / "reference" / "two.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scores_sha256": "0" * 64}))
    with pytest.raises(BadInput, match="take both from the same commit"):
        reference.read("two")


def test_nothing_is_kept_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "CHECKOUT", tmp_path)
    with pytest.raises(BadInput, match="clone of the repository"):
        reference.keep("two", table(), {})
    assert not any(tmp_path.iterdir())


def test_splits_are_compared_on_the_sections_that_have_both():
    rows = [("ridge", "C2", "section-out", 0.3), ("ridge", "C2", "patient-out", 0.1), ("ridge", "B4", "section-out", 0.9)]
    rows += [("stnet", "C2", "section-out", 0.2), ("stnet", "C2", "patient-out", 0.2)]
    kept = pd.DataFrame([{"method": m, "section": s, "split": split, "gene": "FASN", "panels": "markers_12", "pcc": pcc} for m, s, split, pcc in rows])
    both = reference.side_by_side(kept)
    assert both.set_index(["split", "method"])["median"].to_dict() == {
        ("section-out", "ridge"): 0.3, ("patient-out", "ridge"): 0.1, ("section-out", "stnet"): 0.2, ("patient-out", "stnet"): 0.2,
    }  # fmt: skip
    assert set(both["sections"].map(tuple)) == {("C2",)}
    line = reference.told(both, {"ridge": "Ridge", "stnet": "ST-Net"})
    assert line == "Highest medians. markers_12: Ridge with 0.300 under section-out (ridge 0.300) and ST-Net with 0.200 under patient-out (ridge 0.100)."
