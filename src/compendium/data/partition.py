"""A partition of sections into training, validation and test, as the benchmark made one for its test on another laboratory: one fit predicts both others."""

from collections.abc import Sequence
from dataclasses import dataclass

from compendium.data.splits import PUBLISHED_OOD, Placed, Split
from compendium.errors import BadInput

TRAINING, INSIDE, OUTSIDE = ROLES = ("training", "validation", "test")
OTHER_LAB, OTHER_PATIENT, OTHER_SECTION = (
    "another laboratory",
    "another patient of the same laboratory",
    "another section of the same patient",
)


@dataclass(frozen=True)
class Partition:
    """Names of the sections of each role, and what validation and test are to the training sections (OTHER_LAB, OTHER_PATIENT or OTHER_SECTION).

    Both are only predicted and reported: no epoch, word or gene is chosen on either, so the split that is run has no validation sections.
    """

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    validation_is: str
    test_is: str

    @property
    def split(self) -> Split:
        """What is run: train on the training sections, predict all others."""
        rule = (
            "section-out"
            if self.validation_is == OTHER_SECTION
            else "ood"
            if self.test_is == OTHER_LAB
            else "patient-out"
        )
        return Split(
            rule,
            self.training,
            (),
            self.validation + self.test,
            left_out=f"sections {', '.join(self.validation + self.test)}",
        )

    @property
    def roles(self) -> dict[str, str]:
        """Section -> its role, training first."""
        return {name: role for role in ROLES for name in getattr(self, role)}


def partition(
    sections: Sequence[Placed],
    training: Sequence[str] = (),
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
) -> Partition:
    """The partition by names; without any that of the benchmark. Its test must be of other patients, its validation of a laboratory that is trained on."""
    named = (training, validation, test) if training or validation or test else PUBLISHED_OOD
    parts = dict(zip(ROLES, (tuple(names) for names in named), strict=True))
    by_name = {section.name: section for section in sections}
    for role, names in parts.items():
        if not names or set(names) - set(by_name):
            what = (
                f"section {sorted(set(names) - set(by_name))[0]} of {role} is not among"
                if names
                else f"no section is named for {role}; choose among"
            )
            raise BadInput(
                f"{what} {', '.join(by_name)}; give training, validation and test, each with at least one of these"
            )
    together = [name for names in parts.values() for name in names]
    if twice := sorted({name for name in together if together.count(name) > 1}):
        raise BadInput(
            f"section {twice[0]} has two roles in a partition; name it once, in training, validation or test"
        )
    trained, inside, outside = ([by_name[name] for name in names] for names in parts.values())
    validation_is, test_is = _relation(inside, trained), _relation(outside, trained + inside)
    if foreign := [
        section.name for section in inside if section.lab not in {other.lab for other in trained}
    ]:
        raise BadInput(
            f"validation {', '.join(foreign)} is of another laboratory than training, so it is not in distribution; name it for test"
        )
    if OTHER_SECTION == test_is:
        raise BadInput(
            f"test {', '.join(parts['test'])} holds a patient of training or validation; name sections of other patients"
        )
    return Partition(*parts.values(), validation_is, test_is)


def _relation(group: Sequence[Placed], others: Sequence[Placed]) -> str:
    """What a group is to the others at the most: a section of one of their patients, of one of their laboratories, or neither."""
    if {section.patient for section in group} & {section.patient for section in others}:
        return OTHER_SECTION
    return (
        OTHER_PATIENT
        if {section.lab for section in group} & {section.lab for section in others}
        else OTHER_LAB
    )
