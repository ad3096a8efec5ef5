"""Runs in windows: what is trained on and predicted, what is stored, and how it is scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.data.windows import half_open, published
from compendium.evaluation.classification import answers
from compendium.evaluation.correlation import pcc
from compendium.evaluation.scores import score, scoring_target
from compendium.methods.layers import Batch, Method
from compendium.runs import plan_run, run_once, store
from compendium.runs.export import prediction
from compendium.runs.fit import predict
from compendium.runs.inputs.batches import inputs, size_factors, windowed
from compendium.runs.inputs.matching import subset
from compendium.runs.inputs.prepare import training_set
from compendium.runs.study import cost
from conftest import tiny_section
from raw_files import refusal

pytestmark = pytest.mark.slow


def wide(name: str, patient: str, lost: int = 3) -> Section:
    """7 x 7 spots from 0 to 7,776 px, and `lost` spots far away.

    The fourth row and column lie on the border of windows, at 4,000 - 112 px.
    """
    places = np.array(
        [(x, y) for y in range(7) for x in range(7)] + [(23 + i, 23) for i in range(lost)]
    )
    made = tiny_section(name, patient, spots=len(places), labelled=True)
    return replace(
        made,
        grid=places.astype(np.int32),
        pixels=(places * 1296).astype(np.float32),
        digest=f"{made.digest} wide",
    )


class Places(Method):
    """Predicts where each spot lies on the array."""

    def forward(self, batch: Batch) -> torch.Tensor:
        """The place."""
        return batch.grid.float()


SECTIONS = [wide("S1", "P1"), wide("S2", "P2"), wide("S3", "P3")]
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")
TESTED = SECTIONS[2]


def smoke(method: str = "histogene", **words):
    return plan_run(
        "tiny",
        SPLIT,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


def seen(run):
    train, target = training_set(run, SECTIONS)
    return (
        train,
        target,
        windowed(
            run,
            train,
            [inputs(run, part, target, "cpu", True, ("pale", "red")) for part in train],
            target,
        ),
    )


def test_the_made_up_slide_has_spots_on_borders_and_spots_that_are_lost():
    rows = np.concatenate(published(TESTED.pixels))
    assert np.bincount(rows, minlength=52).tolist().count(0) == 3
    assert np.bincount(rows).max() == 4
    assert len(published(TESTED.pixels)) == 4


@pytest.mark.parametrize(("word", "cut"), [("published", published), ("clean", half_open)])
def test_a_training_example_is_a_window(word, cut):
    run = smoke(windows=word, target="scprep")
    train, target, parts = seen(run)
    _, _, (whole, _) = seen(smoke(target="scprep"))
    rows = cut(SECTIONS[0].pixels)
    assert len(parts) == len(rows) + len(cut(SECTIONS[1].pixels)) > 2
    for part, some in zip(parts, rows, strict=False):
        for what in ("image", "grid", "target", "counts", "labels"):
            assert np.array_equal(getattr(part, what), getattr(whole, what)[some]), what
        assert np.array_equal(part.size, size_factors(subset(SECTIONS[0], some), target))
        assert np.median(part.size) == 1, "the size factor is of the window"


def test_whole_sections_and_clean_windows_are_stored_as_ever(home):
    whole, clean = (run_once(smoke(windows=word), SECTIONS, "cpu") for word in ("none", "clean"))
    for record in (whole, clean):
        assert record.rows == {} == store.read(record.folder).rows
        assert record.predictions["S3"].shape == (52, 12)
        assert record.by_spot(TESTED) is record.predictions["S3"]
    assert whole.facts["training_spots"] == clean.facts["training_spots"] == 104
    assert not np.allclose(whole.predictions["S3"], clean.predictions["S3"])


def test_what_is_predicted_in_windows_stands_where_its_spots_are():
    found = {
        word: predict(smoke(windows=word), Places(), TESTED, "cpu")
        for word in ("none", "clean", "published")
    }
    assert np.array_equal(found["none"], TESTED.grid)
    assert np.array_equal(found["clean"], TESTED.grid)
    assert np.array_equal(found["published"], TESTED.grid[np.concatenate(published(TESTED.pixels))])


def test_a_published_prediction_has_a_row_for_each_spot_of_each_window(home):
    record = run_once(smoke("regclass", windows="published"), SECTIONS, "cpu")
    rows = np.concatenate(published(TESTED.pixels))
    for kept in (record, store.read(record.folder)):
        assert np.array_equal(kept.rows["S3"], rows)
        assert kept.predictions["S3"].shape == (len(rows), 12)
        assert kept.probabilities["S3"].shape == (len(rows), 2)
    assert record.facts["training_spots"] == 2 * len(rows)
    assert len(answers(record, TESTED).truth) == len(rows)
    assert np.array_equal(
        answers(record, TESTED).truth, [["pale", "red"].index(TESTED.labels[i]) for i in rows]
    )


def test_doubled_spots_count_twice_in_a_score_and_lost_ones_not_at_all(home):
    run = smoke(windows="published", target="scprep")
    record = run_once(run, SECTIONS, "cpu")
    table, rows = score(run, record, SECTIONS), np.concatenate(published(TESTED.pixels))
    assert (table["spots"] == len(rows)).all()
    np.testing.assert_allclose(
        table["pcc"],
        pcc(record.predictions["S3"], scoring_target(record.genes, SECTIONS)(TESTED)[rows]),
    )
    counts = TESTED.counts.toarray()
    counts[49:] = 1  # of lost spots: no score may move
    changed = [*SECTIONS[:2], replace(TESTED, counts=csr_matrix(counts))]
    np.testing.assert_array_equal(score(run, record, changed)["pcc"], table["pcc"])


def test_by_spot_is_the_mean_of_what_was_predicted_and_nan_for_the_lost(home):
    record = run_once(smoke(windows="published"), SECTIONS, "cpu")
    found, rows = record.by_spot(TESTED), record.rows["S3"]
    assert np.isnan(found[49:]).all() and np.isfinite(found[:49]).all()
    for spot in (0, 3, 24):
        np.testing.assert_allclose(
            found[spot], record.predictions["S3"][rows == spot].mean(axis=0), rtol=1e-5
        )
    assert np.array_equal(prediction(record, TESTED).X, found, equal_nan=True)


def test_several_fits_are_averaged_row_by_row(home):
    record = run_once(smoke(windows="published", members=2), SECTIONS, "cpu")
    assert np.array_equal(record.rows["S3"], np.concatenate(published(TESTED.pixels)))
    assert len(record.rows["S3"]) == len(record.predictions["S3"]) == len(record.spread["S3"])


def test_validation_is_in_windows_too_and_the_cost_can_be_told(home):
    split = Split("section-out", ("S1",), ("S2",), ("S3",), "section S3")
    for word in ("published", "clean"):
        run = plan_run(
            "tiny",
            split,
            "hist2st",
            sections=SECTIONS,
            panel="all",
            encoder="colour",
            budget="smoke",
            tile_px=32,
            windows=word,
        )
        assert all(
            np.isfinite(row["validation"]) for row in run_once(run, SECTIONS, "cpu").facts["curve"]
        )
        assert cost.estimate([run], SECTIONS, "cpu")[0] > 0


def test_the_line_names_windows_where_the_protocol_has_others():
    assert "windows = clean" in smoke(windows="clean").line
    assert "windows" not in smoke().line
    assert [
        "windows" in smoke(protocol="published", windows=word).line
        for word in ("none", "published", "clean")
    ] == [False, False, True]


@pytest.mark.parametrize(
    ("method", "words", "says"),
    [
        (
            "ridge",
            {"windows": "clean"},
            "windows=clean is for methods that see all spots of a section",
        ),
        (
            "stnet",
            {"checkpoint_activations": True},
            "checkpoint_activations=True is for methods that see all spots",
        ),
        (
            "histogene",
            {"windows": "halfopen"},
            "windows is 'halfopen' but must be 'none', 'published' or 'clean'",
        ),
    ],
)
def test_words_that_mean_nothing_are_refused(method, words, says):
    assert says in refusal(lambda: smoke(method, **words))
