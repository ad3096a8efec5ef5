"""Runs of chapter 6: Regclass at each weight gamma, Hist2ST, and the permuted-image control."""

from collections.abc import Sequence
from dataclasses import replace

from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Row, split_jobs


def design(
    cohort: str,
    names: Sequence[str] | None,
    splits: Sequence[str],
    tested: Sequence[str],
    gammas: Sequence[float],
    gamma: float,
    seeds: int,
    **parameters,
) -> comparison.Design:
    """Plan Regclass at every weight of the classes, and Hist2ST trained alike.

    Parameters
    ----------
    cohort, names
        Cohort and names of the sections; all of them by default.
    splits
        Split rules; section-out by default.
    tested
        Only folds that test one of these sections; all by default.
    gammas
        Weights of the cross-entropy in the loss.
    gamma
        The weight whose classes are shown and that has a permuted-image control.
    seeds
        Number of seeds of every row; the permuted-image control is fitted once.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits (rows Hist2ST, γ = ...) and permuted.
    """
    sections = comparison.placed(cohort, names)
    _check([section.name for section in sections], tested, gammas, gamma)
    where = (cohort, sections, list(splits) or ["section-out"], tested)
    own = {"method": "regclass"}
    rows = [Row(f"γ = {each:g}", "Regclass", own | {"gamma": float(each)}) for each in gammas]
    swept = split_jobs(rows, *where, **parameters)
    first, model = swept[0][1], dict(swept[0][1].model)
    alike = {"method": "hist2st", "positions": model["positions"]}
    fits = [*split_jobs([Row("Hist2ST", "Hist2ST", alike)], *where, **parameters), *swept]
    shown = f"γ = {gamma:g}"
    control = [
        (f"{shown}, permuted", replace(run, permute=True)) for key, run in fits if key == shown
    ]
    facts = {
        "gamma": gamma,
        "distill": model["distill"],
        "changed": comparison.changed(first),
    }
    protocol = comparison.protocol_line("as named", parameters)
    groups = {"fits": comparison.repeated(fits, seeds), "permuted": control}
    return comparison.Design(cohort, sections, groups, protocol, facts)


def _check(names: list[str], tested: Sequence[str], gammas: Sequence[float], gamma: float) -> None:
    if unknown := sorted(set(tested) - set(names)):
        raise BadInput(
            f"tested names section {unknown[0]}, which is not among {', '.join(names)}; "
            "correct it or leave it out"
        )
    if not gamma or gamma not in gammas:
        known = ", ".join(f"{weight:g}" for weight in gammas)
        raise BadInput(
            f"gamma {gamma:g} is not among the gammas above 0 ({known}); choose one of them"
        )
