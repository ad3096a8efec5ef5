"""The table of verdicts on published tables, and the findings behind it."""

import re
from collections import Counter

import pandas as pd
import pytest

from compendium.book.notebook import tables
from compendium.book.notebook.chapter_files import chapters
from compendium.book.site.verdicts import COLUMNS, as_myst, findings_of, printed, verdicts
from compendium.evaluation.evidence import Evidence
from compendium.evaluation.findings import decide_all
from compendium.evaluation.verdict import Verdict
from compendium.storage import CHECKOUT

PUBLISHED = [
    (profile, chapter) for profile in tables.references() for chapter in tables.chapters_of(profile)
]


@pytest.mark.parametrize(("profile", "chapter"), PUBLISHED)
def test_each_finding_has_on_published_tables_the_verdict_that_its_author_saw(profile, chapter):
    results = tables.reference(profile, chapter)
    findings = findings_of(chapter)
    assert findings
    outcomes = decide_all(findings, results)
    for finding in findings:
        outcome = outcomes[finding.id]
        assert outcome.verdict == finding.expected, finding.id
        sentence = finding.sentence(outcome)
        assert sentence.endswith(".") and "{" not in sentence and "nan" not in sentence


def test_ids_are_unique_slugs():
    for chapter in chapters(CHECKOUT):
        ids = [finding.id for finding in findings_of(chapter)]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each) for each in ids)


def test_a_folder_without_findings_has_none_and_a_broken_one_is_no_silent_absence(monkeypatch):
    assert findings_of("no-such-chapter") == ()

    def broken(name):
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")

    monkeypatch.setattr("compendium.book.site.verdicts.import_module", broken)
    with pytest.raises(ModuleNotFoundError):
        findings_of("ood")


def test_all_chapters_with_published_tables_are_in_the_table():
    table = verdicts("her2st-subset", CHECKOUT)
    assert set(table["chapter"]) == set(tables.chapters_of("her2st-subset"))
    assert set(table["verdict"]) <= {each.value for each in Verdict}
    few = table[(table["patients"] < 6) & table["p"].notna()]
    assert len(few) and set(few["verdict"]) == {Verdict.UNDECIDED}


def test_claims_about_tissue_have_a_family_that_eight_patients_can_decide():
    for profile, chapter in PUBLISHED:
        results, families = tables.reference(profile, chapter), Counter()
        for finding in findings_of(chapter):
            if isinstance(finding.decide(results), Evidence):
                families[finding.family] += 1
        assert "" not in families and max(families.values(), default=1) <= 6, chapter


def test_missing_numbers_are_dashes_and_strokes_are_escaped():
    text = as_myst(pd.DataFrame({"a": ["x|y"], "b": [float("nan")], "c": [0.12345], "n": [3]}))
    assert text.splitlines()[-1] == "| x\\|y | – | 0.123 | 3 |"


def test_where_nothing_is_published_the_table_has_no_line_and_every_column(monkeypatch):
    full = verdicts("her2st-subset", CHECKOUT)
    monkeypatch.setattr(tables, "chapters_of", lambda profile: [])
    empty = verdicts("her2st-subset", CHECKOUT)
    assert len(empty) == 0 and list(empty) == list(full)
    assert list(printed(empty, CHECKOUT)[COLUMNS]) == COLUMNS
