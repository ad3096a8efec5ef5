"""Findings: the sentence that results support is printed, and kept tables give its verdict."""

import importlib

import numpy as np
import pandas as pd
import pytest

from compendium.book.notebook import tables as reference_tables
from compendium.evaluation.findings import Finding, decide_all, verdict_table
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict, judge, least_p

PROFILE = "her2st-subset"


def rain(results: Results) -> Outcome:
    """Decide on nothing: findings of these tests are given their outcomes."""
    return Outcome(Verdict.NOT_RUN)


def of(patients: str) -> pd.DataFrame:
    """Return one section a letter, each with two lines; the letter is its patient."""
    lines = [{"section": f"{name}{i}", "patient": name} for i, name in enumerate(patients)]
    return pd.DataFrame(lines * 2, columns=["section", "patient"])


@pytest.mark.parametrize("chapter", reference_tables.chapters_of(PROFILE))
def test_kept_tables_give_the_verdict_that_the_author_saw(chapter):
    module = f"compendium.chapters.{chapter.replace('-', '_')}.findings"
    findings = importlib.import_module(module).FINDINGS
    outcomes = decide_all(findings, reference_tables.reference(PROFILE, chapter))
    assert {finding.id: outcomes[finding.id].verdict for finding in findings} == {
        finding.id: finding.expected for finding in findings
    }
    assert len(outcomes) == len(findings), "ids are unique"
    for finding in findings:
        sentence = finding.sentence(outcomes[finding.id])
        assert sentence.endswith(".") and "{" not in sentence and "nan" not in sentence


@pytest.mark.parametrize(
    ("patients", "limits"),
    [
        ("", 2),
        ("A", 2),
        ("AB", 1),
        ("AAAA", 1),
        ("AAB", 0),
        ("ABC", 0),
    ],
)
def test_what_decides_is_three_sections_of_two_patients(patients, limits):
    outcome = judge(Verdict.HOLDS, of(patients), statistic=0.3)
    assert outcome.verdict is (Verdict.UNDECIDED if limits else Verdict.HOLDS)
    assert len(outcome.limits) == limits and outcome.statistic == 0.3
    assert (outcome.sections, outcome.patients) == (len(patients), len(set(patients)))


def test_a_limit_leaves_a_statement_undecided():
    outcome = judge(Verdict.FAILS, of("AAB"), ["Ridge is below the minimum training criterion"])
    assert outcome.verdict is Verdict.UNDECIDED and len(outcome.limits) == 1
    assert judge(Verdict.FAILS, of("AAB")).verdict is Verdict.FAILS


def test_the_smallest_p_of_a_sign_test_is_that_of_its_patients():
    assert [least_p(n) for n in (1, 2, 5, 6)] == [1, 0.5, 0.0625, 0.03125]


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (Verdict.HOLDS, "It rains (0.25 mm)."),
        (Verdict.FAILS, "It does not rain: 0.25 mm."),
        (Verdict.UNDECIDED, "Cannot be told from these data: It rains (0.25 mm)."),
    ],
)
def test_the_sentence_is_the_one_that_results_support(verdict, sentence):
    outcome = Outcome(verdict, 0.25, "rain, mm", numbers={"rain": 0.25})
    finding = Finding("rain", "It rains ({rain:.2f} mm).", "It does not rain: {rain:.2f} mm.", rain)
    assert finding.sentence(outcome) == sentence
    line = verdict_table([finding], {"rain": outcome}).iloc[0]
    assert (line["statement"], line["verdict"]) == ("It rains", verdict.value)
    assert (line["statistic"], line["value"]) == ("rain, mm", 0.25)


def test_a_number_that_does_not_exist_is_a_dash():
    finding = Finding("rain", "It rains ({rain:.2f} mm).", "No.", rain)
    for missing in (np.nan, np.float32("nan")):
        outcome = Outcome(Verdict.HOLDS, numbers={"rain": missing})
        assert finding.sentence(outcome) == "It rains (– mm)."


def test_numbers_of_an_outcome_are_those_of_python():
    numbers = {"of": np.int64(3), "share": np.float32(0.5), "best": "Ridge"}
    outcome = Outcome(Verdict.HOLDS, numbers=numbers)
    assert repr(outcome.numbers) == "{'of': 3, 'share': 0.5, 'best': 'Ridge'}"


def test_decisions_follow_the_results():
    def decide(results: Results) -> Outcome:
        return Outcome(Verdict.HOLDS if results["t"]["a"].all() else Verdict.FAILS)

    finding = Finding("a", "A.", "Not A.", decide)
    for value, verdict in ((True, Verdict.HOLDS), (False, Verdict.FAILS)):
        results = Results({"t": pd.DataFrame({"a": [value]})}, {})
        assert decide_all([finding], results)["a"].verdict is verdict
