"""Matched splits: as many spots and as deep in every fold, in training and test; the same again."""

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from compendium.data.splits import MATCHED, Split, folds
from compendium.evaluation.scores import pcc, score
from compendium.runs import plan_run, run_once
from compendium.runs.inputs.batches import inputs
from compendium.runs.inputs.matching import TrainingSubset, matched, median_total, subset, thinned
from compendium.runs.inputs.prepare import measured, stained, training_set
from conftest import tiny_section


def section(name: str, patient: str, spots: int, factor: int):
    """A section of so many spots whose counts are those of a tiny section, so many times."""
    made = tiny_section(name, patient, spots=spots, px=32)
    return dataclasses.replace(made, counts=csr_matrix(made.counts * factor))


SECTIONS = [
    section("S1", "P1", 400, 60),
    section("S2", "P1", 600, 40),
    section("S3", "P1", 500, 90),
    section("S4", "P2", 800, 20),
]
GENES = list(SECTIONS[0].genes)
DEPTH = median_total(SECTIONS[3], GENES)
FOLDS = [fold for rule in MATCHED for fold in folds(rule, SECTIONS)]


def run_of(fold: Split, **parameters):
    return plan_run(
        "tiny", fold, "colour", sections=SECTIONS, panel="all", tile_px=32, **parameters
    )


def counts(fold: Split, seed: int) -> list[np.ndarray]:
    """Counts of the training spots of each section, then of each test section."""
    run = run_of(fold, seed=seed)
    tested = [each for each in measured(run, SECTIONS) if each.name in fold.test]
    trained = [part.section for part in training_set(run, SECTIONS)[0]]
    return [each.counts.toarray() for each in (*trained, *tested)]


@pytest.mark.parametrize("fold", FOLDS, ids=lambda fold: fold.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_fold_has_the_spots_of_the_smallest_and_the_depth_of_the_shallowest(fold, seed):
    run = run_of(fold, seed=seed)
    parts, _ = training_set(run, SECTIONS)
    totals = np.concatenate([part.section.totals(GENES) for part in parts])
    assert len(totals) == 800, "the spots of S4, the smallest training set"
    assert np.median(totals) == pytest.approx(DEPTH, rel=0.02)
    for each in measured(run, SECTIONS):
        if each.name in fold.test:
            assert median_total(each, GENES) == pytest.approx(DEPTH, rel=0.02)


def test_a_patient_with_one_section_is_predicted_from_others_and_not_from_itself():
    tests = {rule: [fold.test for fold in folds(rule, SECTIONS)] for rule in MATCHED}
    assert tests == {
        "matched-within": [("S1",), ("S2",), ("S3",)],
        "matched-between": [("S1", "S2", "S3"), ("S4",)],
    }
    assert {fold.match for fold in FOLDS} == {("S1", "S2", "S3", "S4")}


def test_draws_differ_by_seed_and_repeat_exactly():
    fold = folds("matched-within", SECTIONS)[0]
    one, again, other = counts(fold, 1), counts(fold, 1), counts(fold, 2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_test_section_has_the_same_counts_whatever_was_trained_on():
    within, between = (folds(rule, SECTIONS)[0] for rule in MATCHED)
    (left, *_), (right, *_) = (measured(run_of(fold), SECTIONS) for fold in (within, between))
    np.testing.assert_array_equal(left.counts.toarray(), right.counts.toarray())


def test_scores_are_against_the_thinned_section(home):
    run = run_of(folds("matched-within", SECTIONS)[0], target="log1p")
    record = run_once(run, SECTIONS, "cpu")
    thin = measured(run, SECTIONS)[0]
    table, predicted = score(run, record, SECTIONS), record.predictions["S1"]
    own = np.log1p(thin.matrix(record.genes))
    np.testing.assert_allclose(table["pcc_native"], pcc(predicted, own))
    share = thin.matrix(record.genes) / thin.totals(GENES)[:, None]
    np.testing.assert_allclose(table["pcc"], pcc(predicted, np.log1p(1e4 * share)), atol=1e-6)


def test_only_a_matched_run_has_the_version_of_matching():
    plain = run_of(folds("section-out", SECTIONS)[0])
    assert run_of(FOLDS[0]).versions() == plain.versions() | {"matching": 2}
    assert "matching" not in plain.versions()
    assert measured(plain, SECTIONS) == SECTIONS


def test_the_identity_names_all_that_the_size_rests_on():
    run = run_of(FOLDS[0])
    changed = [*SECTIONS[:3], dataclasses.replace(SECTIONS[3], digest="deeper")]
    assert run.identity(SECTIONS) != run.identity(changed)


def test_the_sections_that_a_run_sees_are_those_trained_on_and_tested():
    assert list(stained(run_of(FOLDS[0]), SECTIONS)) == ["S2", "S3", "S1"]


def test_features_of_a_cut_section_are_those_of_the_whole():
    whole = TrainingSubset(SECTIONS[0], SECTIONS[0])
    (part,) = matched([whole], 9, DEPTH, GENES, seed=0)
    run = run_of(folds("section-out", SECTIONS)[0])
    full, cut = (inputs(run, each, None, "cpu") for each in (whole, part))
    assert len(cut) == 9
    np.testing.assert_array_equal(cut.image, full.image[part.rows])


def test_thinning_keeps_molecules_and_subset_keeps_rows():
    half = thinned(SECTIONS[0], median_total(SECTIONS[0], GENES) / 2, GENES, seed=0)
    assert (half.counts.toarray() <= SECTIONS[0].counts.toarray()).all()
    assert half.counts.sum() == pytest.approx(SECTIONS[0].counts.sum() / 2, rel=0.02)
    assert thinned(SECTIONS[3], DEPTH, GENES, seed=0) is SECTIONS[3]
    some = subset(SECTIONS[0], np.array([2, 5]))
    assert some.spots.tolist() == SECTIONS[0].spots[[2, 5]].tolist()
    assert (some.counts != SECTIONS[0].counts[[2, 5]]).nnz == 0
