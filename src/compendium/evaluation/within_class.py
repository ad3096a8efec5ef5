"""Does a method only tell tissue classes apart? PCC within classes, beside a control that knows the class of every spot and nothing else.

Both need the labels of the test section, which no method is given: this is evidence, not a method.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from compendium.data.section import Section
from compendium.data.targets.transforms import Target
from compendium.evaluation.classification import known
from compendium.evaluation.scores import pcc, scoring_target
from compendium.runs.inputs.prepare import used
from compendium.runs.run import Run
from compendium.runs.store import Record


def centred(
    values: Float[np.ndarray, "spot gene"], labels: np.ndarray
) -> Float[np.ndarray, "spot gene"]:
    """The values less the mean of their class, gene by gene; exactly 0 in a class of one spot."""
    values = values.astype(np.float64)
    for name in np.unique(labels):
        mine = labels == name
        values[mine] -= values[mine].mean(axis=0)
    return values


def within_pcc(
    predicted: Float[np.ndarray, "spot gene"],
    measured: Float[np.ndarray, "spot gene"],
    labels: np.ndarray,
) -> Float[np.ndarray, "gene"]:
    """Correlation of each gene over all spots once the mean of each class is taken from both sides: the partial correlation given the class.

    Every spot counts once, so a class counts by its spots and its spread. NaN where one side does not vary within any class.
    """
    rest = centred(predicted, labels), centred(measured, labels)
    level = [
        np.abs(side).max(axis=0, initial=0) <= 1e-6 * np.abs(whole).max(axis=0, initial=0)
        for side, whole in zip(rest, (predicted, measured), strict=True)
    ]
    return np.where(
        level[0] | level[1], np.nan, pcc(*rest)
    )  # rounding leaves a residue where a class is constant


def class_means(
    train: Float[np.ndarray, "spot gene"], labels: np.ndarray, asked: np.ndarray
) -> Float[np.ndarray, "asked gene"]:
    """For each asked label the mean over the training spots of that class; over all of them for a class that training lacks. labels: of the training spots."""
    train = train.astype(np.float64)
    means = {name: train[labels == name].mean(axis=0) for name in np.unique(labels)}
    return np.stack([means.get(label, train.mean(axis=0)) for label in asked])


def within_class(
    runs: Sequence[Run], records: Sequence[Record], sections: Sequence[Section]
) -> pd.DataFrame:
    """One row a run and test section that has at least two classes; medians over genes, over the spots with a class; a mean over runs that differ in their seed alone.

    [method, title, split, section, patient, labels, spots, classes, unlearned, pcc, within, control]: pcc of the prediction, its PCC within classes, and the
    PCC of the class means of the training sections, given to each spot by its true class. unlearned: spots whose class no training section has. control is NaN
    where no training spot has a class. labels: whose they are, where they are not the section's own (Section.labels_line).
    """
    by_name, rows, controls = {section.name: section for section in sections}, [], {}
    for run, record in zip(runs, records, strict=True):
        wide = scoring_target(record.genes, used(run, sections))
        for name, predicted in record.predictions.items():
            section, shown = by_name[name], record.predicted_rows(by_name[name])
            spots = known(section)[shown]
            labels = section.labels[shown][spots] if spots.any() else np.zeros(0, dtype=str)
            if len(np.unique(labels)) < 2:
                continue
            measured, key = (
                wide(section)[shown][spots],
                (run.split, name, tuple(record.genes), run.windows),
            )
            if key not in controls:
                controls[key] = _control(
                    [by_name[each] for each in run.split.train], wide, labels, measured
                )
            facts = {
                "method": run.method,
                "title": run.title,
                "split": run.split.rule,
                "section": name,
                "patient": section.patient,
                "labels": section.labels_line,
            }
            facts |= {"spots": len(labels), "classes": len(np.unique(labels))} | controls[key]
            rows.append(
                facts
                | {
                    "pcc": _median(pcc(predicted[spots], measured)),
                    "within": _median(within_pcc(predicted[spots], measured, labels)),
                }
            )
    columns, values = (
        [
            "method",
            "title",
            "split",
            "section",
            "patient",
            "labels",
            "spots",
            "classes",
            "unlearned",
        ],
        ["pcc", "within", "control"],
    )
    table = pd.DataFrame(rows, columns=columns + values)
    return table.groupby(columns, sort=False)[values].mean().reset_index() if rows else table


def _control(
    train: Sequence[Section], wide: Target, labels: np.ndarray, measured: np.ndarray
) -> dict[str, float]:
    taught = [
        (wide(section)[known(section)], section.labels[known(section)])
        for section in train
        if known(section).any()
    ]
    if not taught:
        return {"unlearned": len(labels), "control": np.nan}
    values, names = (np.concatenate(parts) for parts in zip(*taught, strict=True))
    return {
        "unlearned": int((~np.isin(labels, names)).sum()),
        "control": _median(pcc(class_means(values, names, labels), measured)),
    }


def _median(values: Float[np.ndarray, "gene"]) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan


def by_method(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over sections of the medians, a row a split and method: [split, method, title, sections, pcc, within, control]."""
    groups = rows.groupby(["split", "method", "title"], sort=False)
    return (
        groups[["pcc", "within", "control"]]
        .mean()
        .assign(sections=groups["section"].nunique())
        .reset_index()
    )


def told(rows: pd.DataFrame) -> str:
    """Per split: what is left within classes of the highest PCC, and how many rows exceed the control; rows of `within_class`."""
    if rows.empty:
        return (
            "No section here has two classes of labelled spots, so nothing can be said of classes."
        )
    sentences = []
    for split, part in (
        by_method(rows).dropna(subset=["pcc", "within"]).groupby("split", sort=False)
    ):
        best, deeper = part.loc[part["pcc"].idxmax()], part.loc[part["within"].idxmax()]
        above = part[part["pcc"] > part["control"]]
        sentences.append(
            f"Under {split} the class means of the training sections, given to each spot by its true class, reach a median PCC of {part['control'].mean():.3f}; "
            f"{len(above)} of {len(part)} rows exceed it{_named(above['title'])}. "
            f"The highest, {best['title']} with {best['pcc']:.3f}, keeps {best['within']:.3f} within classes; "
            f"the highest within classes is {deeper['title']} with {deeper['within']:.3f}."
        )
    return " ".join(sentences)


def sections_told(rows: pd.DataFrame) -> str:
    """How many sections each split tests: "section-out 5, patient-out 2"."""
    return ", ".join(
        f"{split} {count}"
        for split, count in rows.groupby("split", sort=False)["section"].nunique().items()
    )


def labels_told(rows: pd.DataFrame) -> str:
    """Whose the labels are and what that does to the numbers, and the spots of a class that training lacks; "" where there is nothing to say."""
    tests, said = rows.drop_duplicates(["split", "section"]), ""
    carried = tests[tests["labels"] != ""].groupby("labels", sort=False)["section"].unique()
    if len(carried):
        whose = "; ".join(f"{', '.join(names)} {line}" for line, names in carried.items())
        said += f" Labels: {whose}; a wrong label lowers the control and leaves a difference of classes within them."
    if tests["unlearned"].any():
        unlearned = ", ".join(
            f"{row.section}, {row.split}: {row.unlearned} of {row.spots}"
            for row in tests[tests["unlearned"] > 0].itertuples()
        )
        said += f" Spots of a class that no training section has, for which the control answers with the mean of all: {unlearned}."
    return said


def _named(titles: pd.Series) -> str:
    return f" ({', '.join(titles)})" if 0 < len(titles) <= 3 else ""
