"""Runs of chapter 2: every method with a section and with a patient left out, and its controls."""

from collections.abc import Sequence

from compendium.data.splits import MATCHED
from compendium.errors import BadInput
from compendium.evaluation.comparison import Design, Job, changed, placed, protocol_line, repeated
from compendium.methods import recipe
from compendium.runs import plan_runs

SPLITS = ("section-out", "patient-out")


def design(
    cohort: str,
    names: Sequence[str] | None,
    methods: Sequence[str],
    matched: Sequence[str],
    seeds: int,
    *,
    section: str = "",
    gene: str = "",
    **parameters,
) -> Design:
    """Plan every method under both splits, its controls, and the matched training sets.

    Parameters
    ----------
    cohort, names
        Cohort and names of the sections; all of them by default.
    methods
        Methods that are compared.
    matched
        Methods that are also fitted on matched training sets, within and between patients. They
        are fitted once, as the permuted-image controls are.
    seeds
        Number of seeds of every row, see `compendium.evaluation.comparison.repeated`.
    section, gene
        What the tissue map shows; the first by default.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits, matched, permuted (section left out only).
    """
    sections = placed(cohort, names)
    order = [recipe(name).name for name in methods]
    matched = [recipe(name).name for name in matched if recipe(name).name != "mean"]
    names = [section.name for section in sections]
    if set(order) <= {"mean"}:
        raise BadInput(
            "methods names nothing that can be correlated; add one, e.g. methods=[ridge]"
        )
    if section and section not in names:
        raise BadInput(
            f"section {section} of the tissue map is not among {', '.join(names)}; "
            "set section to one of them"
        )

    def jobs(splits: Sequence[str], compared: Sequence[str], **more) -> list[Job]:
        each = list(dict.fromkeys(compared))
        runs = plan_runs(cohort, sections, splits, each, **parameters, **more)
        return [(run.method, run) for run in runs]

    trained = [name for name in order if not recipe(name).control]
    siblings = len({section.patient for section in sections}) < len(sections)
    groups = {
        "fits": repeated(jobs(SPLITS, [*order, *matched]), seeds),
        "matched": jobs(MATCHED, matched) if matched and siblings else [],
        "permuted": jobs(SPLITS[:1], trained, permute=True),
    }
    runs = dict(groups["fits"])
    facts = {
        "order": order,
        "matched": matched,
        "titles": {name: run.title for name, run in runs.items()},
        "section": section or names[0],
        "gene": gene,
        "changed": {runs[name].title: changed(runs[name]) for name in trained},
    }
    return Design(cohort, sections, groups, protocol_line("as named", parameters), facts)
