"""Runs of chapter 8: graph attention, what it replaces, and what it is compared with."""

from collections.abc import Sequence

from compendium.data.splits import Placed
from compendium.errors import BadInput
from compendium.evaluation.comparison import Design, Job, Row, placed, protocol_line, testing
from compendium.evaluation.paired import Comparison
from compendium.methods import recipe
from compendium.runs import plan_runs

ROWS = (
    Row("hist2st", "Hist2ST", {"method": "hist2st", "distill": 0.0}),
    Row("gat", "graph attention", {"method": "hist2st-gat"}),
    Row(
        "gat-published",
        "graph attention, as published",
        {"method": "hist2st-gat", "shared": True, "loops": False},
    ),
    Row("mean", "graph mean", {"method": "hist2st-gat", "attention": False}),
    Row("ridge", "ridge", {"method": "ridge"}),
)
"""Without distillation, which graph attention does not have either."""
TITLES = {row.key: row.title for row in ROWS}
COMPARISONS = (
    Comparison("graph attention − Hist2ST", "gat", "hist2st"),
    Comparison("graph attention − graph mean", "gat", "mean"),
    Comparison("graph attention − as published", "gat", "gat-published"),
    Comparison("graph attention − ridge", "gat", "ridge"),
)


def design(
    cohort: str,
    names: Sequence[str] | None,
    splits: Sequence[str],
    tested: Sequence[str],
    spots: Sequence[int],
    **parameters,
) -> Design:
    """Plan every row on the same folds; permuted-image controls for the first split alone.

    Parameters
    ----------
    cohort, names
        Cohort and names of the sections; all of them by default.
    splits
        Split rules; patient-out by default.
    tested
        Only folds that test one of these sections; all by default.
    spots
        Numbers of spots at which one layer of each kind is timed.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted; facts: first (split), spots, width, graph_layers and
    k (neighbours) of graph attention.
    """
    sections, rules = placed(cohort, names), list(splits) or ["patient-out"]
    trained = [row for row in ROWS if not recipe(row.parameters["method"]).control]
    fits = _jobs(cohort, sections, rules, tested, ROWS, **parameters)
    model = next(dict(run.model) for key, run in fits if key == "gat")
    check_sizes(spots, model["k"])
    groups = {
        "fits": fits,
        "permuted": _jobs(cohort, sections, rules[:1], tested, trained, permute=True, **parameters),
    }
    facts = {"first": rules[0], "spots": list(spots)}
    facts |= {name: model[name] for name in ("width", "graph_layers", "k")}
    protocol = f"{protocol_line('= ' + ' and '.join(rules), parameters)}, distill = 0"
    return Design(cohort, sections, groups, protocol, facts)


def _jobs(
    cohort: str,
    sections: Sequence[Placed],
    rules: Sequence[str],
    tested: Sequence[str],
    rows: Sequence[Row],
    **parameters,
) -> list[Job]:
    jobs = []
    for row in rows:
        own = dict(row.parameters)
        method = own.pop("method")
        runs = plan_runs(cohort, sections, rules, [method], **parameters | own)
        jobs += [(row.key, run) for run in testing(runs, tested)]
    return jobs


def check_sizes(sizes: Sequence[int], k: int) -> None:
    """Raise BadInput unless there are two sizes, each with k neighbours for every spot."""
    if len(set(sizes)) < 2 or min(sizes) <= k:
        raise BadInput(
            f"spots is {list(sizes)}; give two or more different sizes of at least {k + 1}, "
            "e.g. [100, 400, 1600]"
        )
