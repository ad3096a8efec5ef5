"""What the record of a run holds beside predictions: class probabilities, dispersion of counts."""

from dataclasses import replace

import numpy as np
import pytest

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.runs import plan_run, published, run_once, store
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1", labelled=True),
    tiny_section("S2", patient="P2", labelled=True),
    tiny_section("S3", patient="P3", labelled=True),
]
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")


def smoke(method: str = "regclass", **words):
    return plan_run(
        "tiny",
        SPLIT,
        method,
        sections=SECTIONS,
        panel="all",
        encoder="colour",
        budget="smoke",
        tile_px=32,
        **words,
    )


def test_a_classifier_leaves_its_probabilities_and_others_none(home):
    record = run_once(smoke(), SECTIONS, "cpu")
    assert record.facts["classes"] == ["pale", "red"]
    found = store.read(record.folder).probabilities
    assert list(found) == ["S3"] and found["S3"].shape == (24, 2)
    np.testing.assert_allclose(found["S3"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found["S3"], record.probabilities["S3"])
    assert (np.ptp(found["S3"], axis=0) > 0).all()
    assert list(store.read(record.folder).predictions) == ["S3"]
    assert run_once(smoke("hist2st"), SECTIONS, "cpu").probabilities == {}


def test_the_labels_of_the_test_section_are_not_seen(home):
    first = run_once(smoke(), SECTIONS, "cpu")
    other = replace(SECTIONS[2], labels=SECTIONS[2].labels[::-1], digest="other")
    second = run_once(smoke(), [*SECTIONS[:2], other], "cpu")
    assert second.id != first.id
    np.testing.assert_array_equal(second.probabilities["S3"], first.probabilities["S3"])


def test_a_changed_probability_is_damage(home):
    record = run_once(smoke(epochs=0), SECTIONS, "cpu")
    with np.load(record.folder / "predictions.npz") as stored:
        arrays = dict(stored)
    arrays["class S3"][3, 1] += 0.001
    np.savez(record.folder / "predictions.npz", **arrays)
    with pytest.raises(store.Damaged, match="has changed"):
        store.read(record.folder)


def test_several_fits_answer_with_their_mean(home):
    record = run_once(smoke(members=2), SECTIONS, "cpu")
    fits = [
        store.read(record.folder.with_name(name)).probabilities["S3"]
        for name in record.facts["members"]
    ]
    assert not np.allclose(*fits)
    np.testing.assert_allclose(
        store.read(record.folder).probabilities["S3"], np.mean(fits, axis=0), rtol=1e-6
    )


def test_a_mean_over_records_refuses_predictions_that_are_not_published(home):
    record = run_once(smoke(epochs=0), SECTIONS, "cpu")
    without = replace(record, predictions=published.Unpublished())
    for records in ([record, without], [without, record]):
        with pytest.raises(BadInput, match="no predictions"):
            store.mean_over(records, "predictions")
    assert store.mean_over([record, replace(record, probabilities={})], "probabilities") == {}


@pytest.mark.parametrize(
    ("method", "words", "has"),
    [
        ("stimage", {}, True),
        ("hist2st", {}, True),
        ("hist2st", {"nb": True}, True),
        ("hist2st", {"zinb": 0.0}, False),
        ("ridge", {}, False),
    ],
)
def test_a_likelihood_of_counts_leaves_its_dispersion(home, method, words, has):
    record = run_once(smoke(method, **words), SECTIONS, "cpu")
    found = store.read(record.folder).dispersion
    assert list(found) == (["S3"] if has else [])
    if has:
        assert found["S3"].dtype == np.float16 and found["S3"].shape == (24, 12)
        assert (found["S3"] > 0).all() and np.isfinite(found["S3"]).all()
