"""Findings: sentences that authors wrote, printed only where the results support them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, Field

from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict
from compendium.texts import checked, exactly, read_yaml, template

NUMBERS = r" \([^()]*\{[^()]*\)"
"""A remark in brackets that names numbers; a table of statements leaves it out."""

Sentence = Annotated[str, Field(min_length=1), AfterValidator(template)]


class Stated(BaseModel, extra="forbid"):
    """What a file states of one finding, see `Finding`."""

    text: Sentence
    negation: Sentence
    expected: Verdict
    claim: str = ""


@dataclass(frozen=True)
class Finding:
    """A statement of an author with the rule that decides it.

    Parameters
    ----------
    id
        Slug, unique in the chapter.
    text, negation
        The sentence that is printed where the statement holds, and the one where it does not.
        `{name}` and `{name:.3f}` stand for numbers of the outcome.
    decide
        The rule: results of the chapter -> outcome.
    claim
        Where the benchmark makes this claim, e.g. "Results, Fig. 1b"; empty for our own finding.
    expected
        The verdict that the author saw on the published tables of real sections; another one
        there fails the build.
    """

    id: str
    text: str
    negation: str
    decide: Callable[[Results], Outcome]
    claim: str = ""
    expected: Verdict = Verdict.UNDECIDED

    def sentence(self, outcome: Outcome) -> str:
        """Return the author's sentence that the outcome supports."""
        numbers = {name: _printable(value) for name, value in outcome.numbers.items()}
        text = self.negation if outcome.verdict is Verdict.FAILS else self.text
        sentence = text.format_map(numbers)
        decided = outcome.verdict in (Verdict.HOLDS, Verdict.FAILS)
        return sentence if decided else f"Cannot be told from these data: {sentence}"


def read_findings(
    file: Path, rules: Mapping[str, Callable[[Results], Outcome]]
) -> tuple[Finding, ...]:
    """Return the findings whose sentences stand in a YAML file, each with the rule that decides it.

    Parameters
    ----------
    file
        Finding -> text, negation, expected, and claim where the benchmark makes it.
    rules
        Finding -> rule, see `Finding.decide`.

    Raises
    ------
    BadInput
        With all mistakes of the file; one is a finding without its sentences or without a rule.
    """
    mend = "correct it; each rule has its text, negation and expected, and each text its rule"
    facts = read_yaml(file)
    stated = checked(exactly(dict.fromkeys(rules, Stated)), facts, file, mend)
    return tuple(Finding(name, decide=rules[name], **dict(stated[name])) for name in facts)


class _Missing:
    """A number that does not exist, printed as a dash."""

    def __format__(self, spec: str) -> str:
        return "–"


def _printable(value: object) -> object:
    return _Missing() if isinstance(value, float) and np.isnan(value) else value


def decide_all(findings: Sequence[Finding], results: Results) -> dict[str, Outcome]:
    """Return the outcome of each finding by its id, in order."""
    return {finding.id: finding.decide(results) for finding in findings}


def verdict_table(findings: Sequence[Finding], outcomes: dict[str, Outcome]) -> pd.DataFrame:
    """Return one row a finding.

    Returns
    -------
    Columns: statement, claimed in, verdict, statistic, value, low, high, sections, patients,
    limited by.
    """
    found = [outcomes[finding.id] for finding in findings]
    as_they_are = ("low", "high", "sections", "patients")
    columns = {
        "statement": [re.sub(NUMBERS, "", each.text).rstrip(".") for each in findings],
        "claimed in": [each.claim or "asked here" for each in findings],
        "verdict": [each.verdict.value for each in found],
        "statistic": [each.name for each in found],
        "value": [each.statistic for each in found],
    }
    columns |= {name: [getattr(each, name) for each in found] for name in as_they_are}
    return pd.DataFrame(columns | {"limited by": ["; ".join(each.limits) for each in found]})
