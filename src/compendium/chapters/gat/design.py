"""Runs of chapter 8: graph attention, what it replaces, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import replace

from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Row
from compendium.evaluation.paired import Comparison
from compendium.methods import recipe

PUBLISHED = {"shared": True, "loops": False}
ROWS = (
    Row("hist2st", "Hist2ST", {"method": "hist2st", "distill": 0.0}),
    Row("gat", "graph attention", {"method": "hist2st-gat"}),
    Row("gat-published", "graph attention, as published", {"method": "hist2st-gat"} | PUBLISHED),
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
    seeds: int,
    **parameters,
) -> comparison.Design:
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
    seeds
        Number of seeds of every row; permuted-image controls are fitted once.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted; facts: first (split), spots, width, graph_layers and
    k (neighbours) of graph attention.
    """
    sections, rules = comparison.placed(cohort, names), list(splits) or ["patient-out"]
    fits = comparison.split_jobs(ROWS, cohort, sections, rules, tested, **parameters)
    model = next(dict(run.model) for key, run in fits if key == "gat")
    check_sizes(spots, model["k"])
    permuted = [
        (key, replace(run, permute=True))
        for key, run in fits
        if run.split.rule == rules[0] and not recipe(run.method).control
    ]
    facts = {"first": rules[0], "spots": list(spots)}
    facts |= {name: model[name] for name in ("width", "graph_layers", "k")}
    line = comparison.protocol_line("= " + " and ".join(rules), parameters)
    groups = {"fits": comparison.repeated(fits, seeds), "permuted": permuted}
    return comparison.Design(cohort, sections, groups, f"{line}, distill = 0", facts)


def check_sizes(sizes: Sequence[int], k: int) -> None:
    """Raise BadInput unless there are two sizes, each with k neighbours for every spot."""
    if len(set(sizes)) < 2 or min(sizes) <= k:
        raise BadInput(
            f"spots is {list(sizes)}; give two or more different sizes of at least {k + 1}, "
            "e.g. [100, 400, 1600]"
        )
