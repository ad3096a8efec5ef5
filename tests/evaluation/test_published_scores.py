"""The authors' scores, regrouped by patient: known numbers."""

import pandas as pd
import pytest

from compendium.evaluation import published


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


def test_differences_are_of_sections_that_both_methods_have():
    rows = published.her2()
    apart = published.apart(rows, "STimage", "BLEEP")
    assert (len(apart), apart["patient"].nunique()) == (32, 7)
    means = rows.set_index(["method", "section"])["mean"]
    first = apart.set_index("section")["difference"]["A2"]
    assert first == pytest.approx(means["STimage", "A2"] - means["BLEEP", "A2"])


def test_a_patient_counts_once_and_is_tested_by_sign_flips():
    apart = pd.DataFrame({"patient": list("PPQRS"), "difference": [0.1, 0.3, 0.1, 0.3, 0.2]})
    found = published.describe(apart)
    assert found["difference"] == pytest.approx(0.2)
    assert (found["patients"], found["above"], found["p"]) == (4, 4, 2 / 2**4)
    half = 3.182446 * (0.02 / 3 / 4) ** 0.5
    assert (found["low"], found["high"]) == pytest.approx((0.2 - half, 0.2 + half))


def test_pairs_of_methods_are_compared_within_a_panel():
    pairs = published.comparisons(published.visium())
    assert pairs.groupby("panel").size().to_dict() == {"12 markers": 3, "685 HVG": 1}
    pair = published.comparisons(published.her2()).set_index(["method", "other"])
    assert pair.loc[("HisToGene", "BLEEP"), ["above", "patients", "p"]].tolist() == [0, 8, 2 / 2**8]
    assert pair.loc[("Hist2ST", "BLEEP"), "difference"] == pytest.approx(-0.0322, abs=1e-4)
    assert pair.loc[("Hist2ST", "STimage"), "patients"] == 7


@pytest.mark.parametrize(
    ("quartiles", "least", "most"),
    [
        ((0.12, 0.2, 0.28), 0.5, 1),
        ((0.05, 0.2, 0.4), 0, 0.5),
        ((0.15, 0.35, 0.4), 0, 0.5),
        ((0.0, 0.05, 0.2), 0, 0.5),
        ((0.11, 0.12, 0.35), 0.25, 0.75),
    ],
)
def test_quartiles_bound_the_share_between_two_numbers(quartiles, least, most):
    row = {"method": "M", "patient": "P", "section": "S", "genes": 10, "nan": 0}
    row |= dict(zip(("q25", "median", "q75"), quartiles, strict=True))
    found = published.share_between(pd.DataFrame([row]), 0.1, 0.3).iloc[0]
    assert (found["least"], found["most"]) == (least, most)


def test_bounds_of_sections_are_weighted_by_their_scores():
    few = {"method": "M", "patient": "P", "section": "S", "genes": 10, "nan": 0}
    few |= {"q25": 0.12, "median": 0.2, "q75": 0.28}
    many = few | {"section": "T", "genes": 40, "nan": 10, "q25": 0.4, "median": 0.5, "q75": 0.6}
    found = published.share_between(pd.DataFrame([few, many]), 0.1, 0.3).iloc[0]
    assert (found["scores"], found["sections"], found["patients"]) == (40, 2, 1)
    assert (found["least"], found["most"]) == pytest.approx((0.125, 0.4375))


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
