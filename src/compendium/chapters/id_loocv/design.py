"""Runs of chapter 2: every method under both splits and on matched training sets; controls."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compendium.chapters.id_loocv import bleep_genes, published_rows
from compendium.data.splits import MATCHED, Placed
from compendium.errors import BadInput
from compendium.evaluation.comparison import Design, Job, changed, placed, protocol_line, repeated
from compendium.methods import recipe
from compendium.runs import Run, plan_run
from compendium.runs.study.runs import distinct

SPLITS = ("section-out", "patient-out")
DRAWS = {"spot": 10, "section": 3}
"""Draws of matched training sets, of a method that predicts spots (controls too) or sections."""


def design(
    cohort: str,
    names: Sequence[str] | None,
    methods: Sequence[str],
    draws: Mapping[str, int | None],
    seeds: int,
    *,
    section: str = "",
    gene: str = "",
    as_published: Sequence[str] = (),
    published_epochs: int | None = None,
    enlarged: int | None = None,
    **parameters,
) -> Design:
    """Plan every method under both splits and on matched training sets, and its controls.

    Parameters
    ----------
    cohort, names
        Cohort and names of the sections; all of them by default.
    methods
        Methods that are compared. The training mean, which has no correlation, and a control with
        permuted images are not fitted on matched training sets.
    draws
        Number of draws of matched training sets by unit, None for that of `DRAWS`; draw i has
        seed i.
    seeds
        Number of seeds of every row, see `compendium.evaluation.comparison.repeated`.
    section, gene
        What the tissue map shows; the first by default.
    as_published, published_epochs
        Methods fitted as published, and their epochs (see `published_rows.jobs`); none by default.
    enlarged
        Variable genes of each training section towards which BLEEP is trained too (see
        `bleep_genes.jobs`); none by default.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits, matched, permuted (one seed under both splits), published,
    published permuted, enlarged.
    """
    sections = placed(cohort, names)
    order = [recipe(name).name for name in methods]
    names = [section.name for section in sections]
    _check(order, section, names)
    trained = [name for name in order if not recipe(name).control]
    siblings = len({section.patient for section in sections}) < len(sections)
    matched = _jobs(sections, cohort, MATCHED, _matched(order), parameters) if siblings else []
    fits = repeated(_jobs(sections, cohort, SPLITS, order, parameters), seeds)
    groups = {
        "fits": fits,
        "matched": _drawn(matched, draws),
        "permuted": _jobs(sections, cohort, SPLITS, trained, parameters | {"permute": True}),
        **published_rows.jobs(cohort, sections, as_published, published_epochs, parameters),
        "enlarged": bleep_genes.jobs(fits, enlarged),
    }
    facts = _facts(order, dict(fits)) | {"section": section or names[0], "gene": gene}
    return Design(cohort, sections, groups, protocol_line("as named", parameters), facts, ["fits"])


def _jobs(
    sections: Sequence[Placed],
    cohort: str,
    rules: Sequence[str],
    methods: Sequence[str],
    parameters: Mapping[str, object],
) -> list[Job]:
    """Plan methods on every distinct fold."""
    return [
        (name, plan_run(cohort, split, name, sections=sections, **_by_blocks(name), **parameters))
        for split in distinct(rules, sections)
        for name in dict.fromkeys(methods)
    ]


def _facts(order: Sequence[str], runs: Mapping[str, Run]) -> dict[str, object]:
    """What pages print of the methods."""
    trained = [name for name in order if not recipe(name).control]
    return {
        "order": order,
        "titles": {name: run.title for name, run in runs.items()},
        "changed": {runs[name].title: changed(runs[name]) for name in trained},
    }


def _check(order: Sequence[str], section: str, names: Sequence[str]) -> None:
    if set(order) <= {"mean"}:
        raise BadInput(
            "methods names nothing that can be correlated; add one, e.g. methods=[ridge]"
        )
    if section and section not in names:
        raise BadInput(
            f"section {section} of the tissue map is not among {', '.join(names)}; "
            "set section to one of them"
        )


def _matched(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != "mean" and not recipe(name).permute]


def _drawn(jobs: Sequence[Job], draws: Mapping[str, int | None]) -> list[Job]:
    """Repeat jobs with a seed a draw, those of controls too."""
    times = DRAWS | {unit: number for unit, number in draws.items() if number is not None}
    return [
        (key, replace(run, seed=run.seed + draw))
        for key, run in jobs
        for draw in range(times[recipe(run.method).unit])
    ]


def _by_blocks(name: str) -> dict[str, str]:
    """In a comparison of patients ridge chooses its penalty by one rule everywhere: by blocks."""
    return {"penalty_by": "blocks"} if "penalty_by" in recipe(name).model else {}
