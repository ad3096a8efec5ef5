"""Tables of chapter 6."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.data.section import Section
from compendium.data.sources import raw_folder
from compendium.evaluation import classification, comparison
from compendium.evaluation.classification import labelling, transfer
from compendium.evaluation.comparison import Design, Fitted, Job, Tables, by_seed, over_seeds
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, on_both_targets
from compendium.runs.run import Run
from compendium.runs.store import Record

BY_SECTION = "section split spots accuracy majority_accuracy f1 majority_f1 permuted_f1".split()
BY_SECTION += ["auc", "permuted_auc", "unlearned"]
"""Columns of `beside_permuted` about all classes."""
TWO_CLASSES = "section split cancer_share cancer_f1 always_f1 permuted_cancer_f1".split()
TWO_CLASSES += ["cancer_auc", "permuted_cancer_auc"]
"""Columns of `beside_permuted` about cancer against all else."""


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score expression and classes of every fit.

    Returns
    -------
    Tables
        labels and transfer (see `compendium.evaluation.classification`), panels (medians by part
        of the panel, row and split), criterion, sweep (see `sweep`), seeds, by_class, roc and
        confusion (of the gamma that is shown, over seeds, with section and split), curves (first
        seed), cost (both with the permuted-image control).
    Facts
        preliminary (titles of methods below the criterion, Regclass at the gamma that is shown).
    """
    fits, permuted = groups["fits"], groups["permuted"]
    every = Fitted([*fits.jobs, *permuted.jobs], [*fits.records, *permuted.records])
    table = fits.scores(sections)
    panels = on_both_targets(by_panel(over_seeds(table)), ["panel", "row", "split"])
    met = criterion(table, permuted.scores(sections), fits.jobs)
    shown = fits.averaged.of([f"γ = {design.facts['gamma']:g}"])
    return {
        "labels": labelling(sections),
        "transfer": transfer(sections, raw_folder("her2st")),
        "panels": panels.rename(columns={"row": "method"}),
        "criterion": met,
        "sweep": sweep(every, sections),
        "seeds": by_seed(table),
        "by_class": _each(shown, sections, classification.by_class),
        "roc": _each(shown, sections, classification.roc),
        "confusion": _each(shown, sections, _cells),
        "curves": every.once.curves(),
        "cost": every.cost(),
    }, {"preliminary": preliminary(met, fits.jobs, design.facts["gamma"])}


def criterion(table: pd.DataFrame, permuted: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """Return `comparison.criterion`, with the one permuted-image control for all rows."""
    keys = list(dict(jobs))
    every = pd.concat([permuted.assign(row=key) for key in keys], ignore_index=True)
    return comparison.criterion(table, every, jobs)


def preliminary(met: pd.DataFrame, jobs: Sequence[Job], gamma: float) -> list[str]:
    """Return the titles of Hist2ST and of Regclass at the gamma that is shown, if preliminary."""
    titles = {key: run.title for key, run in jobs if key in ("Hist2ST", f"γ = {gamma:g}")}
    below = set(met.loc[~met["result"], "row"])
    return [title for key, title in titles.items() if key in below]


def sweep(fits: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Summarise each row in each of its test sections, mean over seeds.

    Returns
    -------
    One line a row, fold and test section: method, gamma (NaN for a method without it), permuted,
    split, section, patient, labels_from, pcc (median over genes), and the numbers of
    `compendium.evaluation.classification.over_classes` if the method classifies.
    """
    runs = ["row", "split", "fold", "section", "seed"]
    medians, rows = fits.scores(sections).groupby(runs)["pcc"].median(), []
    for key, run, record, section in _tested(fits, sections):
        facts = {
            "method": run.method,
            "gamma": dict(run.model).get("gamma", np.nan),
            "permuted": run.permute,
            "split": run.split.rule,
            "section": section.name,
            "patient": section.patient,
            "labels_from": section.labels_from,
            "pcc": medians[key, run.split.rule, run.split.name, section.name, run.seed],
        }
        if record.probabilities:
            facts |= classification.over_classes(classification.answers(record, section))
        rows.append(facts)
    return _mean(pd.DataFrame(rows))


def _mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the numbers of rows that differ in their seed alone; texts are of the first."""
    key = "method gamma permuted split section patient labels_from".split()
    if not rows.duplicated(key).any():
        return rows
    numbers = rows.select_dtypes("number").columns
    how = {name: "mean" if name in numbers else "first" for name in rows if name not in key}
    return rows.groupby(key, sort=False, dropna=False).agg(how).reset_index()[list(rows)]


def _tested(
    fits: Fitted, sections: Sequence[Section]
) -> Iterator[tuple[str, Run, Record, Section]]:
    for (key, run), record in zip(fits.jobs, fits.records, strict=True):
        yield from ((key, run, record, each) for each in sections if each.name in run.split.test)


def _each(fits: Fitted, sections: Sequence[Section], table: Callable) -> pd.DataFrame:
    parts = [
        table(classification.answers(record, each)).assign(section=each.name, split=run.split.rule)
        for _, run, record, each in _tested(fits, sections)
    ]
    return pd.concat(parts, ignore_index=True)


def _cells(answers: classification.Answers) -> pd.DataFrame:
    return classification.confusion(answers).stack().rename("spots").reset_index()


def at_gamma(results: Results, permuted: bool = False, gamma: float | None = None) -> pd.DataFrame:
    """Return the rows of `sweep` at a gamma, or of its permuted-image control.

    By default at the gamma that is shown.
    """
    rows = results["sweep"]
    shown = np.isclose(rows["gamma"], results.facts["gamma"] if gamma is None else gamma)
    return rows[shown & (rows["permuted"] == permuted)]


def beside_permuted(results: Results) -> pd.DataFrame:
    """Set the rows at the gamma that is shown beside their permuted-image control.

    Returns
    -------
    Rows of `at_gamma`, with permuted_f1, permuted_auc, permuted_cancer_f1, permuted_cancer_auc.
    """
    place = ["section", "split"]
    control = at_gamma(results, permuted=True).set_index(place)
    scores = control[["f1", "auc", "cancer_f1", "cancer_auc"]].add_prefix("permuted_")
    return at_gamma(results).set_index(place).join(scores).reset_index()


def gamma_changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Compare each model with gamma = 0, test by test.

    Hist2ST and gamma = 0 have the same loss, so their difference is that of two fits.

    Parameters
    ----------
    rows
        Table `sweep` without permuted-image controls.

    Returns
    -------
    One row a model: model, change (mean difference of the median PCC), absolute (mean of its
    absolute value), higher (tests in which it is higher), tests. Empty without gamma = 0.
    """
    names = rows["gamma"].map("γ = {:g}".format).where(rows["gamma"].notna(), "Hist2ST")
    test = ["section", "split"]
    wide = rows.assign(model=names).pivot(index=test, columns="model", values="pcc")
    wide = wide[list(dict.fromkeys(names))]
    base = wide.pop("γ = 0") if "γ = 0" in wide else pd.Series(np.nan, wide.index)
    change = wide.sub(base, axis=0).dropna(axis=1, how="all")
    columns = {"change": change.mean(), "absolute": change.abs().mean()}
    table = pd.DataFrame(columns | {"higher": (change > 0).sum(), "tests": len(wide)})
    return table.rename_axis("model").reset_index()
