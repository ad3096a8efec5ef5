"""The authors' scores, regrouped: known numbers, and words that follow from the rows."""

import pandas as pd
import pytest

from compendium.evaluation import published


def test_means_by_patient_are_known():
    table = published.by_patient(published.her2(), value="mean").round(2)
    assert table["BLEEP"].to_dict() == {
        "A": 0.12,
        "B": 0.44,
        "C": 0.29,
        "D": 0.22,
        "E": 0.05,
        "F": 0.01,
        "G": 0.21,
        "H": 0.12,
    }
    assert table["Hist2ST"].to_dict() == {
        "A": 0.10,
        "B": 0.32,
        "C": 0.19,
        "D": 0.19,
        "E": 0.09,
        "F": 0.05,
        "G": 0.12,
        "H": 0.14,
    }
    assert table["STimage"].isna().to_dict() == {patient: patient == "H" for patient in "ABCDEFGH"}


def test_every_row_has_its_patient_and_what_is_missing_is_named():
    her2, visium = published.her2(), published.visium()
    assert (her2["section"].nunique(), her2["patient"].nunique()) == (36, 8)
    assert (visium["section"].nunique(), visium["patient"].nunique()) == (9, 8)
    assert visium.loc[visium["section"].isin(["block1", "block2"]), "patient"].nunique() == 1
    assert published.lacking(her2["method"]) == ["DeepSpaCE"]
    assert {
        panel: published.lacking(part["method"]) for panel, part in visium.groupby("panel")
    } == {
        "12 markers": ["ST-Net", "STimage", "DeepSpaCE"],
        "685 HVG": ["ST-Net", "STimage", "DeepSpaCE", "BLEEP"],
    }


def test_patients_are_counted_and_tested():
    table = pd.DataFrame(
        {
            "one": [0.3, 0.2, 0.5, 0.1],
            "other": [0.1, 0.1, 0.4, None],
            "third": [0.2, 0.9, 0.1, 0.0],
        },
        index=list("ABCD"),
    )
    assert published.highest(table) == "one in 3 of 4 patients, third in 1"
    assert (
        published.against(table, "one", "other")
        == "one lies above other in 3 of 3 (exact two-sided sign test, p = 0.25)"
    )


def test_each_gamma_is_told_beside_chance():
    rows = pd.DataFrame(
        [
            {"model": model, "section": section, "patient": section, "median": median}
            for model, medians in {
                "Hist2ST": (0.1, 0.3),
                "γ = 0": (0.2, 0.2),
                "γ = 1": (0.4, 0.1),
            }.items()
            for section, median in zip("AB", medians, strict=True)
        ]
    )
    told = published.regclass_told(rows)
    assert (
        "γ = 1 by +0.050 (higher in 1 of 2 sections)" in told
        and "lie 0.100 apart" in told
        and "of 2 donors" in told
    )
    assert list(dict.fromkeys(published.regclass()["model"])) == [
        "Hist2ST",
        "γ = 0",
        "γ = 0.5",
        "γ = 1",
        "γ = 10",
    ]


@pytest.mark.parametrize(
    ("target", "left_out", "expected"),
    [("wide", "", True), ("raw", "", False), ("wide", "H3", False)],
)
def test_ours_stands_beside_only_where_genes_split_and_target_agree(
    monkeypatch, target, left_out, expected
):
    rows = published.her2()
    kept = pd.DataFrame(
        {
            "split": "section-out",
            "section": sorted(set(rows["section"]) - {left_out}),
            "panels": "markers_12+hvg_769",
        }
    )
    monkeypatch.setitem(published.HER2, "BLEEP", ("hvg_769", target))
    found = published.beside(rows, kept).set_index("method")["beside ours"]
    assert found["BLEEP"] == expected
    assert not found.drop("BLEEP").any()
