"""Sentences about reference scores: each number is that of the table it is read from."""

import pandas as pd
import pytest

from compendium.chapters.advice import advice
from compendium.evaluation.panel_names import said
from compendium.evaluation.verdict import others

TITLES = {
    "colour": "Colour",
    "ridge": "Ridge",
    "coordinates": "Place",
    "stnet": "ST-Net",
    "histogene": "HisToGene",
}
SECTION = {"colour": 0.30, "ridge": 0.20, "coordinates": 0.40, "stnet": 0.35, "histogene": 0.10}
PATIENT = {"colour": 0.10, "ridge": 0.20, "coordinates": -0.20, "stnet": 0.35, "histogene": 0.15}


@pytest.fixture
def kept() -> pd.DataFrame:
    """Two genes with one score each a method and split, on two sections of patient C; one section of B, and one of D, under section-out only."""
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
        for split, scores, sections in (
            ("section-out", SECTION, ("C1", "C2", "B1", "D1")),
            ("patient-out", PATIENT, ("C1", "C2")),
        )
        for method, score in scores.items()
        for section in sections
        for gene in ("FASN", "CD74")
    ]
    return pd.DataFrame(rows)


def test_every_sentence_is_computed(kept):
    told = advice(kept, TITLES)
    assert told["advice_ground"].startswith(
        "2 sections (C1, C2) of 1 patient can be compared under both splits; with the patient left out training is for patient C on B1, D1."
    )
    assert told["advice_ground"].endswith(others(3)) and "p = 0.25" in others(3)
    assert told["advice_first"] == (
        "On 12 marker genes with the patient left out the median PCC is 0.100 for Colour; 0.200 for Ridge; and 0.350 for the best of 2 published methods (ST-Net). "
        "1 of them exceed both controls, the best one in 2 of 2 sections."
    )
    assert (
        told["advice_sections"]
        == "Of 2 comparisons (panel and split) with ridge on the same features the higher is HisToGene in 0."
    )
    assert told["advice_patient"].endswith(
        "than with the section left out for 2 of 5 rows, by 0.150 on average."
    )
    assert told["advice_position"].endswith(
        "of 0.400 with the section left out and of -0.200 with the patient left out."
    )
    assert told["advice_genes"] == (
        "Of 12 marker genes, with the patient left out, 2 have a correlation; ridge exceeds a mean PCC of 0.3 for 0 of them, "
        "and for 2 ST-Net does, the most of any published method."
    )
    assert told["advice_panels"] == "Numbers are those of 12 marker genes (markers_12)."


def test_sentences_follow_the_scores(kept):
    kept.loc[kept["method"].isin(["histogene", "colour"]), "pcc"] = 0.5
    told = advice(kept, TITLES)
    assert (
        "0.500 for the best of 2 published methods (HisToGene). 0 of them exceed both controls, the best one in 0 of 2 sections."
        in told["advice_first"]
    )
    assert told["advice_sections"].endswith("HisToGene in 2.")


def test_panels_stand_side_by_side_in_their_order(kept):
    kept["panels"] = "markers_12+hvg_769"
    kept.loc[kept["gene"] == "CD74", ["panels", "pcc"]] = ["hvg_769", 0.6]
    told = advice(kept, TITLES)
    assert (
        "On 12 marker genes / 769 variable genes with" in told["advice_first"]
        and "is 0.100 / 0.350 for Colour; 0.200 / 0.400 for Ridge" in told["advice_first"]
    )
    assert (
        "variable genes, with the patient left out, 1 / 2 have a correlation; ridge exceeds a mean PCC of 0.3 for 0 / 1 of them"
        in told["advice_genes"]
    )
    assert (
        told["advice_panels"]
        == "Numbers parted by strokes are those of 12 marker genes (markers_12) and 769 variable genes (hvg_769)."
    )
    assert not [
        key
        for key, sentence in told.items()
        if key != "advice_panels" and ("markers_12" in sentence or "hvg" in sentence)
    ]


def test_panels_are_said_in_words():
    words = ("markers_12", "hvg_769", "hvg(300)", "all", "hvg_union(1000)", "mine")
    told = [
        "12 marker genes",
        "769 variable genes",
        "300 genes chosen in training",
        "all shared genes",
        "the 1000 most variable genes of any training section",
        "mine",
    ]
    assert [said(word) for word in words] == told
