"""Design of the transform chapter: every method trained towards every transform."""

from collections.abc import Sequence

from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Row
from compendium.methods import describe, recipe

TRANSFORMS = {
    "raw": "raw counts",
    "log1p": "log",
    "logcpm": "log-CPM",
    "minmax": "min–max",
    "pearson": "Pearson residuals",
    "scprep": "log-norm of the code",
    "wide": "scoring target",
}
"""Target -> its title."""
REFERENCE = "logcpm"
"""Target that each other one is compared with."""


def rows(methods: Sequence[str], targets: Sequence[str]) -> list[Row]:
    """Return one row a method and target, with the key METHOD:TARGET."""
    if unknown := [target for target in targets if target not in TRANSFORMS]:
        raise BadInput(
            f"unknown transform {unknown[0]!r} in targets; known here: {', '.join(TRANSFORMS)}"
        )
    if REFERENCE not in targets or len(set(targets)) < 2:
        raise BadInput(
            f"targets must name {REFERENCE}, with which the others are compared, and at least one "
            f"other; they are {', '.join(targets) or 'none'}"
        )
    names = dict.fromkeys(recipe(method).name for method in methods)
    return [
        Row(
            f"{method}:{target}",
            f"{method_title(method)}, {TRANSFORMS[target]}",
            {"method": method, "target": target},
        )
        for method in names
        for target in dict.fromkeys(targets)
    ]


def method_title(method: str) -> str:
    """Return the title of a method without what follows "on" in it."""
    return describe(method).title.partition(" on ")[0]


def design(
    cohort: str,
    names: Sequence[str] | None,
    methods: Sequence[str],
    targets: Sequence[str],
    patients: Sequence[str],
    **parameters,
) -> comparison.Design:
    """Plan every row on each patient alone, and the permuted-image controls.

    Parameters
    ----------
    cohort, names
        Cohort and names of the sections, by default all; those of other patients are tested.
    methods, targets
        Methods, and the targets of `TRANSFORMS` that each is trained towards.
    patients
        Patients that are trained on, one fold each.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted.
    """
    sections, compared = comparison.placed(cohort, names), rows(methods, targets)
    facts = {"titles": {row.key: row.title for row in compared}, "trained": list(patients)}
    fits = [
        job
        for row in compared
        for job in comparison.one_patient_jobs(row, cohort, sections, patients, **parameters)
    ]
    groups = {"fits": fits, "permuted": comparison.permuted_controls(fits)}
    line = comparison.protocol_line("= one-patient, target as named", parameters)
    return comparison.Design(cohort, sections, groups, line, facts)
