"""How well a run classifies the spots of test sections, beside the best constant answer.

And where the tissue labels of sections come from, and how far transferred labels can be trusted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score, roc_curve

from compendium.data.readers.her2st import PITCH_UM
from compendium.data.readers.her2st_labels import ALIGNMENT, agreement, path_of
from compendium.data.section import NO_LABEL, Section
from compendium.runs.inputs.batches import UNDETERMINED, labels_of
from compendium.runs.store import Record

CANCER = ("invasive cancer", "cancer in situ")
"""Classes that are cancer in the two-class form, which is the benchmark's."""
NUMBERS = (
    "accuracy f1 auc majority_accuracy majority_f1 cancer_share cancer_f1 cancer_auc always_f1"
).split()
"""Columns of `over_classes` that do not exist without a spot with a class."""


TRANSFER = (
    "section, from, aligned spots, agreement, chance, spots within reach, "
    "agreement within reach, labelled spots"
).split(", ")


@dataclass(frozen=True)
class Answers:
    """Labels and predicted probabilities of the spots of one section that have a class.

    Parameters
    ----------
    classes
        The classes that were learned, then those of the section that were not.
    learned
        Number of classes that were learned.
    truth
        Place of the true class in `classes`.
    probability
        Predicted probability of each class; 0 for a class that was not learned.
    """

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


def known(section: Section) -> Bool[np.ndarray, "spot"]:
    """Return which spots have a class: labelled, and not undetermined."""
    return ~np.isin(labels_of(section), (NO_LABEL, UNDETERMINED))


def answers(record: Record, section: Section) -> Answers:
    """Return the answers of a stored run in a test section."""
    rows = record.predicted_rows(section)
    labels, scored = labels_of(section)[rows], known(section)[rows]
    learned = list(record.facts["classes"])
    classes = learned + sorted({str(label) for label in labels[scored]} - set(learned))
    probability = np.zeros((int(scored.sum()), len(classes)))
    probability[:, : len(learned)] = record.probabilities[section.name][scored]
    truth = np.array([classes.index(label) for label in labels[scored]], dtype=np.int64)
    return Answers(tuple(classes), len(learned), truth, probability)


def by_class(of: Answers) -> pd.DataFrame:
    """Score each class against the rest.

    Returns
    -------
    One row a class: class, spots, share, f1, auc. F1 is NaN for a class that no spot of the
    section has. AUC is NaN there too, where every spot has it, and where it was not learned.
    """
    rows = []
    for i, name in enumerate(of.classes):
        own = of.truth == i
        spots, share = int(own.sum()), own.mean() if len(own) else np.nan
        ranked = auc(own, of.probability[:, i]) if i < of.learned else np.nan
        rows.append((name, spots, share, _f1(own, of.answer == i), ranked))
    return pd.DataFrame(rows, columns=["class", "spots", "share", "f1", "auc"])


def auc(positive: Bool[np.ndarray, "spot"], probability: Float[np.ndarray, "spot"]) -> float:
    """Return the area under the ROC curve; NaN where all spots are of one kind."""
    if not 0 < positive.sum() < len(positive):
        return np.nan
    return float(roc_auc_score(positive, probability))


def over_classes(of: Answers) -> dict[str, object]:
    """Summarise the answers in one section, beside the best constant answers.

    Returns
    -------
    spots
        Number of spots with a class.
    absent, unlearned
        Learned classes that the section lacks; its classes that no training section has, which
        count as wrong answers.
    accuracy, f1, auc
        Accuracy; means over the classes that have an F1 or AUC.
    majority, majority_accuracy, majority_f1
        The section's commonest class, and the scores of answering nothing else (AUC 0.5).
    cancer_share, cancer_f1, cancer_auc, always_f1
        The two-class form: share of cancer, scores, and the F1 of always answering cancer.
    """
    if not len(of.truth):
        counts = {"spots": 0, "absent": of.learned, "unlearned": 0, "majority": ""}
        return counts | dict.fromkeys(NUMBERS, np.nan)
    rows = by_class(of)
    present, cancer, probability = np.unique(of.truth), *of.cancer
    common = np.full_like(of.truth, np.bincount(of.truth).argmax())
    constant = f1_score(of.truth, common, labels=present, average="macro", zero_division=0)
    return {
        "spots": len(of.truth),
        "absent": int((rows["spots"][: of.learned] == 0).sum()),
        "unlearned": len(of.classes) - of.learned,
        "accuracy": float(accuracy_score(of.truth, of.answer)),
        "f1": float(rows["f1"].mean()),
        "auc": float(rows["auc"].mean()),
        "majority": of.classes[common[0]],
        "majority_accuracy": float((of.truth == common).mean()),
        "majority_f1": float(constant),
        "cancer_share": float(cancer.mean()),
        "cancer_f1": _f1(cancer, probability > 0.5),
        "cancer_auc": auc(cancer, probability),
        "always_f1": _f1(cancer, np.ones_like(cancer)),
    }


def _f1(positive: Bool[np.ndarray, "spot"], answer: Bool[np.ndarray, "spot"]) -> float:
    return float(f1_score(positive, answer, zero_division=0)) if positive.any() else np.nan


def roc(of: Answers) -> pd.DataFrame:
    """Return the ROC curve of each class that has an AUC, and of "cancer" in the two-class form.

    Returns
    -------
    Columns: class, false_positive, true_positive (rates).
    """
    pairs = [(of.truth == i, of.probability[:, i]) for i in range(of.learned)] + [of.cancer]
    tables, names = [], [*of.classes[: of.learned], "cancer"]
    for name, (positive, probability) in zip(names, pairs, strict=True):
        if 0 < positive.sum() < len(positive):
            false, true, _ = roc_curve(positive, probability)
            rates = {"class": name, "false_positive": false, "true_positive": true}
            tables.append(pd.DataFrame(rates))
    columns = ["class", "false_positive", "true_positive"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def confusion(of: Answers) -> pd.DataFrame:
    """Count the spots of each class (rows) by the answer (columns), over all classes."""
    counts = np.zeros((len(of.classes), len(of.classes)), dtype=int)
    np.add.at(counts, (of.truth, of.answer), 1)
    index, columns = (pd.Index(of.classes, name=name) for name in ("class", "answer"))
    return pd.DataFrame(counts, index=index, columns=columns)


def transferred(sections: Sequence[Section]) -> str:
    """Name the sections with transferred labels: "C2, C3 transferred from …; B4 …"."""
    lines: dict[str, list[str]] = {}
    for section in sections:
        if section.labels_from:
            lines.setdefault(section.labels_line, []).append(section.name)
    return "; ".join(f"{', '.join(names)} {line}" for line, names in lines.items())


def labelling(sections: Sequence[Section]) -> pd.DataFrame:
    """Describe the labels of each section.

    Returns
    -------
    One row a section: section, patient, labels (their source), spots, with a class, undetermined
    (numbers of spots), commonest class, its share, cancer (shares of the spots with a class).
    """
    rows = []
    for section in sections:
        labels = labels_of(section)
        classes = pd.Series(labels[known(section)], dtype=str)
        own = "none" if section.labels is None else "its own"
        shares = classes.value_counts(normalize=True)  # the commonest class comes first
        row = {
            "section": section.name,
            "patient": section.patient,
            "labels": section.labels_line or own,
            "spots": len(section),
            "with a class": len(classes),
            "undetermined": int((labels == UNDETERMINED).sum()),
            "commonest class": shares.index[0] if len(shares) else "",
            "its share": shares.iloc[0] if len(shares) else np.nan,
            "cancer": classes.isin(CANCER).mean(),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def transfer(sections: Sequence[Section], root: Path) -> pd.DataFrame:
    """Measure the alignment of each HER2+ section with transferred labels.

    Parameters
    ----------
    sections
        Sections; those with labels of their own are left out.
    root
        Folder of the raw HER2+ files.

    Returns
    -------
    One row a section, columns TRANSFER: agreement is the share of spots whose nearest spot of the
    annotated section lies in the same expression cluster, chance the share of a random pair (see
    `compendium.data.readers.her2st_labels.agreement`); both over all aligned spots, and agreement
    also over those within half a spot pitch. NaN where the files are missing.
    """
    rows = [
        {"section": section.name, "from": section.labels_from}
        | _agreement(section, root)
        | {"labelled spots": int((section.labels != NO_LABEL).sum())}
        for section in sections
        if section.labels_from
    ]
    return pd.DataFrame(rows, columns=TRANSFER)


def _agreement(section: Section, root: Path) -> dict[str, float]:
    files = (root / path_of(name, ALIGNMENT) for name in (section.name, section.labels_from))
    if not all(file.exists() for file in files):
        return {}
    reach = PITCH_UM / section.um_per_px / 2
    every = agreement(root, section.name, np.inf)
    near = agreement(root, section.name, reach)
    return {
        "aligned spots": every["spots"],
        "agreement": every["agreement"],
        "chance": every["chance"],
        "spots within reach": near["spots"],
        "agreement within reach": near["agreement"],
    }
