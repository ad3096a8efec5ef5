"""Runs of chapter 3: one fit a method, which predicts validation and test sections alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compendium.data.partition import ROLES, Partition, partition
from compendium.data.splits import PUBLISHED_OOD
from compendium.evaluation.comparison import Design, placed, protocol_line, repeated
from compendium.methods import recipe
from compendium.methods.registry import NONE
from compendium.runs import plan_run


def design(
    cohort: str,
    roles: Mapping[str, Sequence[str]],
    methods: Sequence[str],
    seeds: Mapping[str, int],
    **parameters,
) -> Design:
    """Plan every method on the training sections, and its permuted-image control.

    Parameters
    ----------
    cohort
        Cohort of the sections, or several joined by `+`.
    roles
        Names of the sections of each role: training, validation, test. Without any, the partition
        of the benchmark.
    methods
        Methods that are compared.
    seeds
        Number of seeds by unit, see `compendium.evaluation.comparison.repeated`. The controls are
        fitted once.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted. Nothing is chosen on validation or test sections.
    """
    named = {role: list(roles.get(role, ())) for role in ROLES}
    names = sum(named.values(), []) or [name for group in PUBLISHED_OOD for name in group]
    sections = placed(cohort, names)
    parts = partition(sections, *named.values())
    runs = [
        plan_run(cohort, parts.split, recipe(method).name, sections=sections, **parameters)
        for method in dict.fromkeys(methods)
    ]
    groups = {
        "fits": repeated([(run.method, run) for run in runs], seeds),
        "permuted": [
            (run.method, replace(run, permute=True))
            for run in runs
            if not run.permute and run.encoder != NONE
        ],
    }
    facts = {
        "roles": parts.roles,
        "validation_is": parts.validation_is,
        "test_is": parts.test_is,
    }
    protocol = protocol_line(f"= {parts.split.rule}", parameters)
    return Design(cohort, sections, groups, protocol, facts)


def partition_of(design: Design) -> Partition:
    """Return the partition that a design was made with."""
    roles = design.facts["roles"]
    named = ([name for name, its in roles.items() if its == role] for role in ROLES)
    return partition(design.sections, *named)
