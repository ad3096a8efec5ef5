"""Many runs at once: every method on every fold of some split rules, each distinct fold once."""

from collections.abc import Mapping, Sequence

from compendium.data.prepare import prepared_names
from compendium.data.sources import cohort
from compendium.data.splits import Placed, Split, folds
from compendium.errors import BadInput
from compendium.runs.run import Run, plan_run

TAKEN = (
    "cohort",
    "method",
    "methods",
    "rules",
    "sections",
    "seed",
    "split",
)  # words that a study varies itself


def plan_runs(
    cohort: str, sections: Sequence[Placed], rules: Sequence[str], methods: Sequence[str], **words
) -> list[Run]:
    """Plan runs; `words` go to `plan_run`, for every method alike. Names, patients and laboratories are enough: the catalogue's entries will do."""
    return [
        plan_run(cohort, split, method, sections=list(sections), **words)
        for split in distinct(rules, sections)
        for method in methods
    ]


def planned(
    cohort_name: str,
    names: Sequence[str] | None,
    rules: Sequence[str],
    methods: Sequence[str],
    seeds: Sequence[int],
    words: Mapping[str, object],
) -> tuple[list[str], list[Run]]:
    """The sections of a study (by default all that are prepared) and its runs, each once; from the catalogue alone, so that a mistake is said before data are touched."""
    facts = cohort(cohort_name)
    if taken := [word for word in words if word in TAKEN]:
        raise BadInput(
            f"-p {taken[0]} is no word of a single run here; give --methods, --splits, --sections or --seeds"
        )
    names = list(dict.fromkeys(names or prepared_names(facts.name)))
    if not names:
        raise BadInput(
            f"no section of {facts.name} is prepared: run compendium prepare {' and compendium prepare '.join(facts.name.split('+'))} first"
        )
    placed = [facts.section(name) for name in names]
    runs = [
        run
        for seed in seeds
        for run in plan_runs(facts.name, placed, rules, methods, seed=seed, **words)
    ]
    return names, list(dict.fromkeys(runs))


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
