"""What every registered method keeps to once it is fitted.

Each is fitted once, on tiny twins, and none of these tests changes it.
"""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from compendium.methods import names
from compendium.runs.fit import build, predict
from compendium.runs.inputs.batches import batch, in_order
from tiny_fits import SECTIONS, fitted

TESTED = SECTIONS[2]
SCATTERED = np.random.default_rng(1).integers(
    0, 64, (24, 2), dtype=np.int32
)  # on a regular array equally near neighbours are told apart by the order of the spots


@pytest.fixture(scope="module", params=names())
def learned(request, tmp_path_factory):
    """A run, what was fitted and its training inputs."""
    return fitted(request.param, tmp_path_factory.mktemp(request.param))


def test_every_spot_is_predicted_and_twice_the_same(learned):
    run, result, _ = learned
    first, second = (predict(run, result.method, TESTED, "cpu") for _ in range(2))
    assert first.shape == (24, 12)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("spots", [1, 7])
def test_in_chunks_every_spot_is_predicted_once_and_in_order(learned, spots, monkeypatch):
    run, result, _ = learned
    whole = predict(run, result.method, TESTED, "cpu")
    monkeypatch.setattr("compendium.runs.inputs.batches.PREDICT_SPOTS", spots)
    np.testing.assert_allclose(
        predict(run, result.method, TESTED, "cpu"), whole, rtol=1e-4, atol=1e-5
    )


def test_permuting_spots_permutes_predictions(learned):
    run, result, parts = learned
    order = np.random.default_rng(0).permutation(24)
    part = replace(parts[0], grid=SCATTERED)
    with torch.inference_mode():
        straight = result.method(next(in_order(run, part)))
        mixed = result.method(batch(run, part, order))
    torch.testing.assert_close(mixed, straight[torch.from_numpy(order)], rtol=1e-4, atol=1e-5)


def test_a_method_comes_back_from_its_bytes_bit_by_bit(learned):
    run, result, parts = learned
    packed = io.BytesIO()
    torch.save(result.method.state_dict(), packed)
    packed.seek(0)
    twin = build(replace(run, seed=run.seed + 1), parts)  # nothing of it is right by itself
    twin.load_state_dict(torch.load(packed, weights_only=True))
    np.testing.assert_array_equal(
        predict(run, twin, TESTED, "cpu"), predict(run, result.method, TESTED, "cpu")
    )


def test_the_bytes_of_another_panel_are_refused(learned):
    run, result, parts = learned
    fewer = build(
        run,
        [replace(part, target=part.target[:, :11], counts=part.counts[:, :11]) for part in parts],
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        fewer.load_state_dict(result.method.state_dict())


def test_another_fit_is_the_same_fit(learned, tmp_path):
    run, result, _ = learned
    _, again, _ = fitted(run.method, tmp_path)
    np.testing.assert_array_equal(
        predict(run, again.method, TESTED, "cpu"), predict(run, result.method, TESTED, "cpu")
    )
