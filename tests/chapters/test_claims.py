"""What the tables of each chapter say of the benchmark's claims."""

import pandas as pd
import pytest

from compendium.book.notebook import tables as results
from compendium.book.run.chapters import chapters
from compendium.chapters import claims as interface
from compendium.chapters.claims import CLAIMS, MADE_UP, claims
from compendium.chapters.data_review import results as data_review
from compendium.chapters.id_loocv import findings as ranking
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED


def test_every_chapter_has_its_claims():
    assert set(CLAIMS) == set(chapters())


@pytest.mark.parametrize(
    ("profile", "chapter"),
    [
        (profile, chapter)
        for profile in results.references()
        for chapter in results.chapters_of(profile)
    ],
)
def test_kept_tables_are_told(profile, chapter):
    said = claims(chapter, results.reference(profile, chapter))
    assert said
    for claim in said.values():
        assert (
            claim.verdict in (HOLDS, FAILS, UNDECIDED)
            and claim.why.endswith(".")
            and "nan" not in claim.why
            and MADE_UP not in claim.why
        )


def scored(shift: dict[str, float], patients: str = "AAB", cohort: str = "her2st") -> Results:
    """Two lists of genes, the larger with a median of 0.1 and what a method adds to it in every section."""
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
        for gene, panel, extra in (
            ("FASN", "markers_12", 0.9),
            *((f"G{n}", "hvg_769", 0.0) for n in range(3)),
        )
    ]
    floor = pd.DataFrame({"row": list(shift), "result": True})
    return Results(
        {"scores": pd.DataFrame(rows), "floor": floor},
        {"titles": {name: name.upper() for name in shift}, "data": f"{cohort} abc"},
    )


SHIFT = {
    "stimage": 0.2,
    "bleep": 0.2,
    "hist2st": 0.15,
    "histogene": 0.1,
    "stnet": -0.05,
    "deepspace": -0.05,
    "ridge": 0.5,
}


def test_the_ranking_is_judged_section_by_section_on_the_larger_list_of_genes():
    ranked, low = ranking.claims(scored(SHIFT)).values()
    assert (
        (ranked.verdict, low.verdict) == (HOLDS, HOLDS)
        and "On 769 variable genes" in ranked.why
        and "in 3 of 3 sections" in ranked.why
    )
    ranked, low = ranking.claims(scored(SHIFT | {"stnet": 0.3, "deepspace": 0.1})).values()
    assert (ranked.verdict, low.verdict) == (FAILS, FAILS)
    part = scored(SHIFT)
    part["scores"].loc[
        (part["scores"]["section"] == "A0") & (part["scores"]["method"] == "stnet"), "pcc"
    ] = 0.9
    assert [claim.verdict for claim in ranking.claims(part).values()] == [UNDECIDED] * 2, (
        "sections disagree"
    )


def test_a_ranking_takes_all_six_and_two_patients():
    without = {name: more for name, more in SHIFT.items() if name != "deepspace"}
    assert "Not fitted here: deepspace." in ranking.claims(scored(without))["ranking_claim"].why
    assert {
        claim.verdict
        for claim in [
            *ranking.claims(scored(without)).values(),
            *ranking.claims(scored(SHIFT, "AAA")).values(),
        ]
    } == {UNDECIDED}
    smoke = scored(SHIFT)
    smoke["floor"].loc[smoke["floor"]["row"] == "bleep", "result"] = False
    assert (
        ranking.claims(smoke)["ranking_claim"].why.startswith("Below the floor of a result: BLEEP.")
        and ranking.claims(smoke)["low_claim"].verdict == HOLDS
    )


def test_of_a_cohort_that_is_made_up_nothing_follows():
    assert all(
        claim.why.endswith(MADE_UP)
        for claim in claims("id-loocv", scored(SHIFT, cohort="demo")).values()
    )
    assert not any(MADE_UP in claim.why for claim in claims("id-loocv", scored(SHIFT)).values())
    assert interface.made_up(Results({}, {"data": "her2st+demo abc"})) and not interface.made_up(
        Results({}, {"data": "wu+tenx abc"})
    )


def table_1(gap: int, name: str = "recomputed") -> Results:
    return Results(
        {
            "table_1": pd.DataFrame(
                [("printed", 36, 36), (name, 36 + gap, 36), ("difference", gap, 0)],
                columns=["row", "patients", "sections"],
            )
        },
        {},
    )


def test_table_1_is_counted():
    (wrong,), (right,) = (data_review.claims(table_1(gap)).values() for gap in (-28, 0))
    assert (
        wrong.told
        == "Fails here. Reproduced: sections; not reproduced: patients, printed 36, counted 8."
        and right.verdict == HOLDS
    )
    (part,) = data_review.claims(table_1(-28, "recomputed from 5 of 36 sections")).values()
    assert (
        part.told
        == "Undecided here. The row can be recomputed from 5 of 36 sections only, so it cannot be compared."
    )
    assert data_review.claims(Results({"table_1": table_1(0)["table_1"][1:2]}, {})) == {}
