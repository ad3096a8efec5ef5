"""Chapter 2: its tables on tiny sections, its claims, and what a synthetic cohort allows."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.id_loocv.attainable import reached, shares
from compendium.chapters.id_loocv.design import design as plan_chapter
from compendium.chapters.id_loocv.findings import FINDINGS
from compendium.chapters.id_loocv.results import side_by_side, tables
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results, differences, read, write
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, labelled=True),
]
PARAMETERS = {"panel": "all", "encoder": "colour", "weights": "", "budget": "smoke", "seed": 0}


@pytest.fixture
def chapter(home, monkeypatch):
    """Compute the chapter on tiny sections, with some parameters changed."""
    monkeypatch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
    monkeypatch.setattr("compendium.chapters.id_loocv.design.placed", lambda *_: SECTIONS)

    def computed(**changed) -> Results:
        stated = {"methods": ["mean", "colour", "stnet"], "matched": ["colour", "mean"]}
        stated |= {"seeds": 2, "section": "S2", "gene": ""}
        design = plan_chapter("demo", None, **stated | changed, **PARAMETERS)
        return compute(design, tables, "cpu")

    return computed


def test_results_hold_all_that_the_page_draws(chapter, tmp_path):
    results = chapter()
    by_split = results["scores"].groupby(["method", "split"]).size()
    assert by_split.unstack().to_dict("index") == dict.fromkeys(
        ("colour", "mean", "stnet"), {"patient-out": 24, "section-out": 36}
    )
    criterion = results["criterion"].set_index("row")
    assert criterion["result"].to_dict() == {"mean": True, "colour": True, "stnet": False}
    assert criterion["permuted"].notna().to_dict() == {
        "mean": False,
        "colour": False,
        "stnet": True,
    }
    assert results["matched"]["method"].unique().tolist() == ["colour"]
    assert sorted(results["matched"]["section"]) == ["S1", "S2"], "S3 is its patient's only one"
    assert list(results["tissue"]) == ["spot", "x", "y", "measured", "colour", "stnet"]
    assert len(results["tissue"]) == 24
    assert set(results["curves"]["method"]) == {"stnet"}
    assert not results["curves"].duplicated(["fold", "epoch"]).any(), "of the first seed"
    assert results["seeds"].groupby("method")["seed"].unique().map(list).to_dict() == {
        "mean": [0],
        "colour": [0],
        "stnet": [0, 1],
    }
    assert results["cost"].groupby("row")["fits"].sum().to_dict() == {
        "mean": 4,
        "colour": 4,
        "stnet": 8,
    }, "leaving out S3 is leaving out its patient"
    assert results.facts["depth"].keys() == {"S1", "S2", "S3"}
    assert results.facts["changed"].keys() == {"ST-Net head on frozen features"}
    write(tmp_path / "kept", results)
    assert list(read(tmp_path / "kept").tables) == list(results.tables)
    again = differences(chapter(), results)
    assert {each.largest for each in again.values()} == {0.0}, "computed again it is the same"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"section": "S9"}, "section S9 of the tissue map is not among S1, S2, S3"),
        ({"methods": ["mean"]}, "names nothing that can be correlated"),
        ({"seeds": 0}, "number of seeds is 0; give 1 or more"),
        ({"gene": "XIST"}, "gene XIST is not in the panel of section S2"),
    ],
)
def test_a_design_that_cannot_be_is_refused(chapter, changed, message):
    with pytest.raises(BadInput, match=message):
        chapter(**changed)


def test_splits_are_compared_on_the_sections_that_have_both():
    rows = [
        ("ridge", "C2", "section-out", 0.3),
        ("ridge", "C2", "patient-out", 0.1),
        ("ridge", "B4", "section-out", 0.9),
        ("stnet", "C2", "section-out", 0.2),
        ("stnet", "C2", "patient-out", 0.2),
    ]
    table = pd.DataFrame(rows, columns=["method", "section", "split", "pcc"])
    both = side_by_side(table.assign(gene="FASN", panels="markers_12"))
    assert both.set_index(["split", "method"])["median"].to_dict() == {
        ("section-out", "ridge"): 0.3,
        ("patient-out", "ridge"): 0.1,
        ("section-out", "stnet"): 0.2,
        ("patient-out", "stnet"): 0.2,
    }
    assert set(both["sections"].map(tuple)) == {("C2",)}


def scored(shift: dict[str, float], patients: str = "AAB") -> Results:
    """Scores on two lists of genes; on the larger each method has a median of 0.1 + its shift."""
    genes = [("FASN", "markers_12", 0.9), *((f"G{n}", "hvg_769", 0.0) for n in range(3))]
    rows = [
        {
            "method": method,
            "split": "section-out",
            "section": f"{patient}{i}",
            "patient": patient,
            "gene": gene,
            "panels": panel,
            "pcc": 0.1 + more + extra,
        }
        for method, more in shift.items()
        for i, patient in enumerate(patients)
        for gene, panel, extra in genes
    ]
    criterion = pd.DataFrame({"row": list(shift), "result": True})
    titles = {name: name.upper() for name in shift}
    found = {"scores": pd.DataFrame(rows), "criterion": criterion}
    return Results(found, {"titles": titles})


SHIFT = {
    "stimage": 0.2,
    "bleep": 0.2,
    "hist2st": 0.15,
    "histogene": 0.1,
    "stnet": -0.05,
    "deepspace": -0.05,
    "ridge": 0.5,
}


def verdicts(results: Results) -> list[Verdict]:
    return [outcome.verdict for outcome in decide_all(FINDINGS, results).values()]


def test_claims_are_judged_section_by_section_on_the_larger_list_of_genes():
    assert verdicts(scored(SHIFT)) == [Verdict.HOLDS] * 2
    outcome = decide_all(FINDINGS, scored(SHIFT))["ranking"]
    assert outcome.numbers == {"sections": 3, "right": 3, "wrong": 0}
    assert (outcome.sections, outcome.patients) == (3, 2)
    assert verdicts(scored(SHIFT | {"stnet": 0.3, "deepspace": 0.1})) == [Verdict.FAILS] * 2


def test_sections_that_disagree_decide_nothing():
    part = scored(SHIFT)
    one = (part["scores"]["section"] == "A0") & (part["scores"]["method"] == "stnet")
    part["scores"].loc[one, "pcc"] = 0.9
    outcomes = decide_all(FINDINGS, part).values()
    assert [outcome.verdict for outcome in outcomes] == [Verdict.UNDECIDED] * 2
    assert all(outcome.limits == ("sections disagree",) for outcome in outcomes)


def test_a_claim_takes_all_its_methods_and_two_patients():
    without = {name: more for name, more in SHIFT.items() if name != "deepspace"}
    assert verdicts(scored(without)) == [Verdict.UNDECIDED] * 2
    assert verdicts(scored(SHIFT, "AAA")) == [Verdict.UNDECIDED] * 2
    preliminary = scored(SHIFT)
    preliminary["criterion"].loc[1, "result"] = False
    ranking, low = decide_all(FINDINGS, preliminary).values()
    assert ranking.limits == ("BLEEP is below the minimum training criterion",)
    assert (ranking.verdict, low.verdict) == (Verdict.UNDECIDED, Verdict.HOLDS)


def test_the_share_is_over_learnable_genes_and_the_same_sections():
    sections, genes = ["S1", "S1", "S1", "S2"], ["a", "b", "c", "a"]
    truth = pd.DataFrame(
        {
            "section": sections,
            "gene": genes,
            "image_attainable": [0.8, 0.4, 0.0, 0.4],
            "learnable": [True, True, False, True],
        }
    )
    table = pd.DataFrame(
        {"method": "m", "section": sections, "gene": genes, "pcc": [0.4, 0.3, 0.9, np.nan]}
    )
    rows = reached(table, truth).set_index("gene")
    assert rows["pcc"].to_dict() == {"a": 0.4, "b": 0.3}
    attainable = {"a": 0.8, "b": 0.4}  # section S2 has no PCC, so it counts on neither side
    assert rows["image_attainable"].to_dict() == attainable
    found = shares(reached(table, truth)).iloc[0]
    assert found["share"] == pytest.approx(0.35 / 0.6) and found["reached"]
    assert not shares(reached(table.assign(pcc=table["pcc"] / 2), truth)).iloc[0]["reached"]
