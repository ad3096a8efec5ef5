"""What the tables of each chapter say of the benchmark's claims."""

import pytest

from compendium.book.notebook import tables as results
from compendium.chapters.claims import CLAIMS, MADE_UP, claims
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
