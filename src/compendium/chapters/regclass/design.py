"""Runs of chapter 6: Regclass at each weight gamma, Hist2ST, and the permuted-image control."""

from collections.abc import Sequence

from compendium.errors import BadInput
from compendium.evaluation.comparison import (
    Design,
    Job,
    changed,
    placed,
    protocol_line,
    testing,
)
from compendium.runs import plan_runs


def design(
    cohort: str,
    names: Sequence[str] | None,
    splits: Sequence[str],
    tested: Sequence[str],
    gammas: Sequence[float],
    gamma: float,
    epochs: int | None,
    **parameters,
) -> Design:
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
    epochs
        Epochs of every fit; those of Regclass in the budget by default.
    parameters
        Parameters of every run: panel, encoder, weights, budget, seed.

    Returns
    -------
    Design with the groups fits (rows Hist2ST, γ = ...) and permuted.
    """
    sections = placed(cohort, names)
    _check([section.name for section in sections], tested, gammas, gamma)
    rules = list(splits) or ["section-out"]

    def jobs(row: str, method: str, **own) -> list[Job]:
        runs = plan_runs(cohort, sections, rules, [method], **parameters, **own)
        return [(row, run) for run in testing(runs, tested)]

    length = {"epochs": epochs} if epochs else {}
    swept = [
        job
        for weight in gammas
        for job in jobs(f"γ = {weight:g}", "regclass", gamma=float(weight), **length)
    ]
    first = swept[0][1]
    model = dict(first.model)
    fits = [
        *jobs("Hist2ST", "hist2st", epochs=first.epochs, positions=model["positions"]),
        *swept,
    ]
    control = jobs(f"γ = {gamma:g}, permuted", "regclass", gamma=gamma, permute=True, **length)
    facts = {
        "epochs": first.epochs,
        "gamma": gamma,
        "preliminary": list(dict.fromkeys(run.title for _, run in fits if not run.result)),
        "distill": model["distill"],
        "changed": changed(first),
    }
    protocol = f"{protocol_line('as named', parameters)}, epochs = {first.epochs}"
    return Design(cohort, sections, {"fits": fits, "permuted": control}, protocol, facts)


def _check(
    names: Sequence[str], tested: Sequence[str], gammas: Sequence[float], gamma: float
) -> None:
    if unknown := sorted(set(tested) - set(names)):
        raise BadInput(
            f"tested names section {unknown[0]}, which is not among {', '.join(names)}; "
            "correct it or leave it out"
        )
    if not gamma or gamma not in gammas:
        raise BadInput(
            f"gamma {gamma:g} is not among the gammas above 0 "
            f"({', '.join(f'{g:g}' for g in gammas)}); choose one of them"
        )
