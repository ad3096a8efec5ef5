"""PCC within tissue classes, beside a control that knows the class of each spot and nothing else.

Both need the labels of the test section, which no method is given.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from compendium.data.section import Section
from compendium.data.targets.transforms import Target
from compendium.evaluation.classification import known
from compendium.evaluation.correlation import partial_pcc, pcc
from compendium.evaluation.scores import scoring_target
from compendium.runs.inputs.batches import labels_of
from compendium.runs.inputs.prepare import used
from compendium.runs.run import Run
from compendium.runs.store import Record

FACTS = "method title split section patient labels spots classes unlearned".split()
VALUES = ["pcc", "within", "control"]


def class_means(
    train: Float[np.ndarray, "spot gene"], labels: np.ndarray, classes: np.ndarray
) -> Float[np.ndarray, "test gene"]:
    """Return the training mean of the class of each test spot.

    Parameters
    ----------
    train, labels
        Values and labels of the training spots.
    classes
        Label of each test spot; one that training lacks gets the mean over all training spots.
    """
    train = train.astype(np.float64)
    means = {name: train[labels == name].mean(axis=0) for name in np.unique(labels)}
    return np.stack([means.get(label, train.mean(axis=0)) for label in classes])


def within_class(
    runs: Sequence[Run], records: Sequence[Record], sections: Sequence[Section]
) -> pd.DataFrame:
    """Score runs within tissue classes, over the spots with a class.

    Returns
    -------
    One row a run and test section with at least two classes; runs that differ in their seed alone
    are averaged. Columns: method, title, split, section, patient, labels (their source, empty for
    the section's own), spots, classes, unlearned (spots of a class that no training section has);
    medians over genes of pcc (of the prediction), within (PCC within classes) and control (PCC of
    the training class means, given to each spot by its true class; NaN without training labels).
    """
    by_name = {section.name: section for section in sections}
    rows, controls = [], {}
    for run, record in zip(runs, records, strict=True):
        target = scoring_target(record.genes, used(run, sections))
        train = [by_name[name] for name in run.split.train]
        for name, predicted in record.predictions.items():
            section, covered = by_name[name], record.predicted_rows(by_name[name])
            spots = known(section)[covered]
            labels = labels_of(section)[covered][spots]
            if len(np.unique(labels)) < 2:
                continue
            measured = target(section)[covered][spots]
            key = (run.split, name, tuple(record.genes), run.windows)
            if key not in controls:
                controls[key] = _control(train, target, labels, measured)
            row = {"method": run.method, "title": run.title, "split": run.split.rule}
            row |= {"section": name, "patient": section.patient, "labels": section.labels_line}
            row |= {"spots": len(labels), "classes": len(np.unique(labels))} | controls[key]
            row["pcc"] = _median(pcc(predicted[spots], measured))
            row["within"] = _median(partial_pcc(predicted[spots], measured, labels))
            rows.append(row)
    table = pd.DataFrame(rows, columns=[*FACTS, *VALUES]).astype(dict.fromkeys(VALUES, float))
    return table.groupby(FACTS, sort=False)[VALUES].mean().reset_index()


def _control(
    train: Sequence[Section], target: Target, labels: np.ndarray, measured: np.ndarray
) -> dict[str, float]:
    labelled = [(section, known(section)) for section in train if known(section).any()]
    if not labelled:
        return {"unlearned": len(labels), "control": np.nan}
    values = np.concatenate([target(section)[spots] for section, spots in labelled])
    names = np.concatenate([section.labels[spots] for section, spots in labelled])
    return {
        "unlearned": int((~np.isin(labels, names)).sum()),
        "control": _median(pcc(class_means(values, names, labels), measured)),
    }


def _median(values: Float[np.ndarray, "gene"]) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan


def by_method(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the medians of `within_class` over sections.

    Returns
    -------
    One row a split and method: split, method, title, pcc, within, control, sections.
    """
    groups = rows.groupby(["split", "method", "title"], sort=False)
    means = groups[VALUES].mean()
    return means.assign(sections=groups["section"].nunique()).reset_index()
