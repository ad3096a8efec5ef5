"""Tables of the page "Which method for my slide": each number is that of the scores."""

import pandas as pd
import pytest

from compendium.chapters import advice
from compendium.evaluation.panel_names import panel_title

TITLES = {
    "colour": "Colour",
    "ridge": "Ridge",
    "texture": "Texture",
    "stnet": "ST-Net",
    "histogene": "HisToGene",
}
SECTION = {"colour": 0.30, "ridge": 0.20, "texture": 0.40, "stnet": 0.35, "histogene": 0.10}
PATIENT = {"colour": 0.10, "ridge": 0.20, "texture": -0.20, "stnet": 0.35, "histogene": 0.15}


@pytest.fixture
def scores() -> pd.DataFrame:
    """Two genes with one score a method and split, on C1 and C2; B1, D1 under section-out only."""
    rows = [
        {
            "method": method,
            "split": split,
            "section": section,
            "patient": section[0],
            "gene": gene,
            "panels": "markers_12",
            "pcc": score,
        }
        for split, medians, sections in (
            ("section-out", SECTION, ("C1", "C2", "B1", "D1")),
            ("patient-out", PATIENT, ("C1", "C2")),
        )
        for method, score in medians.items()
        for section in sections
        for gene in ("FASN", "CD74")
    ]
    return pd.DataFrame(rows)


def test_numbers_are_those_of_the_scores(scores):
    controls = advice.against_controls(scores, TITLES).iloc[0]
    assert controls.tolist() == ["12 marker genes", 0.1, 0.2, "ST-Net", 0.35, 2, 1, 2, 2]
    patient = advice.patient_left_out(scores).iloc[0]
    assert patient[["methods", "lower"]].tolist() == [5, 2]
    assert patient["mean fall"] == pytest.approx(0.15)
    whole = advice.whole_sections(scores, TITLES)
    assert whole.to_numpy().tolist() == [["HisToGene", 2, 0]]
    genes = advice.well_predicted(scores, TITLES).iloc[0]
    assert genes.tolist() == ["12 marker genes", 2, 0, "ST-Net", 2]
    training = advice.training_of(scores)
    assert training["section"].tolist() == ["C1", "C2"]
    assert set(training["trained on"]) == {"B1, D1"}


def test_tables_follow_the_scores(scores):
    scores.loc[scores["method"].isin(["histogene", "colour"]), "pcc"] = 0.5
    controls = advice.against_controls(scores, TITLES).iloc[0]
    assert controls["best method"] == "HisToGene" and controls["above both"] == 0
    assert controls["best ahead in"] == 0
    assert advice.whole_sections(scores, TITLES)["above ridge"].tolist() == [2]


def test_panels_are_in_their_order(scores):
    scores["panels"] = "markers_12+hvg_769"
    scores.loc[scores["gene"] == "CD74", ["panels", "pcc"]] = ["hvg_769", 0.6]
    controls = advice.against_controls(scores, TITLES)
    assert controls["panel"].tolist() == ["12 marker genes", "769 variable genes"]
    assert controls["Colour"].tolist() == pytest.approx([0.10, 0.35])
    genes = advice.well_predicted(scores, TITLES)
    assert (genes["genes"].tolist(), genes["ridge"].tolist()) == ([1, 2], [0, 1])


@pytest.mark.parametrize(
    ("panel", "title"),
    [
        ("markers_12", "12 marker genes"),
        ("hvg_769", "769 variable genes"),
        ("hvg(300)", "300 genes chosen in training"),
        ("all", "all shared genes"),
        ("hvg_union(1000)", "the 1000 most variable genes of any training section"),
        ("mine", "mine"),
    ],
)
def test_panels_have_a_title(panel, title):
    assert panel_title(panel) == title
