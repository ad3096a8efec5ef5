"""Runs of chapter 3: one fit a method, which predicts validation and test sections alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compendium.evaluation.comparison import Design, partitioned, protocol_line, repeated
from compendium.methods import recipe
from compendium.methods.registry import NONE
from compendium.runs import plan_run


def design(
    cohort: str,
    roles: Mapping[str, Sequence[str]],
    methods: Sequence[str],
    seeds: int,
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
        Number of seeds of every row, see `compendium.evaluation.comparison.repeated`. The controls
        are fitted once.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted. Nothing is chosen on validation or test sections.
    """
    sections, parts = partitioned(cohort, roles)
    runs = [
        plan_run(cohort, parts.split, recipe(method).name, sections=sections, **parameters)
        for method in dict.fromkeys(methods)
    ]
    shuffled = [run for run in runs if not run.permute and run.encoder != NONE]
    groups = {
        "fits": repeated([(run.method, run) for run in runs], seeds),
        "permuted": [(run.method, replace(run, permute=True)) for run in shuffled],
    }
    its = {"roles": parts.roles, "validation_is": parts.validation_is, "test_is": parts.test_is}
    protocol = protocol_line(f"= {parts.split.rule}", parameters)
    return Design(cohort, sections, groups, protocol, its, weighed="fits")
