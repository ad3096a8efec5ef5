"""Sentences about reference scores: each number is that of the table it is read from."""

import pandas as pd
import pytest

from compendium.evidence.advice import advice

TITLES = {"colour": "Colour", "ridge": "Ridge", "coordinates": "Place", "stnet": "ST-Net", "histogene": "HisToGene"}
SECTION = {"colour": 0.30, "ridge": 0.20, "coordinates": 0.40, "stnet": 0.35, "histogene": 0.10}
PATIENT = {"colour": 0.10, "ridge": 0.20, "coordinates": -0.20, "stnet": 0.35, "histogene": 0.15}


@pytest.fixture
def kept() -> pd.DataFrame:
    """Two genes with one score each a method and split, on two sections of patient C; one section of B, and one of D, under section-out only."""
    rows = [
        {"method": method, "split": split, "section": section, "patient": section[0], "gene": gene, "panels": "markers_12", "pcc": score}
        for split, scores, sections in (("section-out", SECTION, ("C1", "C2", "B1", "D1")), ("patient-out", PATIENT, ("C1", "C2"))) for method, score in scores.items()
        for section in sections for gene in ("FASN", "CD74")
    ]
    return pd.DataFrame(rows)


def test_every_sentence_is_computed(kept):
    told = advice(kept, TITLES)
    assert told["advice_ground"].startswith("2 sections (C1, C2) of 1 patient can be compared under both splits; with the patient left out training is for patient C on B1, D1.")
    assert told["advice_ground"].endswith("Over 3 patients the smallest p that an exact two-sided sign test can reach is 0.25.")
    assert "markers_12: Colour 0.100, Ridge 0.200, the best of 2 published methods (ST-Net) 0.350, above both controls 1 of them." in told["advice_first"]
    assert told["advice_sections"] == "Of 2 comparisons (panel and split) with ridge on the same features the higher is HisToGene in 0."
    assert told["advice_patient"] == "From section left out to patient left out: markers_12: lower for 2 of 5 rows, by 0.150 on average."
    assert told["advice_position"].endswith("with the patient left out: markers_12 0.400 and -0.200.")
    assert told["advice_genes"].endswith("markers_12: 0 of 2 genes with Ridge, 2 with ST-Net.")


def test_sentences_follow_the_scores(kept):
    kept.loc[kept["method"].isin(["histogene", "colour"]), "pcc"] = 0.5
    told = advice(kept, TITLES)
    assert "Colour 0.500, Ridge 0.200, the best of 2 published methods (HisToGene) 0.500, above both controls 0 of them" in told["advice_first"]
    assert told["advice_sections"].endswith("HisToGene in 2.")
    assert told["advice_genes"].endswith("2 with ST-Net.") or told["advice_genes"].endswith("2 with HisToGene.")
