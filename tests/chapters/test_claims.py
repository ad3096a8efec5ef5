"""What the tables of each chapter say of the benchmark's claims."""

import pandas as pd
import pytest

from compendium.book.notebook import tables as results
from compendium.chapters.claims import CLAIMS, MADE_UP, claims
from compendium.chapters.data_review import results as data_review
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED


@pytest.mark.parametrize(
    ("profile", "chapter"),
    [
        (profile, chapter)
        for profile in results.references()
        for chapter in results.chapters_of(profile)
        if chapter in CLAIMS
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
