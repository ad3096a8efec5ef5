"""Splits: each rule over the real catalogue, and what holds for any cohort."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.data.sources import SectionSource, catalogue
from compendium.data.splits import (
    APART,
    RULES,
    Split,
    check_apart,
    folds,
)
from conftest import tiny_section
from raw_files import refusal

HER2ST = list(catalogue()["her2st"].sections.values())
VISIUM = [*catalogue()["wu"].sections.values(), *catalogue()["tenx"].sections.values()]
PATIENT = {section.name: section.patient for section in HER2ST + VISIUM}


def place(name: str, patient: str, lab: str = "L") -> SectionSource:
    return SectionSource(
        cohort="tiny", name=name, patient=patient, lab=lab, technology="", files={}
    )


@st.composite
def cohorts(draw) -> list[SectionSource]:
    """Up to 12 sections of up to 5 patients, each of one laboratory, in any order."""
    patients = draw(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=12))
    home = {patient: draw(st.sampled_from(["lab 1", "lab 2"])) for patient in "ABCDE"}
    return [place(f"{patient}{i}", patient, home[patient]) for i, patient in enumerate(patients)]


def names(sections) -> tuple[str, ...]:
    return tuple(section.name for section in sections)


def patients_of(sections: tuple[str, ...]) -> set[str]:
    return {PATIENT[name] for name in sections}


# ---- the 36 HER2+ sections


def test_section_out_is_36_folds_in_sorted_order():
    made = folds("section-out", HER2ST)
    assert [fold.test for fold in made] == [
        (name,) for name in sorted(PATIENT[s.name] + s.name[1:] for s in HER2ST)
    ]
    assert all(len(fold.train) == 35 and fold.valid == () for fold in made)
    assert made[9].name == "section-out-B4"
    assert made[9].left_out == "section B4"
    assert "B3" in made[9].train  # the published protocol keeps the patient


def test_patient_out_is_8_folds_without_the_patient():
    made = folds("patient-out", HER2ST)
    assert [fold.test[0][0] for fold in made] == list("ABCDEFGH")
    assert [len(fold.test) for fold in made] == [6, 6, 6, 6, 3, 3, 3, 3]
    for fold in made:
        assert patients_of(fold.train).isdisjoint(patients_of(fold.test))
        assert set(fold.train) | set(fold.test) == set(names(HER2ST))
    assert made[2].left_out == "patient C"
    assert made[2].name == "patient-out-C1-C2-C3-C4-C5-C6"


def test_wangs_folds_are_the_published_four():
    made = folds("wang-four", HER2ST)
    found = [
        (
            "".join(sorted(patients_of(fold.test))),
            "".join(patients_of(fold.valid)),
            "".join(sorted(patients_of(fold.train))),
        )
        for fold in made
    ]
    assert found == [
        ("AH", "F", "BCDEG"),
        ("BE", "A", "CDFGH"),
        ("CG", "E", "ABDFH"),
        ("DF", "H", "ABCEG"),
    ]
    assert [len(fold.test) for fold in made] == [9, 9, 9, 9]
    assert all(len(fold.train) + len(fold.valid) == 27 for fold in made)
    assert Counter(name for fold in made for name in fold.test) == Counter(names(HER2ST))


def test_matched_sets_are_of_the_patient_or_of_all_others_and_know_the_comparison():
    own, others = folds("matched-within", HER2ST), folds("matched-between", HER2ST)
    assert [fold.test for fold in own] == [(name,) for name in names(HER2ST)]
    assert [{name[0] for name in fold.test} for fold in others] == [{who} for who in "ABCDEFGH"]
    for fold in own:
        (test,) = fold.test
        assert set(fold.train) == {name for name in names(HER2ST) if name[0] == test[0]} - {test}
    for fold in others:
        assert set(fold.train) == set(names(HER2ST)) - set(fold.test)
    assert {fold.match for fold in (*own, *others)} == {tuple(names(HER2ST))}
    assert own[9].left_out == "section B4 and every other patient"
    assert others[1].left_out == "patient B"


def test_the_matched_sets_of_the_five_sections_with_images():
    chosen = [section for section in HER2ST if section.name in ("B4", "C2", "C3", "C4", "C5")]
    own, others = folds("matched-within", chosen), folds("matched-between", chosen)
    assert [fold.test for fold in own] == [("C2",), ("C3",), ("C4",), ("C5",)]
    assert own[0].train == ("C3", "C4", "C5")
    assert [(fold.test, fold.train) for fold in others] == [
        (("B4",), ("C2", "C3", "C4", "C5")),  # no other section of its patient
        (("C2", "C3", "C4", "C5"), ("B4",)),
    ]
    assert (
        folds("section-out", chosen)[0].train
        == folds("patient-out", chosen)[0].train
        == ("C2", "C3", "C4", "C5")
    )


# ---- Visium


def test_ood_is_the_published_partition():
    (fold,) = folds("ood", VISIUM)
    assert fold.train == ("1142243F", "CID4465", "CID44971", "CID4535")
    assert fold.valid == ("1160920F", "CID4290")
    assert fold.test == ("block1", "block2", "FFPE")
    assert fold.left_out == "10x Genomics"
    assert sorted(fold.train + fold.valid + fold.test) == sorted(names(VISIUM))


def test_the_two_sections_of_block_a_are_kept_together():
    tenx = list(catalogue()["tenx"].sections.values())
    assert sorted(fold.test for fold in folds("patient-out", tenx)) == [
        ("FFPE",),
        ("block1", "block2"),
    ]
    assert [fold.test for fold in folds("matched-within", tenx)] == [("block1",), ("block2",)]


def test_ood_elsewhere_leaves_one_laboratory_out():
    sections = [place("a", "1", "Oslo"), place("b", "2", "Lund"), place("c", "3", "Oslo")]
    made = folds("ood", sections)
    assert [(fold.train, fold.test, fold.left_out) for fold in made] == [
        (("b",), ("a", "c"), "Oslo"),
        (("a", "c"), ("b",), "Lund"),
    ]
    assert [fold.left_out for fold in folds("ood", VISIUM[:-1])] == [
        "Garvan Institute Sydney",
        "10x Genomics",
    ]


# ---- any cohort


def made_by(rule: str, sections: list[SectionSource]) -> list[Split]:
    """The rule's folds, or none where it refuses the cohort."""
    try:
        return folds(rule, sections)
    except ValueError as error:
        assert "\n" not in str(error)
        return []


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None, max_examples=60)
@given(sections=cohorts())
def test_train_valid_and_test_never_overlap(rule, sections):
    for fold in made_by(rule, sections):
        assert len({*fold.train, *fold.valid, *fold.test}) == len(fold.train) + len(
            fold.valid
        ) + len(fold.test)
        assert {*fold.train, *fold.valid, *fold.test, *fold.match} <= set(names(sections))
        assert fold.train and fold.test
        assert (fold.rule, fold.left_out != "") == (rule, True)


@settings(deadline=None, max_examples=60)
@given(sections=cohorts())
def test_section_out_tests_every_section_once_and_trains_on_all_others(sections):
    made = made_by("section-out", sections)
    assert [fold.test for fold in made] == (
        [(name,) for name in names(sections)] if len(sections) > 1 else []
    )
    assert all(set(fold.train) == set(names(sections)) - set(fold.test) for fold in made)


@settings(deadline=None, max_examples=60)
@given(sections=cohorts())
def test_patient_out_tests_every_section_once_and_never_trains_on_its_patient(sections):
    made = made_by("patient-out", sections)
    patient = {section.name: section.patient for section in sections}
    if len(set(patient.values())) > 1:
        assert sorted(name for fold in made for name in fold.test) == sorted(names(sections))
    for fold in made:
        assert len({patient[name] for name in fold.test}) == 1
        assert {patient[name] for name in fold.train}.isdisjoint(
            {patient[name] for name in fold.test}
        )
        assert set(fold.train + fold.test) == set(names(sections))


@settings(deadline=None, max_examples=60)
@given(sections=cohorts())
def test_one_patient_is_patient_out_the_other_way_round(sections):
    turned = [(fold.test, fold.train) for fold in made_by("patient-out", sections)]
    assert [(fold.train, fold.test) for fold in made_by("one-patient", sections)] == turned


@pytest.mark.parametrize("rule", APART)
@settings(deadline=None, max_examples=60)
@given(sections=cohorts())
def test_rules_that_promise_patients_apart_keep_them_apart(rule, sections):
    for fold in made_by(rule, sections):
        check_apart(fold, sections)


@settings(deadline=None, max_examples=60)
@given(sections=cohorts())
def test_matched_between_tests_every_section_where_a_patient_has_two(sections):
    own, others = made_by("matched-within", sections), made_by("matched-between", sections)
    of = {section.name: section.patient for section in sections}
    alone = {name for name in of if [*of.values()].count(of[name]) == 1}
    assert {name for fold in own for name in fold.test} == (set(of) - alone if own else set())
    tested = sorted(name for fold in others for name in fold.test)
    assert tested == (sorted(of) if own else [])
    assert {fold.match for fold in (*own, *others)} <= {tuple(of)}


# ---- refusals


def test_a_patient_on_both_sides_is_refused_with_the_patient_and_the_cure():
    fold = folds("section-out", HER2ST)[14]
    message = refusal(lambda: check_apart(fold, HER2ST))
    assert "section-out-C3" in message
    assert "patient C is in training and in test" in message
    assert "patient-out" in message


def test_a_patient_in_validation_and_test_is_refused_too():
    fold = Split("own", ("A1",), ("C1",), ("C2",), "by hand")
    assert "patient C" in refusal(lambda: check_apart(fold, HER2ST))
    check_apart(Split("own", ("A1", "A2"), ("B1",), ("C2",), "by hand"), HER2ST)


def test_a_rule_that_keeps_patients_apart_refuses_a_cohort_that_cannot():
    tangled = [place("a", "1", "Oslo"), place("b", "1", "Lund")]
    message = refusal(lambda: folds("ood", tangled))
    assert "patient 1 is in training and in test" in message


@pytest.mark.parametrize(
    ("rule", "sections", "words"),
    [
        ("section", HER2ST, ("unknown split 'section'", *RULES)),
        ("section-out", HER2ST[:1], ("leaving out section A1 leaves no section to train on",)),
        ("patient-out", HER2ST[:6], ("leaving out patient A leaves no section to train on",)),
        ("one-patient", HER2ST[:6], ("no fold over sections A1, A2",)),
        ("ood", HER2ST, ("leaves no section to train on", "add sections")),
        ("matched-within", HER2ST[:6], ("no fold over sections A1, A2", "more patients")),
        ("matched-between", [HER2ST[0], HER2ST[6]], ("no fold over sections A1, B1",)),
        ("wang-four", VISIUM, ("split wang-four has no fold over sections",)),
    ],
)
def test_a_split_that_cannot_be_made_says_why(rule, sections, words):
    message = refusal(lambda: folds(rule, sections))
    assert [word for word in words if word not in message] == []


def test_sections_and_their_catalogue_entries_split_alike():
    sections = [tiny_section(s.name, s.patient, s.lab, spots=2, px=4) for s in HER2ST[:8]]
    for rule in ("section-out", "patient-out", "matched-within", "matched-between"):
        assert folds(rule, sections) == folds(rule, HER2ST[:8])


def test_the_name_of_a_fold_is_fit_for_a_folder_and_its_own():
    for rule in RULES:
        made = folds(rule, VISIUM if rule == "ood" else HER2ST)
        assert len({fold.name for fold in made}) == len(made)
        assert all(
            "/" not in fold.name and " " not in fold.name and len(fold.name) < 120 for fold in made
        )


def test_every_rule_is_tried_here():
    assert set(RULES) == {
        "section-out",
        "patient-out",
        "one-patient",
        "matched-within",
        "matched-between",
        "wang-four",
        "ood",
    }
    assert set(APART) < set(RULES)
