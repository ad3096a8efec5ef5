"""How well a run tells the classes of spots it has not seen: accuracy, F1, ROC and confusion, each beside the best constant answer."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score, roc_curve

from compendium.data.section import NO_LABEL, Section
from compendium.runs.inputs.batches import UNDETERMINED
from compendium.runs.store import Record

CANCER = (
    "invasive cancer",
    "cancer in situ",
)  # the classes of the two-class form, which is the benchmark's


@dataclass(frozen=True)
class Answers:
    """What was asked and answered in one section, over its spots with a class. classes: those that were learned, then those of the section that were not."""

    classes: tuple[str, ...]
    learned: int
    truth: Int[np.ndarray, "spot"]
    probability: Float[np.ndarray, "spot class"]

    @property
    def answer(self) -> Int[np.ndarray, "spot"]:
        """The most probable class of each spot."""
        return self.probability.argmax(axis=1)

    @property
    def cancer(self) -> tuple[Bool[np.ndarray, "spot"], Float[np.ndarray, "spot"]]:
        """Whether each spot is of a cancer class, and the summed probability of these."""
        kinds = np.isin(self.classes, CANCER)
        return kinds[self.truth], self.probability[:, kinds].sum(axis=1)


def known(section: Section) -> np.ndarray:
    """Which spots have a class: labelled, and not undetermined."""
    labels = np.full(len(section), NO_LABEL) if section.labels is None else section.labels
    return ~np.isin(labels, (NO_LABEL, UNDETERMINED))


def answers(record: Record, section: Section) -> Answers:
    """The answers of a stored run in a test section; a class of the section that the training sections lack has probability 0."""
    labels = (np.full(len(section), NO_LABEL) if section.labels is None else section.labels)[
        record.predicted_rows(section)
    ]
    asked = known(section)[record.predicted_rows(section)]
    learned = list(record.facts["classes"])
    classes = learned + sorted({str(label) for label in labels[asked]} - set(learned))
    probability = np.zeros((int(asked.sum()), len(classes)))
    probability[:, : len(learned)] = record.probabilities[section.name][asked]
    truth = np.array([classes.index(label) for label in labels[asked]], dtype=np.int64)
    return Answers(tuple(classes), len(learned), truth, probability)


def by_class(found: Answers) -> pd.DataFrame:
    """One row a class: [class, spots, share, f1, auc], one against the rest.

    F1 is NaN for a class that no spot of the section has. AUC is NaN there too, where every spot has it, and where it was not learned.
    """
    rows = []
    for i, name in enumerate(found.classes):
        mine = found.truth == i
        f1 = f1_score(mine, found.answer == i, zero_division=0) if mine.any() else np.nan
        value = auc(mine, found.probability[:, i]) if i < found.learned else np.nan
        rows.append(
            {
                "class": name,
                "spots": int(mine.sum()),
                "share": mine.mean() if len(mine) else np.nan,
                "f1": f1,
                "auc": value,
            }
        )
    return pd.DataFrame(rows)


def auc(positive: Bool[np.ndarray, "spot"], probability: Float[np.ndarray, "spot"]) -> float:
    """Area under the ROC curve; NaN where all spots are of one kind, since nothing can then be told apart."""
    return (
        float(roc_auc_score(positive, probability))
        if 0 < positive.sum() < len(positive)
        else np.nan
    )


def over_classes(found: Answers) -> dict[str, object]:
    """One section in numbers: spots, accuracy, f1 and auc (means over the classes that have one), and cancer_f1, cancer_auc of the two-class form.

    Beside them what the best constant answer gets, the section's commonest class or always cancer: majority, majority_accuracy, majority_f1, always_f1; its AUC
    is 0.5. absent: learned classes that the section lacks; unlearned: its classes that no training section has, which count as wrong answers.
    """
    if not len(found.truth):
        numbers = (
            "accuracy",
            "f1",
            "auc",
            "majority_accuracy",
            "majority_f1",
            "cancer_share",
            "cancer_f1",
            "cancer_auc",
            "always_f1",
        )
        return {
            "spots": 0,
            "absent": found.learned,
            "unlearned": 0,
            "majority": "",
        } | dict.fromkeys(numbers, np.nan)
    rows = by_class(found)
    present, cancer, certain = np.unique(found.truth), *found.cancer
    common = np.full_like(found.truth, np.bincount(found.truth).argmax())
    constant = f1_score(found.truth, common, labels=present, average="macro", zero_division=0)
    return {
        "spots": len(found.truth),
        "absent": int((rows["spots"][: found.learned] == 0).sum()),
        "unlearned": len(found.classes) - found.learned,
        "accuracy": float(accuracy_score(found.truth, found.answer)),
        "f1": float(rows["f1"].mean()),
        "auc": float(rows["auc"].mean()),
        "majority": found.classes[common[0]],
        "majority_accuracy": float((found.truth == common).mean()),
        "majority_f1": float(constant),
        "cancer_share": float(cancer.mean()),
        "cancer_f1": _f1(cancer, certain > 0.5),
        "cancer_auc": auc(cancer, certain),
        "always_f1": _f1(cancer, np.ones_like(cancer)),
    }


def _f1(positive: Bool[np.ndarray, "spot"], told: Bool[np.ndarray, "spot"]) -> float:
    return float(f1_score(positive, told, zero_division=0)) if positive.any() else np.nan


def roc(found: Answers) -> pd.DataFrame:
    """ROC curves [class, false_positive, true_positive] of each class that has an AUC, and of "cancer" in the two-class form."""
    pairs = {
        name: (found.truth == i, found.probability[:, i])
        for i, name in enumerate(found.classes[: found.learned])
    } | {"cancer": found.cancer}
    tables = []
    for name, (positive, probability) in pairs.items():
        if 0 < positive.sum() < len(positive):
            false, true, _ = roc_curve(positive, probability)
            tables.append(
                pd.DataFrame({"class": name, "false_positive": false, "true_positive": true})
            )
    return (
        pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame(columns=["class", "false_positive", "true_positive"])
    )


def confusion(found: Answers) -> pd.DataFrame:
    """Number of spots of each class (rows) by the answer (columns), over all classes."""
    counts = (
        confusion_matrix(found.truth, found.answer, labels=range(len(found.classes)))
        if len(found.truth)
        else np.zeros((len(found.classes),) * 2, dtype=int)
    )
    return pd.DataFrame(
        counts,
        index=pd.Index(found.classes, name="class"),
        columns=pd.Index(found.classes, name="answer"),
    )
