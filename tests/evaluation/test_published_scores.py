"""The authors' scores, regrouped by patient: known numbers."""

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
    assert set(published.SIX) - set(her2["method"]) == {"DeepSpaCE"}
    assert {
        panel: set(published.SIX) - set(part["method"]) for panel, part in visium.groupby("panel")
    } == {
        "12 markers": {"ST-Net", "STimage", "DeepSpaCE"},
        "685 HVG": {"ST-Net", "STimage", "DeepSpaCE", "BLEEP"},
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
    found = published.sign_test(table, "one", "other")
    assert found == {"above": 3, "patients": 3, "p": 0.25}
    tied = published.sign_test(table.assign(other=table["one"]), "one", "other")
    assert tied["patients"] == 0 and pd.isna(tied["p"])


def test_pairs_of_methods_are_compared_within_a_panel():
    pairs = published.comparisons(published.visium())
    assert pairs.groupby("panel").size().to_dict() == {"12 markers": 3, "685 HVG": 1}
    pair = published.comparisons(published.her2()).set_index(["method", "other"])
    assert pair.loc[("Hist2ST", "BLEEP"), ["above", "patients"]].tolist() == [3, 8]
    assert pair.loc[("Hist2ST", "STimage"), "patients"] == 7


def test_each_gamma_is_compared_with_none():
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
    changes = published.gamma_changes(rows).set_index("model")
    assert changes.loc["γ = 1", ["change", "higher", "sections", "patients"]].tolist() == (
        pytest.approx([0.05, 1, 2, 2])
    )
    assert changes.loc["Hist2ST", "absolute"] == pytest.approx(0.1)
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
def test_scores_are_comparable_only_where_genes_split_and_target_agree(
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
    table = published.comparable(rows, kept).set_index("method")
    assert {name for name in table.index if table["note"][name]} == {"ST-Net", "STimage"}
    found = table["comparable"]
    assert found["BLEEP"] == expected
    assert not found.drop("BLEEP").any()
