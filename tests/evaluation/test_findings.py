"""Findings: the sentence that results support is printed."""

import numpy as np
import pandas as pd
import pytest
import yaml

from compendium.errors import BadInput
from compendium.evaluation.findings import Finding, decide_all, read_findings, verdict_table
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict, judge


def rain(results: Results) -> Outcome:
    """Decide on nothing: findings of these tests are given their outcomes."""
    return Outcome(Verdict.UNDECIDED)


def of(patients: str) -> pd.DataFrame:
    """Return one section a letter, each with two lines; the letter is its patient."""
    lines = [{"section": f"{name}{i}", "patient": name} for i, name in enumerate(patients)]
    return pd.DataFrame(lines * 2, columns=["section", "patient"])


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


def test_a_finding_in_a_file_needs_its_sentences_and_its_rule(tmp_path):
    file = tmp_path / "findings.yaml"
    file.write_text("wet:\n  text: It rains.\n  negation: It does not.\n  expected: holds\n")
    (found,) = read_findings(file, {"wet": rain})
    assert (found.id, found.text, found.claim) == ("wet", "It rains.", "")
    assert found.decide is rain and found.expected is Verdict.HOLDS
    with pytest.raises(BadInput, match="cold"):
        read_findings(file, {"wet": rain, "cold": rain})
    with pytest.raises(BadInput, match="wet"):
        read_findings(file, {})


RIGHT = {"text": "It rains.", "negation": "It does not.", "expected": "holds"}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"expected": "perhaps"}, "wet.expected"),
        ({"text": None}, "wet.text"),
        ({"text": ""}, "wet.text"),
        ({"negation": ["No."]}, "wet.negation"),
        ({"claim": 3}, "wet.claim"),
        ({"clam": "Fig. 1"}, "wet.clam"),
        ({"text": "It rains ({rain.real})."}, "wet.text {rain.real}"),
        ({"text": "It rains ({rain!r})."}, "wet.text {rain}"),
        ({"text": "It rains ({0})."}, "wet.text {0}"),
        ({"text": "It rains ({})."}, "wet.text {}"),
        ({"text": "It rains ({rain:{width}})."}, "wet.text {rain}"),
        ({"text": "It rains ({rain)."}, "wet.text"),
    ],
)
def test_a_wrong_findings_file_is_one_line_that_says_where(tmp_path, wrong, where):
    file = tmp_path / "findings.yaml"
    file.write_text(yaml.safe_dump({"wet": RIGHT | wrong}))
    with pytest.raises(BadInput) as refused:
        read_findings(file, {"wet": rain})
    assert f"{file}: {where}" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("content", ["", "3", "- wet", "wet:", "wet: It rains."])
def test_a_findings_file_of_another_form_is_refused(tmp_path, content):
    file = tmp_path / "findings.yaml"
    file.write_text(content)
    with pytest.raises(BadInput, match="findings.yaml: "):
        read_findings(file, {"wet": rain})


def test_all_mistakes_of_a_findings_file_are_in_one_answer(tmp_path):
    file = tmp_path / "findings.yaml"
    wet = {"text": "It rains ({rain[0]}).", "negation": "No.", "expected": "yes"}
    file.write_text(yaml.safe_dump({"wet": wet, "dry": RIGHT}))
    with pytest.raises(BadInput) as refused:
        read_findings(file, {"wet": rain, "cold": rain})
    for mistake in ("wet.text", "wet.expected", "dry", "cold"):
        assert mistake in str(refused.value)


def test_findings_stand_in_the_order_of_their_file(tmp_path):
    file = tmp_path / "findings.yaml"
    file.write_text(yaml.safe_dump({"wet": RIGHT, "cold": RIGHT}, sort_keys=False))
    found = read_findings(file, {"cold": rain, "wet": rain})
    assert [finding.id for finding in found] == ["wet", "cold"]
