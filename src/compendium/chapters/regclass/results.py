"""The Regclass chapter: a sweep over the weight of the classes, one of them looked at closely, Hist2ST and a twin on shuffled patches beside them."""

from collections.abc import Callable, Sequence

import pandas as pd

from compendium import runs
from compendium.chapters.regclass.gamma import sweep
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.data.sources import raw_folder
from compendium.errors import BadInput
from compendium.evaluation import classification as classes
from compendium.evaluation.comparison import Fitted, Job, changed, fitted, provenance, testing
from compendium.evaluation.labelling import carried, labelling, transfer
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, summary


def study(
    cohort: str,
    names: Sequence[str] | None,
    rules: Sequence[str],
    tested: Sequence[str],
    gammas: Sequence[float],
    gamma: float,
    epochs: int | None,
    device: str,
    **words,
) -> Results:
    """Regclass at every gamma, Hist2ST trained alike, and the twin of `gamma`, on the folds that test one of `tested` ([]: all); words go to every run."""
    sections = open_sections(cohort, names)
    _check(sections, tested, gammas, gamma)

    def jobs(row: str, method: str, **more) -> list[Job]:
        return [
            (row, run)
            for run in testing(
                runs.plan_runs(
                    cohort, sections, rules or ["section-out"], [method], **words, **more
                ),
                tested,
            )
        ]

    longer = {"epochs": epochs} if epochs else {}
    swept = [
        job
        for weight in gammas
        for job in jobs(f"γ = {weight:g}", "regclass", gamma=float(weight), **longer)
    ]
    first = swept[0][1]
    reference = jobs(
        "Hist2ST", "hist2st", epochs=first.epochs, positions=dict(first.model)["positions"]
    )
    twins = jobs(f"γ = {gamma:g}, twin", "regclass", gamma=gamma, permute=True, **longer)
    groups = fitted({"fits": [*reference, *swept, *twins]}, sections, device)
    smoke = list(dict.fromkeys(run.title for _, run in [*reference, *swept] if not run.result))
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "labels": carried(sections),
        "epochs": first.epochs,
        "smoke": smoke,
        "protocol": f"clean, except split as named, panel = {words['panel']}, encoder = {words['encoder']}, budget = {words['budget']}, epochs = {first.epochs}",
        "distill": dict(first.model)["distill"],
        "changed": changed(first),
        "sections": len(sections),
    }
    table = groups["fits"].scores(sections)
    panels = summary(by_panel(table[~table["permuted"]]), ["panel", "row", "split"])
    owned = {
        "labels": labelling(sections),
        "transfer": transfer(sections, raw_folder("her2st")),
        "panels": panels.rename(columns={"row": "method"}),
    }
    return Results(owned | _tables(groups["fits"], sections, gamma), provenance(groups) | facts)


def _check(
    sections: Sequence[Section], tested: Sequence[str], gammas: Sequence[float], gamma: float
) -> None:
    if not set(tested) <= {s.name for s in sections}:
        raise BadInput(
            f"tested names a section that is not among {', '.join(s.name for s in sections)}; correct it or leave it out"
        )
    if not gamma or gamma not in gammas:
        raise BadInput(
            f"gamma {gamma:g} is not among the gammas above 0 ({', '.join(f'{g:g}' for g in gammas)}); choose one of them"
        )


def _tables(fits: Fitted, sections: Sequence[Section], gamma: float) -> dict[str, pd.DataFrame]:
    closely = [
        (section, run.split.rule, classes.answers(record, section))
        for (key, run), record in zip(fits.jobs, fits.records, strict=True)
        for section in sections
        if key == f"γ = {gamma:g}" and section.name in run.split.test
    ]

    def each(of: Callable[[classes.Answers], pd.DataFrame]) -> pd.DataFrame:
        return pd.concat(
            [
                of(answer).assign(section=section.name, split=split)
                for section, split, answer in closely
            ],
            ignore_index=True,
        )

    return {
        "sweep": sweep([run for _, run in fits.jobs], fits.records, sections),
        "by_class": each(classes.by_class),
        "roc": each(classes.roc),
        "confusion": each(
            lambda answer: classes.confusion(answer).stack().rename("spots").reset_index()
        ),
        "curves": fits.curves(),
        "cost": fits.cost(),
    }
