"""Findings: the sentence that results support is printed."""

import numpy as np
import pandas as pd
import pytest
import yaml

from compendium.errors import BadInput
from compendium.evaluation.evidence import Evidence, limits_of_fits, limits_of_rows
from compendium.evaluation.findings import Finding, decide_all, read_findings, verdict_table
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict


def rain(results: Results) -> Outcome:
    """Decide on nothing: findings of these tests are given their outcomes."""
    return Outcome(Verdict.UNDECIDED)


def apart(n: int, difference: float) -> pd.DataFrame:
    """Return two sections a patient, whose mean is the difference and a little more each."""
    sections = [(f"P{i}", f"P{i}{x}", difference + i / 1e3) for i in range(n) for x in "ab"]
    return pd.DataFrame(sections, columns=["patient", "section", "difference"])


def claim(name: str, evidence: Evidence, family: str = "") -> Finding:
    """Return a finding of the evidence."""
    text = f"{name} ({{difference:+.3f}}, {{patients}} patients)."
    return Finding(name, text, f"Not {text}", lambda results: evidence, family)


def test_claims_of_a_family_are_decided_together():
    one, none = Evidence(apart(6, 0.1)), Evidence(apart(6, 0.0)[:0])
    alone = [claim("a", one), claim("b", none)]
    together = [claim("a", one, "Fig. 1"), claim("b", none, "Fig. 1")]
    outcomes = [decide_all(findings, Results({}, {})) for findings in (alone, together)]
    assert [each["a"].verdict for each in outcomes] == [Verdict.REPRODUCED, Verdict.NO_VERDICT]
    assert [each["a"].adjusted for each in outcomes] == [2 / 64, 4 / 64]
    assert [each["a"].p for each in outcomes] == [2 / 64] * 2
    assert outcomes[1]["a"].limits == ("2 claims are too many for 6 patients",)
    assert outcomes[1]["b"].limits == ("fewer than 6 patients",)


def test_a_claim_is_stated_with_its_numbers():
    finding = claim("a", Evidence(apart(8, -0.1)))
    outcome = decide_all([finding], Results({}, {}))["a"]
    assert (outcome.verdict, outcome.sections, outcome.patients) == ("not reproduced", 16, 8)
    assert finding.sentence(outcome) == "Not a (-0.097, 8 patients)."
    assert outcome.low < outcome.statistic < outcome.high < 0
    line = verdict_table([finding], {"a": outcome}).iloc[0]
    assert line[["p", "adjusted", "power"]].tolist() == [2 / 256, 2 / 256, outcome.power]


def test_a_limit_leaves_a_claim_undecided():
    limits = ["ridge is below the minimum training criterion"]
    outcome = decide_all([claim("a", Evidence(apart(8, 0.1), limits=limits))], Results({}, {}))["a"]
    assert outcome.verdict is Verdict.UNDECIDED and outcome.limits == tuple(limits)
    assert outcome.p == 2 / 256


def test_limits_of_rows_and_of_fits():
    criterion = pd.DataFrame({"row": ["a", "b"], "result": [True, False]})
    results = Results({"criterion": criterion}, {})
    assert limits_of_rows(results, ["a"], {}) == []
    assert limits_of_rows(results, ["a", "b", "c"], {"b": "Bleep"}) == [
        "Bleep is below the minimum training criterion",
        "c was not fitted",
    ]
    assert limits_of_fits(6) == []
    assert limits_of_fits(1) == ["all test sections share one fit"]
    assert limits_of_fits(2) == ["2 separate fits"]


def test_a_statement_that_is_not_so_needs_its_negation():
    finding = Finding("rain", "It rains.", None, rain)
    assert finding.sentence(Outcome(Verdict.UNDECIDED)) == "Cannot be told here: It rains."
    with pytest.raises(BadInput, match="rain"):
        finding.sentence(Outcome(Verdict.FAILS))


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (Verdict.HOLDS, "It rains (0.25 mm)."),
        (Verdict.FAILS, "It does not rain: 0.25 mm."),
        (Verdict.REPRODUCED, "It rains (0.25 mm)."),
        (Verdict.BELOW, "It rains (0.25 mm)."),
        (Verdict.NOT_REPRODUCED, "It does not rain: 0.25 mm."),
        (Verdict.NO_VERDICT, "Cannot be told here: It rains (0.25 mm)."),
        (Verdict.UNDECIDED, "Cannot be told here: It rains (0.25 mm)."),
    ],
)
def test_the_sentence_is_the_one_that_results_support(verdict, sentence):
    outcome = Outcome(verdict, 0.25, "rain, mm", numbers={"rain": 0.25})
    finding = Finding("rain", "It rains ({rain:.2f} mm).", "It does not rain: {rain:.2f} mm.", rain)
    assert finding.sentence(outcome) == sentence
    line = verdict_table([finding], {"rain": outcome}).iloc[0]
    assert (line["claim"], line["verdict"]) == ("It rains", verdict.value)
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
    (found,) = read_findings(file, {"wet": rain}, {"weather": ("wet",)})
    assert found.family == "weather"
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
