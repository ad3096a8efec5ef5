"""Many runs at once: every method on every fold of some split rules, each distinct fold once."""

from collections.abc import Sequence

from compendium.data.splits import Placed, Split, folds
from compendium.runs.plan import Run, plan


def study(cohort: str, sections: Sequence[Placed], rules: Sequence[str], methods: Sequence[str], **words) -> list[Run]:
    """Plan runs; `words` go to `plan`, for every method alike. Names, patients and laboratories are enough: the catalogue's entries will do."""
    return [plan(cohort, split, method, sections=list(sections), **words) for split in distinct(rules, sections) for method in methods]


def distinct(rules: Sequence[str], sections: Sequence[Placed]) -> list[Split]:
    """The folds of all rules; one that trains and tests on the same sections as an earlier one is that fold, and is left out.

    So a patient with a single section appears once: leaving out the section is leaving out the patient.
    """
    seen, kept = set(), []
    for rule in rules:
        for split in folds(rule, sections):
            key = (split.train, split.valid, split.test, split.match)
            if key not in seen:
                seen.add(key)
                kept.append(split)
    return kept
