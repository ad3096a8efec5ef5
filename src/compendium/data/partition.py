"""A partition of sections into training, validation and test, as the benchmark made one.

One fit predicts both others: it is the benchmark's test on another laboratory.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from compendium.data.splits import PUBLISHED_OOD, Placed, Split
from compendium.errors import BadInput

Names = Sequence[str]
TRAINING, INSIDE, OUTSIDE = ROLES = ("training", "validation", "test")
OTHER_LAB = "another laboratory"
OTHER_PATIENT = "another patient of the same laboratory"
OTHER_SECTION = "another section of the same patient"


@dataclass(frozen=True)
class Partition:
    """Sections of each role, and what validation and test are to the training sections.

    Both are only predicted and reported: no epoch, parameter or gene is chosen on either, so the
    split that is run has no validation sections.

    Parameters
    ----------
    training, validation, test
        Names of sections.
    validation_is, test_is
        OTHER_LAB, OTHER_PATIENT or OTHER_SECTION.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    validation_is: str
    test_is: str

    @property
    def split(self) -> Split:
        """What is run: train on the training sections, predict all others."""
        rule = "ood" if self.test_is == OTHER_LAB else "patient-out"
        rule = "section-out" if self.validation_is == OTHER_SECTION else rule
        tested = self.validation + self.test
        return Split(rule, self.training, (), tested, left_out=f"sections {', '.join(tested)}")

    @property
    def roles(self) -> dict[str, str]:
        """Section -> its role, training first."""
        return {name: role for role in ROLES for name in getattr(self, role)}


def partition(
    sections: Sequence[Placed], training: Names = (), validation: Names = (), test: Names = ()
) -> Partition:
    """Return the partition by names; without any that of the benchmark.

    Parameters
    ----------
    sections
        All sections that may be named.
    training, validation, test
        Names of the sections of each role.

    Raises
    ------
    BadInput
        Where a name is missing, unknown or given twice; where validation is of a laboratory that
        is not trained on, or test of a patient of training or validation.
    """
    named = (training, validation, test) if training or validation or test else PUBLISHED_OOD
    parts = dict(zip(ROLES, (tuple(names) for names in named), strict=True))
    by_name = {section.name: section for section in sections}
    _check_named(parts, by_name)
    trained, inside, outside = ([by_name[name] for name in names] for names in parts.values())
    validation_is, test_is = _relation(inside, trained), _relation(outside, trained + inside)
    labs = {section.lab for section in trained}
    if foreign := [section.name for section in inside if section.lab not in labs]:
        wrong = f"validation {', '.join(foreign)} is of another laboratory than training"
        raise BadInput(f"{wrong}, so it is not in distribution; name it for test")
    if test_is == OTHER_SECTION:
        wrong = f"test {', '.join(parts['test'])} holds a patient of training or validation"
        raise BadInput(f"{wrong}; name sections of other patients")
    return Partition(*parts.values(), validation_is, test_is)


def _check_named(parts: dict[str, tuple[str, ...]], by_name: dict[str, Placed]) -> None:
    known = f"{', '.join(by_name)}; give training, validation and test each at least one of these"
    for role, names in parts.items():
        if not names:
            raise BadInput(f"no section is named for {role}; choose among {known}")
        if unknown := sorted(set(names) - set(by_name)):
            raise BadInput(f"section {unknown[0]} of {role} is not among {known}")
    times = Counter(name for names in parts.values() for name in names)
    if twice := sorted(name for name in times if times[name] > 1):
        mend = "name it once, in training, validation or test"
        raise BadInput(f"section {twice[0]} has two roles in a partition; {mend}")


def _relation(group: Sequence[Placed], others: Sequence[Placed]) -> str:
    """Return the closest relation of a group to the others."""
    if {section.patient for section in group} & {section.patient for section in others}:
        return OTHER_SECTION
    same_lab = {section.lab for section in group} & {section.lab for section in others}
    return OTHER_PATIENT if same_lab else OTHER_LAB
