"""What needs no image: predictions on tiny sections, the authors' rows, and a few real values."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from compendium.chapters.without_images import design, findings, results, summaries
from compendium.data.readers.her2st_labels import aligned_places
from compendium.data.targets.transforms import Target
from compendium.evaluation import published
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section

NOTHING = np.zeros(0, dtype=np.float32)
RNG = np.random.default_rng(0)


def counted(name: str, patient: str, counts: np.ndarray):
    """A section whose spots lie on one row of the array."""
    spots, genes = counts.shape
    grid = np.column_stack([np.arange(spots), np.zeros(spots)]).astype(np.int32)
    section = tiny_section(name, patient, spots=spots, genes=genes, px=16)
    return replace(section, counts=csr_matrix(counts.astype(np.int32)), grid=grid)


def target_of(section) -> dict[str, Target]:
    genes = section.genes.tolist()
    return {"raw, all": Target("raw", genes, genes, *[NOTHING] * 3, 0)}


@pytest.fixture
def sections():
    made = [RNG.poisson(3, (12, 3)) + np.arange(12)[:, None] for _ in range(3)]
    made[0][:, 2] = 4  # constant where it is measured
    made[1][:, 1] = 0  # constant in the only sibling
    return [counted(*each) for each in zip("STU", "PPQ", made, strict=True)]


def places_of(sections) -> dict[str, np.ndarray]:
    return {each.name: each.grid.astype(float) for each in sections}


def test_each_prediction_is_scored_on_its_spots(sections):
    pair, places = sections[:2], places_of(sections)
    places["S"][[3, 5]] = np.nan
    table = results.gene_scores(pair, target_of(pair[0]), places)
    first = table[table["section"] == "S"].iloc[0]
    assert (first["spots"], first["aligned"]) == (12, 10)
    own, other = (each.counts.toarray()[:, 0] for each in pair)
    known = np.delete(np.arange(12), [3, 5])
    nearest = [np.argsort(abs(np.arange(12) - at), kind="stable") for at in range(12)]
    copied = np.array([other[each[:8]].mean() for each in nearest])
    pooled = np.array([other[each[:10]].mean() for each in nearest])
    depth = pair[0].counts.toarray().sum(axis=1)
    expected = {
        "copy": (copied, known),
        "positions": (pooled, slice(None)),
        "positions_aligned": (pooled, known),
        "depth": (depth, slice(None)),
        "depth_aligned": (depth, known),
        "depth_deeper": (depth, depth > depth.min()),
    }
    for name, (predicted, rows) in expected.items():
        wanted = np.corrcoef(predicted[rows], own[rows])[0, 1]
        assert first[name] == pytest.approx(wanted), name


def test_spots_that_the_alignment_leaves_out_are_not_copied_from(sections):
    pair, places = sections[:2], places_of(sections)
    whole = results.gene_scores(pair, target_of(pair[0]), places)
    places["T"][:2] = np.nan
    fewer = results.gene_scores(pair, target_of(pair[0]), places)
    of_s = whole["section"] == "S"
    assert (whole.loc[of_s, "copy"] - fewer.loc[of_s, "copy"]).abs().iloc[0] > 1e-3
    assert whole.loc[of_s, "positions"].equals(fewer.loc[of_s, "positions"])


def test_only_siblings_predict_and_all_other_sections_give_the_sign_of_depth(sections):
    turned = counted("U", "Q", 40 - sections[2].counts.toarray())
    pair, places = sections[:2], places_of(sections)
    alone = results.gene_scores(pair, target_of(pair[0]), places)
    together = results.gene_scores(
        [*pair, turned, counted("V", "Q", turned.counts.toarray())],
        target_of(pair[0]),
        places | {"V": places["U"]},
    )
    same = together[together["section"].isin(["S", "T"])].reset_index(drop=True)
    pd.testing.assert_series_equal(same["copy"], alone["copy"])
    pd.testing.assert_series_equal(same["positions"], alone["positions"])


def test_missing_genes_are_counted_and_left_out_of_the_mean(sections):
    pair, places = sections[:2], places_of(sections)
    genes = results.gene_scores(pair, target_of(pair[0]), places)
    table = results.by_section(genes).set_index("section")
    names = ["copy_missing", "positions_missing", "depth_missing"]
    assert table.loc["S", names].tolist() == [2, 2, 2]  # gene 1 has no slope in training
    assert table.loc["T", names].tolist() == [2, 2, 2]
    first = genes[(genes["section"] == "S")]["copy"].iloc[0]
    assert table.loc["S", "copy"] == pytest.approx(first)


def test_targets_are_those_of_the_authors_tables():
    asked = design.scored()
    assert {name: (each.key, len(each.sections)) for name, each in asked.items()} == {
        "BLEEP": ("raw, hvg_769", 36),
        "Hist2ST": ("scprep, hvg_769", 36),
        "HisToGene": ("scprep, hvg_769", 36),
        "ST-Net": ("log1p, hvg_769", 36),
        "STimage": ("log1p, hvg_785", 32),
    }
    few = asked["STimage"].sections
    patient = {section.name: section.patient for section in design.design().sections}
    assert design.siblings("A2", few, patient) == ["A3", "A4", "A5", "A6"]  # A1 is not scored


def table_of(**means: list[float]) -> pd.DataFrame:
    """Patients P (two sections) and Q (one)."""
    facts = {"method": "M", "target": "raw, all", "section": list("STU"), "patient": list("PPQ")}
    return pd.DataFrame(facts | means)


def test_means_are_over_sections_then_patients():
    values = [*summaries.SHOWN, *summaries.ORACLE]
    table = summaries.overall(table_of(**{name: [0.0, 0.2, 0.5] for name in values}))
    found = table.set_index("over")[["number", "copy"]]
    assert found.loc["patients"].tolist() == pytest.approx([2, 0.3])
    assert found.loc["sections"].tolist() == pytest.approx([3, 0.7 / 3])


def test_the_copy_is_compared_by_patient():
    table = table_of(copy=[0.3, 0.4, 0.2], authors=[0.1, 0.2, 0.3])
    evidence = findings.copy_against(Results({"sections": table}, {}), "M")
    assert evidence.apart["difference"].tolist() == pytest.approx([0.2, 0.2, -0.1])
    assert published.describe(evidence.apart)["difference"] == pytest.approx(0.05)


def test_families_are_small_enough_to_decide_anything():
    sizes = {name: len(family) for name, family in findings.FAMILIES.items()}
    assert list(sizes.values()) == [4, 1, 6, 3]
    assert len(findings.RULES) == 14 + len(findings.TOP)


def quartiles(q25: float, median: float, q75: float) -> pd.DataFrame:
    row = {"method": "BLEEP", "section": "A1", "patient": "A", "genes": 100, "nan": 0}
    return pd.DataFrame([row | {"q25": q25, "median": median, "q75": q75}])


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.12, 0.2, 0.25), Verdict.UNDECIDED),
        ((0.0, 0.05, 0.09), Verdict.FAILS),
        ((0.05, 0.15, 0.25), Verdict.UNDECIDED),
    ],
)
def test_a_majority_is_refused_only_where_the_bounds_exclude_it(monkeypatch, values, verdict):
    monkeypatch.setattr(published, "her2", lambda: quartiles(*values))
    assert findings.majority(Results({}, {}), "BLEEP").verdict is verdict


def test_real_counts_give_the_known_numbers(her2st):
    from compendium.data.readers import her2st as reader

    names = ("E1", "E2", "E3")
    sections = [reader.read(her2st, name, 64) for name in names]
    places = {each.name: aligned_places(her2st, each.name, each.spots) for each in sections}
    asked = design.Scored("hvg_769", "raw", names)
    genes = results.gene_scores(sections, results.targets_of([asked], sections), places)
    means = results.by_section(genes)[["copy", "positions"]].mean()
    assert means.tolist() == pytest.approx([0.1160, 0.1090], abs=2e-4)
