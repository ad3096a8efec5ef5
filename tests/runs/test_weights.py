"""Weights that are published predict what the fit predicted, and say what they are of."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.evaluation.correlation import pcc
from compendium.images.features import features
from compendium.runs import plan_run, run_once, weights
from conftest import tiny_section

SECTIONS = [tiny_section(name, px=224, spots=60) for name in ("S1", "S2", "S3")]
SPLIT = Split("section-out", ("S2", "S3"), (), ("S1",), "section S1")
METHODS_KEPT = ("ridge", "bleep", "stnet", "stimage", "deepspace")


@pytest.fixture
def image(home) -> np.ndarray:
    """Features of the section that is tested."""
    return features(SECTIONS[0], "colour", 224)


def planned(method: str, **words):
    given = {"panel": "all", "encoder": "colour", "budget": "smoke"} | words
    return plan_run("demo", SPLIT, method, sections=SECTIONS, **given)


@pytest.fixture
def ridge(home, tmp_path):
    """A file of weights of ridge."""
    path = tmp_path / "kept"
    weights.write(path, weights.trained(planned("ridge"), SECTIONS), commit="1234567")
    return path


@pytest.mark.parametrize("method", METHODS_KEPT)
def test_they_predict_what_the_fit_predicted(image, tmp_path, method):
    run = planned(method)
    record = run_once(run, SECTIONS, "cpu")
    fitted = weights.trained(run, SECTIONS)
    np.testing.assert_array_equal(fitted.predict(image), record.predictions["S1"])
    weights.write(tmp_path / "kept", fitted)
    again = weights.read(tmp_path / "kept")
    assert again.run == run and again.genes == record.genes
    measured = SECTIONS[0].matrix(record.genes)
    before, after = (pcc(each.predict(image), measured) for each in (fitted, again))
    np.testing.assert_allclose(after, before, atol=0.01)  # six features are collinear


def test_the_header_says_what_they_are_of(ridge):
    trained = weights.read(ridge)
    assert trained.facts["trained_on"] == {s.name: s.digest for s in SECTIONS[1:]}
    assert trained.facts["commit"] == "1234567" and trained.facts["features"] == 6
    assert trained.facts["target"].startswith("ln(1 + 1e4 count")
    assert trained.facts["licence"] and trained.facts["attribution"]


def test_of_bleep_the_bank_is_kept_and_what_predicts_nothing_is_left_out(home, tmp_path):
    weights.write(tmp_path / "kept", weights.trained(planned("bleep"), SECTIONS))
    with safe_open(tmp_path / "kept", framework="np") as stored:
        arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    assert arrays["measured"].dtype == np.int16 and arrays["measured"].shape == (120, 12)
    assert arrays["keys"].dtype == np.float32, "neighbours are the same ones"
    assert not [name for name in arrays if "of_expression" in name]


def test_a_gene_that_is_predicted_by_its_mean_still_is(image, ridge):
    trained = weights.read(ridge)
    trained.method.weight[:] = 1 + torch.arange(12)
    trained.method.weight[:, 3] = 0
    weights.write(ridge, trained)
    again = weights.read(ridge).predict(image)
    assert np.ptp(again[:, 3]) == 0 and (np.ptp(np.delete(again, 3, axis=1), axis=0) > 0).all()


@pytest.mark.parametrize("at", [0, 40, 0.5, -1])
def test_a_damaged_file_is_refused_in_one_line(ridge, at):
    content = bytearray(ridge.read_bytes())
    content[int(len(content) * at) if isinstance(at, float) else at] ^= 1
    ridge.write_bytes(content)
    with pytest.raises(BadInput, match="holds no weights that can be read") as refused:
        weights.read(ridge)
    assert "\n" not in str(refused.value) and str(ridge) in str(refused.value)


def test_a_missing_file_and_other_features_are_refused(ridge, tmp_path):
    with pytest.raises(BadInput, match="holds no weights"):
        weights.read(tmp_path / "none")
    with pytest.raises(BadInput, match="trained on 6 features .* given 20"):
        weights.read(ridge).predict(np.zeros((3, 20)))


@pytest.mark.parametrize(("method", "words"), [("histogene", {}), ("stnet", {"encoder": "own"})])
def test_methods_that_need_more_than_features_of_a_tile_are_refused(home, method, words):
    with pytest.raises(BadInput, match="a spot from frozen features"):
        weights.trained(planned(method, **words), SECTIONS)
