"""Many runs: every method on every fold of some split rules, each distinct fold once."""

from collections.abc import Mapping, Sequence

from compendium.data.prepare import prepared_names
from compendium.data.sources import cohort
from compendium.data.splits import Placed, Split, folds
from compendium.errors import BadInput
from compendium.runs.plan import plan_run
from compendium.runs.run import Run

Names = Sequence[str]
SET_BY_A_STUDY = ("cohort", "method", "methods", "rules", "sections", "seed", "split")


def plan_runs(
    cohort: str, sections: Sequence[Placed], rules: Names, methods: Names, **parameters
) -> list[Run]:
    """Plan runs of every method on every distinct fold.

    Parameters
    ----------
    cohort, rules, methods
        Cohort, split rules and methods.
    sections
        Sections, or their entries in the catalogue.
    **parameters
        Parameters of `plan_run`, for every method alike.
    """
    return [
        plan_run(cohort, split, method, sections=list(sections), **parameters)
        for split in distinct(rules, sections)
        for method in methods
    ]


def planned(
    cohort_name: str,
    names: Names | None,
    rules: Names,
    methods: Names,
    seeds: Sequence[int],
    parameters: Mapping[str, object],
) -> tuple[list[str], list[Run]]:
    """Plan a study from the catalogue alone, so that mistakes are found before data are read.

    Parameters
    ----------
    cohort_name, rules, methods, seeds
        What is combined.
    names
        Sections; None for all that are prepared.
    parameters
        Parameters of every run.

    Returns
    -------
    Names of the sections, and the runs, each once.

    Raises
    ------
    BadInput
        If a parameter is one that the study sets, no section is prepared, or a run cannot be.
    """
    facts = cohort(cohort_name)
    if taken := [name for name in parameters if name in SET_BY_A_STUDY]:
        raise BadInput(
            f"-p {', '.join(taken)} is no parameter of a single run here;"
            " give --methods, --splits, --sections or --seeds"
        )
    names = list(dict.fromkeys(names or prepared_names(facts.name)))
    if not names:
        commands = " and ".join(f"compendium prepare {name}" for name in facts.name.split("+"))
        raise BadInput(f"no section of {facts.name} is prepared: run {commands} first")
    sections = [facts.section(name) for name in names]
    runs = [
        run
        for seed in seeds
        for run in plan_runs(facts.name, sections, rules, methods, seed=seed, **parameters)
    ]
    return names, list(dict.fromkeys(runs))


def distinct(rules: Sequence[str], sections: Sequence[Placed]) -> list[Split]:
    """List the folds of all rules, without those that repeat an earlier one.

    A patient with a single section appears once: section and patient are left out together.
    """
    first: dict[tuple, Split] = {}
    for rule in rules:
        for split in folds(rule, sections):
            first.setdefault((split.train, split.valid, split.test, split.match), split)
    return list(first.values())
