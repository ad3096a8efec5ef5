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
        "panels": "markers_12+hvg_769", "spots": 187, "pcc": [0.25, np.nan], "pcc_native": [0.25, np.nan], "result": True, "seed": 0,
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
