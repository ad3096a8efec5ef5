"""Splits: which sections train, which test, and what was left out. Folds are data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from compendium.errors import BadInput


@runtime_checkable
class Placed(Protocol):
    """What a split needs to know of a section: a Section, or its entry in the catalogue."""

    name: str
    patient: str
    lab: str


MATCHED = ("matched-within", "matched-between")
"""Rules whose training sets have equal spots and depth: within the test patient, between patients."""
PUBLISHED_OOD = (
    ("1142243F", "CID4465", "CID44971", "CID4535"),
    ("1160920F", "CID4290"),
    ("block1", "block2", "FFPE"),
)  # train, valid, test


@dataclass(frozen=True)
class Split:
    """One fold.

    Parameters
    ----------
    rule
        Name of the rule that made it.
    train, valid, test
        Names of the sections.
    left_out
        What the training sections lack, e.g. "patient A".
    match
        Training sections of the other rule of a matched pair: both training sets are cut to the
        smaller number of spots and the smaller median UMI total.
    """

    rule: str
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]
    left_out: str
    match: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Rule and test sections, fit for a folder name."""
        return f"{self.rule}-{'-'.join(self.test)}"


def section_out(sections: Sequence[Placed]) -> list[Split]:
    """Leave one section out: the published protocol; other sections of the test patient stay in training."""
    return [
        _fold(
            "section-out",
            sections,
            [s],
            [t for t in sections if t.name != s.name],
            f"section {s.name}",
        )
        for s in sections
    ]


def patient_out(sections: Sequence[Placed]) -> list[Split]:
    """Leave one patient out, one fold a patient."""
    return [
        _fold(
            "patient-out",
            sections,
            [s for s in sections if s.patient == p],
            [s for s in sections if s.patient != p],
            f"patient {p}",
        )
        for p in dict.fromkeys(s.patient for s in sections)
    ]


def one_patient(sections: Sequence[Placed]) -> list[Split]:
    """Train on one patient only and test on all others, one fold a patient: many sections tested for a short fit."""
    patients = list(dict.fromkeys(s.patient for s in sections))
    return [
        _fold(
            "one-patient",
            sections,
            [s for s in sections if s.patient != p],
            [s for s in sections if s.patient == p],
            f"every patient but {p}",
        )
        for p in patients
        if len(patients) > 1
    ]


def matched_within(sections: Sequence[Placed]) -> list[Split]:
    """Train on other sections of the test patient, matched in spots and depth to `matched_between`."""
    return [
        _fold(
            "matched-within",
            sections,
            [s],
            own,
            f"section {s.name} and every other patient",
            match=others,
        )
        for s, own, others in _matched(sections)
    ]


def matched_between(sections: Sequence[Placed]) -> list[Split]:
    """Train on other patients, matched in spots and depth to `matched_within`."""
    return [
        _fold("matched-between", sections, [s], others, f"patient {s.patient}", match=own)
        for s, own, others in _matched(sections)
    ]


def _matched(sections: Sequence[Placed]) -> list[tuple[Placed, list[Placed], list[Placed]]]:
    """Return sections with others of their patient and of other patients, where both exist."""
    pairs = [
        (
            s,
            [t for t in sections if t.patient == s.patient and t.name != s.name],
            [t for t in sections if t.patient != s.patient],
        )
        for s in sections
    ]
    return [(s, own, others) for s, own, others in pairs if own and others]


def wang_four(sections: Sequence[Placed]) -> list[Split]:
    """The four patient folds of Wang et al. 2025 on HER2+: test A+H, B+E, C+G, D+F; validation F, A, E, H."""
    folds = []
    for test, valid in (("AH", "F"), ("BE", "A"), ("CG", "E"), ("DF", "H")):
        groups = [[s for s in sections if s.patient in patients] for patients in (test, valid)]
        train = [s for s in sections if s.patient not in test + valid]
        if groups[0] and train:
            folds.append(
                _fold(
                    "wang-four",
                    sections,
                    groups[0],
                    train,
                    f"patients {' and '.join(test)}",
                    valid=groups[1],
                )
            )
    return folds


def ood(sections: Sequence[Placed]) -> list[Split]:
    """Leave one laboratory out, one fold a laboratory; on the Visium sections of the benchmark, its published partition."""
    by_name = {s.name: s for s in sections}
    if all(name in by_name for names in PUBLISHED_OOD for name in names):
        train, valid, test = ([by_name[name] for name in names] for names in PUBLISHED_OOD)
        return [_fold("ood", sections, test, train, "10x Genomics", valid=valid)]
    return [
        _fold(
            "ood",
            sections,
            [s for s in sections if s.lab == lab],
            [s for s in sections if s.lab != lab],
            lab,
        )
        for lab in dict.fromkeys(s.lab for s in sections)
    ]


RULES: dict[str, Callable[[Sequence[Placed]], list[Split]]] = {
    "section-out": section_out,
    "patient-out": patient_out,
    "one-patient": one_patient,
    "matched-within": matched_within,
    "matched-between": matched_between,
    "wang-four": wang_four,
    "ood": ood,
}
APART = (
    "patient-out",
    "one-patient",
    "matched-between",
    "wang-four",
    "ood",
)  # rules that promise that no patient is on both sides


def folds(rule: str, sections: Sequence[Placed]) -> list[Split]:
    """All folds of a rule over a cohort's sections."""
    if rule not in RULES:
        raise BadInput(f"unknown split {rule!r}; known: {', '.join(RULES)}")
    made = RULES[rule](sections)
    if not made:
        raise BadInput(
            f"split {rule} has no fold over sections {', '.join(s.name for s in sections)}: it needs sections of more patients or laboratories"
        )
    return made


def check_apart(split: Split, sections: Sequence[Placed]) -> None:
    """Refuse a split in which a patient is both trained on and tested."""
    patient = {s.name: s.patient for s in sections}
    both = {patient[name] for name in split.train + split.valid} & {
        patient[name] for name in split.test
    }
    if both:
        raise BadInput(
            f"split {split.name}: patient {sorted(both)[0]} is in training and in test; the clean protocol keeps patients apart, use split=patient-out"
        )


def _fold(
    rule: str,
    sections: Sequence[Placed],
    test: Sequence[Placed],
    train: Sequence[Placed],
    left_out: str,
    valid: Sequence[Placed] = (),
    match: Sequence[Placed] = (),
) -> Split:
    if not train:
        raise BadInput(
            f"split {rule}: leaving out {left_out} leaves no section to train on; add sections"
        )
    names = [tuple(s.name for s in group) for group in (train, valid, test)]
    split = Split(rule, *names, left_out=left_out, match=tuple(s.name for s in match))
    if rule in APART:
        check_apart(split, sections)
    return split
