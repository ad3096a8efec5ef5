"""Splits: which sections train, which test, and what was left out. Folds are data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from compendium.errors import BadInput


@runtime_checkable
class Placed(Protocol):
    """What a split needs to know of a section: a Section, or its entry in the catalogue."""

    name: str
    patient: str
    lab: str
    array: str


Sections = Sequence[Placed]
MATCHED = ("matched-within", "matched-between")
"""Rules whose folds have equal spots and depth: trained within the test patient, and between."""
PUBLISHED_OOD = (
    ("1142243F", "CID4465", "CID44971", "CID4535"),
    ("1160920F", "CID4290"),
    ("block1", "block2", "FFPE"),
)  # train, valid, test
# Rules that promise that no patient is on both sides.
APART = ("patient-out", "one-patient", "matched-between", "wang-four", "ood")


@dataclass(frozen=True)
class Split:
    """One fold.

    Parameters
    ----------
    rule, train, valid, test
        Name of the rule and of the sections.
    left_out
        What the training sections lack.
    match
        Sections of a matched comparison. The training set of every fold of both rules over them
        is cut to the spots of the smallest, and each section, trained on or tested, is thinned to
        the median UMI total of the shallowest, so that folds differ in whom they trained on and
        in nothing else.
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


class Fold(NamedTuple):
    """Sections of one fold as a rule makes it; see `Split`."""

    test: Sections
    train: Sections
    left_out: str
    valid: Sections = ()
    match: Sections = ()


def section_out(sections: Sections) -> list[Fold]:
    """Leave one section out: the published protocol, in which the test patient is trained on."""
    rest = {s.name: [t for t in sections if t.name != s.name] for s in sections}
    return [Fold([s], rest[s.name], f"section {s.name}") for s in sections]


def patient_out(sections: Sections) -> list[Fold]:
    """Leave one patient out, one fold a patient."""
    return [Fold(own, rest, f"patient {who}") for who, own, rest in _by(sections, "patient")]


def one_patient(sections: Sections) -> list[Fold]:
    """Train on one patient and test on all others, one fold a patient."""
    return [
        Fold(others, own, f"every patient but {patient}")
        for patient, own, others in _by(sections, "patient")
        if others
    ]


def matched_within(sections: Sections) -> list[Fold]:
    """Train on the other sections of the test patient only, one fold a section that has any."""
    return [
        Fold([s], rest, f"section {s.name} and every other patient", match=sections)
        for _, own, others in _by(sections, "patient")
        for s in own
        if others and (rest := [t for t in own if t.name != s.name])
    ]


def matched_between(sections: Sections) -> list[Fold]:
    """Train on other patients only, one fold a patient, matched to `matched_within`.

    Patients with one section have a fold too; there is none where no patient has two.
    """
    if not matched_within(sections):
        return []
    return [
        Fold(own, others, f"patient {who}", match=sections)
        for who, own, others in _by(sections, "patient")
    ]


def wang_four(sections: Sections) -> list[Fold]:
    """Return the four patient folds of Wang et al. 2025 on HER2+.

    Test A+H, B+E, C+G, D+F; validation F, A, E, H.
    """
    made = []
    for test, valid in (("AH", "F"), ("BE", "A"), ("CG", "E"), ("DF", "H")):
        tested, validated = ([s for s in sections if s.patient in part] for part in (test, valid))
        train = [s for s in sections if s.patient not in test + valid]
        made.append(Fold(tested, train, f"patients {' and '.join(test)}", validated))
    return [fold for fold in made if fold.test and fold.train]


def ood(sections: Sections) -> list[Fold]:
    """Leave one laboratory out, one fold a laboratory.

    On the Visium sections of the benchmark this is its published partition.
    """
    by_name = {s.name: s for s in sections}
    if all(name in by_name for names in PUBLISHED_OOD for name in names):
        train, valid, test = ([by_name[name] for name in names] for names in PUBLISHED_OOD)
        return [Fold(test, train, "10x Genomics", valid)]
    return [Fold(own, rest, lab) for lab, own, rest in _by(sections, "lab")]


RULES: dict[str, Callable[[Sections], list[Fold]]] = {
    "section-out": section_out,
    "patient-out": patient_out,
    "one-patient": one_patient,
    "matched-within": matched_within,
    "matched-between": matched_between,
    "wang-four": wang_four,
    "ood": ood,
}


def folds(rule: str, sections: Sections) -> list[Split]:
    """Return all folds of a rule over a cohort's sections; BadInput where there is none."""
    if rule not in RULES:
        raise BadInput(f"unknown split {rule!r}; known: {', '.join(RULES)}")
    if made := RULES[rule](sections):
        return [_split(rule, sections, fold) for fold in made]
    wrong = f"split {rule} has no fold over sections {', '.join(s.name for s in sections)}"
    raise BadInput(f"{wrong}: it needs sections of more patients or laboratories")


def check_apart(split: Split, sections: Sections) -> None:
    """Refuse a split in which a patient is both trained on and tested."""
    patient = {s.name: s.patient for s in sections}
    trained = {patient[name] for name in split.train + split.valid}
    if both := trained & {patient[name] for name in split.test}:
        wrong = f"split {split.name}: patient {sorted(both)[0]} is in training and in test"
        raise BadInput(f"{wrong}; the clean protocol keeps patients apart, use split=patient-out")


def _by(sections: Sections, what: str) -> Iterator[tuple[str, list[Placed], list[Placed]]]:
    """Give each patient or laboratory with its sections and those of all others."""
    for value in dict.fromkeys(getattr(s, what) for s in sections):
        own = [s for s in sections if getattr(s, what) == value]
        yield value, own, [s for s in sections if getattr(s, what) != value]


def _split(rule: str, sections: Sections, fold: Fold) -> Split:
    if not fold.train:
        wrong = f"split {rule}: leaving out {fold.left_out} leaves no section to train on"
        raise BadInput(f"{wrong}; add sections")
    parts = (fold.train, fold.valid, fold.test, fold.match)
    train, valid, test, match = (tuple(s.name for s in part) for part in parts)
    split = Split(rule, train, valid, test, fold.left_out, match)
    if rule in APART:
        check_apart(split, sections)
    return split
