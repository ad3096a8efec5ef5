"""Findings: sentences that authors wrote, printed only where the results support them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, Field

from compendium.errors import BadInput
from compendium.evaluation.evidence import Evidence, outcomes
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict
from compendium.texts import checked, exactly, read_yaml, template

NUMBERS = r" \([^()]*\{[^()]*\)"
"""A remark in brackets that names numbers; a table of statements leaves it out."""

Sentence = Annotated[str, Field(min_length=1), AfterValidator(template)]


class Stated(BaseModel, extra="forbid"):
    """What a file states of one finding, see `Finding`."""

    text: Sentence
    negation: Sentence | None = None
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
        The sentence that is printed where the statement holds, and the one where it does not;
        none where no data can end in that. `{name}` and `{name:.3f}` stand for numbers of the
        outcome.
    decide
        The rule: results of the chapter -> outcome of a statement about files, code or authors'
        tables, or the evidence about tissue.
    family
        The claims that are tested together, named beforehand; by default the finding alone.
    claim
        Where the benchmark makes this claim, e.g. "Results, Fig. 1b"; empty for our own finding.
    expected
        The verdict that the author saw on the published tables of real sections; another one
        there fails the build.
    """

    id: str
    text: str
    negation: str | None
    decide: Callable[[Results], Outcome | Evidence]
    family: str = ""
    claim: str = ""
    expected: Verdict = Verdict.UNDECIDED

    def sentence(self, outcome: Outcome) -> str:
        """Return the author's sentence that the outcome supports."""
        numbers = {name: _printable(value) for name, value in outcome.numbers.items()}
        text = self.negation if outcome.verdict.negative else self.text
        if text is None:
            lacks = f"finding {self.id} is {outcome.verdict} and has no negation"
            raise BadInput(f"{lacks}; write one in its findings.yaml")
        sentence = text.format_map(numbers)
        return sentence if outcome.verdict.decided else f"Cannot be told here: {sentence}"


def read_findings(
    file: Path,
    rules: Mapping[str, Callable[[Results], Outcome | Evidence]],
    families: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Finding, ...]:
    """Return the findings whose sentences stand in a YAML file, each with the rule that decides it.

    Parameters
    ----------
    file
        Finding -> text, expected, the negation where it can be printed, and claim where the
        benchmark makes it.
    rules
        Finding -> rule, see `Finding.decide`.
    families
        Family -> its findings. It is named from the paper, never from the results that test it.

    Raises
    ------
    BadInput
        With all mistakes of the file; one is a finding without its sentences or without a rule.
    """
    mend = "correct it; each rule has its text and expected, and each text its rule"
    facts = read_yaml(file)
    stated = checked(exactly(dict.fromkeys(rules, Stated)), facts, file, mend)
    of = {name: family for family, names in (families or {}).items() for name in names}
    return tuple(
        Finding(name, decide=rules[name], family=of.get(name, ""), **dict(stated[name]))
        for name in facts
    )


class _Missing:
    """A number that does not exist, printed as a dash."""

    def __format__(self, spec: str) -> str:
        return "–"


def _printable(value: object) -> object:
    return _Missing() if isinstance(value, float) and np.isnan(value) else value


def decide_all(findings: Sequence[Finding], results: Results) -> dict[str, Outcome]:
    """Return the outcome of each finding by its id, in order; claims family by family."""
    found = {finding.id: finding.decide(results) for finding in findings}
    families: dict[str, dict[str, Evidence]] = {}
    for finding in findings:
        if isinstance(evidence := found[finding.id], Evidence):
            families.setdefault(finding.family or finding.id, {})[finding.id] = evidence
    for family in families.values():
        found |= outcomes(family)
    return found


def verdict_table(findings: Sequence[Finding], outcomes: dict[str, Outcome]) -> pd.DataFrame:
    """Return one row a finding.

    Returns
    -------
    Columns: claim, in the paper (where), verdict, statistic, value, low, high, p (exact), adjusted
    (after Holm), sections, patients, power, limited by.
    """
    found = [outcomes[finding.id] for finding in findings]
    as_they_are = ("low", "high", "p", "adjusted", "sections", "patients", "power")
    columns = {
        "claim": [re.sub(NUMBERS, "", each.text).rstrip(".") for each in findings],
        "in the paper": [each.claim or "asked here" for each in findings],
        "verdict": [each.verdict.value for each in found],
        "statistic": [each.name for each in found],
        "value": [each.statistic for each in found],
    }
    columns |= {name: [getattr(each, name) for each in found] for name in as_they_are}
    return pd.DataFrame(columns | {"limited by": ["; ".join(each.limits) for each in found]})
