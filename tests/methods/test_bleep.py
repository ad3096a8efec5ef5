"""BLEEP: the contrastive loss against a textbook computation, retrieval word by word.

Its bank holds training spots and no others.
"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.methods.bleep import (
    BLEEP,
    METRICS,
    RETRIEVALS,
    BLEEPConfig,
    Projection,
    contrastive,
    retrieve,
)
from compendium.methods.layers import Batch, ModelSpec
from compendium.runs import plan_run, run_once
from compendium.runs.fit import build, fit
from compendium.runs.inputs.batches import inputs
from compendium.runs.inputs.prepare import training_set
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2"), tiny_section("S3", patient="P3")]
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")


def smoke(**words):
    return plan_run(
        "tiny",
        SPLIT,
        "bleep",
        sections=SECTIONS,
        panel="all",
        encoder="colour",
        budget="smoke",
        tile_px=32,
        **words,
    )


def fitted(run, folder, sections=SECTIONS):
    train, target = training_set(run, sections)
    parts = [inputs(run, part, target, "cpu", training=True) for part in train]
    return fit(run, parts, [], "cpu", folder / "checkpoint.pt").method, np.concatenate(
        [part.target for part in parts]
    )


def embeddings(spots: int, width: int, seed: int = 0) -> list[torch.Tensor]:
    """Image and expression embeddings as LayerNorm leaves them."""
    torch.manual_seed(seed)
    return [
        torch.nn.functional.layer_norm(torch.randn(spots, width, dtype=torch.float64), (width,))
        for _ in range(2)
    ]


def bank(genes: int = 3, spots: int = 8, **words) -> tuple[BLEEP, Batch]:
    """A method in evaluation mode that remembers some spots, and those spots."""
    torch.manual_seed(1)
    method = BLEEP(
        ModelSpec(genes, torch.zeros(genes), features=4),
        BLEEPConfig(**{"width": 16, "neighbours": 4} | words),
    ).eval()
    spots = Batch(
        torch.randn(spots, 4), torch.zeros(spots, 2, dtype=torch.long), torch.rand(spots, genes) * 9
    )
    with torch.inference_mode():
        method.fit_closed_form([spots])
    return method, spots


# ---- the loss


def textbook(images: np.ndarray, expressions: np.ndarray, temperature: float) -> float:
    """Cross-entropy entry by entry, one spot after the other, with the softmax written out."""
    n = len(images)
    logit = [[expressions[i] @ images[j] / temperature for j in range(n)] for i in range(n)]
    alike = [
        [
            (images[i] @ images[j] + expressions[i] @ expressions[j]) / 2 * temperature
            for j in range(n)
        ]
        for i in range(n)
    ]
    target = [
        [np.exp(v - max(row)) / sum(np.exp(w - max(row)) for w in row) for v in row]
        for row in alike
    ]
    total = 0.0
    for i in range(n):
        row, column = logit[i], [logit[j][i] for j in range(n)]
        total -= (
            sum(
                target[i][j] * (row[j] - max(row) - np.log(sum(np.exp(v - max(row)) for v in row)))
                for j in range(n)
            )
            / 2
        )
        total -= (
            sum(
                target[j][i]
                * (column[j] - max(column) - np.log(sum(np.exp(v - max(column)) for v in column)))
                for j in range(n)
            )
            / 2
        )
    return total / n


@pytest.mark.parametrize("temperature", [1.0, 0.05, 3.0])
@pytest.mark.parametrize("spots", [1, 2, 7])
def test_the_loss_is_the_textbooks_with_soft_targets(spots, temperature):
    images, expressions = embeddings(spots, 6)
    assert contrastive(images, expressions, temperature).item() == pytest.approx(
        textbook(images.numpy(), expressions.numpy(), temperature), rel=1e-9, abs=1e-12
    )


def test_gradients_flow_into_the_targets_too():
    images, expressions = (each.requires_grad_() for each in embeddings(5, 4))
    assert torch.autograd.gradcheck(
        lambda i, e: contrastive(i, e, 0.7), (images, expressions)
    )  # a detached target would fail this
    contrastive(images, expressions, 0.7).backward()
    fixed = (
        (images.detach() @ images.detach().T + expressions.detach() @ expressions.detach().T)
        / 2
        * 0.7
    ).softmax(dim=1)
    logits = expressions @ images.T / 0.7
    detached = (
        -((fixed * logits.log_softmax(1)).sum(1) + (fixed * logits.log_softmax(0)).sum(0)).mean()
        / 2
    )
    (other,) = torch.autograd.grad(detached, images)
    assert not torch.allclose(images.grad, other, rtol=1e-2)


def test_at_temperature_one_layer_norm_makes_the_targets_all_but_one_hot():
    """So that the loss is that of plain pairs, InfoNCE on products that are not normalised."""
    torch.manual_seed(0)
    head_of_image, head_of_expression = Projection(2048, 256, 0.1), Projection(785, 256, 0.1)
    images, expressions = (
        head_of_image(torch.rand(64, 2048)).double(),
        head_of_expression(torch.randn(64, 785) * 3).double(),
    )
    torch.testing.assert_close(
        images.square().sum(dim=1),
        torch.full((64,), 256.0, dtype=torch.float64),
        rtol=1e-3,
        atol=0.1,
    )
    logits = expressions @ images.T
    pairs = -(logits.log_softmax(1).diag() + logits.log_softmax(0).diag()).mean() / 2
    assert contrastive(images, expressions, 1.0).item() == pytest.approx(pairs.item(), rel=1e-3)
    assert contrastive(images, images, 1.0).item() < 1e-3
    assert (
        contrastive(images, images, 0.01).item() > 1
    )  # at a temperature where the targets are soft


def test_the_projection_is_the_published_head():
    head = Projection(5, 8, 0.1).eval()
    x = torch.randn(3, 5)
    u = x @ head.first.weight.T + head.first.bias
    v = 0.5 * u * (1 + torch.erf(u / 2**0.5)) @ head.second.weight.T + head.second.bias + u
    torch.testing.assert_close(
        head(x),
        (v - v.mean(1, keepdim=True)) / (v.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt(),
        rtol=1e-4,
        atol=1e-5,
    )
    assert not torch.equal(head.train()(x.repeat(9, 1)), head.eval()(x.repeat(9, 1)))


def test_a_batch_of_one_spot_has_loss_zero_and_finite_gradients():
    method = BLEEP(ModelSpec(3, torch.zeros(3), features=4), BLEEPConfig(width=16))
    loss = method.losses(
        Batch(torch.randn(1, 4), torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 3))
    )["contrastive"]
    loss.backward()
    assert loss.item() == 0
    assert all(torch.isfinite(p.grad).all() for p in method.parameters())


# ---- retrieval


def by_hand(
    query: np.ndarray, keys: np.ndarray, measured: np.ndarray, k: int, metric: str, weighted: bool
) -> np.ndarray:
    """One query after the other, the k nearest by a sort."""
    rows = []
    for q in query:
        cosine = np.array([q @ key / np.linalg.norm(q) / np.linalg.norm(key) for key in keys])
        squared = np.array([((q - key) ** 2).sum() for key in keys])
        near = np.argsort(squared if metric == "euclidean" else -cosine, kind="stable")[:k]
        weight = np.exp(squared[near].min() - squared[near]) if weighted else np.ones(k)
        rows.append((weight[:, None] * measured[near]).sum(axis=0) / weight.sum())
    return np.array(rows)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("retrieval", RETRIEVALS)
def test_every_retrieval_is_what_its_word_says(retrieval, metric):
    method, spots = bank(spots=20, retrieval=retrieval, metric=metric)
    new = Batch(torch.randn(6, 4), torch.zeros(6, 2, dtype=torch.long))
    with torch.inference_mode():
        query, predicted = method.of_image(new.image), method(new)
    k = 1 if retrieval == "simple" else 4
    expected = by_hand(
        query.double().numpy(),
        method.keys.double().numpy(),
        spots.target.double().numpy(),
        k,
        metric,
        retrieval == "weighted",
    )
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)


def test_the_two_metrics_differ_where_lengths_do():
    query, keys = torch.tensor([[1.0, 0.0]]), torch.tensor([[9.0, 0.0], [0.8, 0.3]])
    assert [retrieve(query, keys, 1, metric, False)[0].item() for metric in METRICS] == [0, 1]


def test_weights_of_far_away_keys_neither_overflow_nor_vanish():
    query, keys = torch.zeros(1, 4) + 1e-3, torch.tensor([[100.0] * 4, [100.1] * 4, [3000.0] * 4])
    near, weight = retrieve(query, keys, 3, "cosine", weighted=True)
    assert weight.sum().item() == pytest.approx(1)
    assert (
        near[0, weight[0].argmax()].item() == 0
    )  # the nearest of them, whichever the cosine puts first


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 999),
    k=st.integers(1, 7),
    retrieval=st.sampled_from(RETRIEVALS),
    metric=st.sampled_from(METRICS),
    stretch=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_a_prediction_is_a_convex_combination_of_measured_spots(
    seed, k, retrieval, metric, stretch
):
    torch.manual_seed(seed)
    query, keys = torch.randn(5, 6) * stretch, torch.randn(8, 6) * stretch
    near, weight = retrieve(query, keys, k, metric, retrieval == "weighted")
    assert near.shape == weight.shape == (5, k)
    assert all(len(set(row.tolist())) == k for row in near)
    assert (weight >= 0).all()
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(5))


@pytest.mark.parametrize("retrieval", RETRIEVALS)
def test_predictions_lie_between_the_measured_extremes(retrieval, home):
    run = smoke(retrieval=retrieval)
    (predicted,) = run_once(run, SECTIONS, "cpu").predictions.values()
    _, target = training_set(run, SECTIONS)
    measured = np.concatenate([target(section) for section in SECTIONS[:2]])
    assert (predicted >= measured.min(axis=0) - 1e-5).all()
    assert (predicted <= measured.max(axis=0) + 1e-5).all()
    assert retrieval != "simple" or all(
        (np.abs(measured - row).max(axis=1) < 1e-6).any() for row in predicted
    )


# ---- the bank


def test_the_bank_is_the_training_spots_in_their_order_and_no_others(tmp_path):
    method, measured = fitted(smoke(), tmp_path)
    np.testing.assert_array_equal(method.measured, measured)
    assert len(method.measured) == len(method.keys) == 48
    tested = training_set(smoke(), SECTIONS)[1](SECTIONS[2])
    assert not (np.abs(method.measured.numpy()[:, None] - tested[None]).max(axis=2) == 0).any()


def test_the_bank_does_not_move_with_the_test_sections_counts(tmp_path):
    other = dataclasses.replace(SECTIONS[2], counts=SECTIONS[2].counts * 7)
    (one, _), (two, _) = (
        fitted(smoke(), tmp_path / "a"),
        fitted(smoke(), tmp_path / "b", [*SECTIONS[:2], other]),
    )
    assert torch.equal(one.keys, two.keys)
    assert torch.equal(one.measured, two.measured)


def test_validation_sections_are_not_in_the_bank(tmp_path):
    run = dataclasses.replace(
        smoke(), split=Split("section-out", ("S1",), ("S2",), ("S3",), "section S3")
    )
    train, target = training_set(run, SECTIONS)
    parts, checks = (
        [inputs(run, part, target, "cpu", training=True) for part in some]
        for some in (train, training_set(smoke(), SECTIONS)[0][1:])
    )
    assert len(fit(run, parts, checks, "cpu", tmp_path / "c.pt").method.measured) == 24


def test_a_bank_of_too_few_spots_is_refused_before_training_and_after():
    train, target = training_set(smoke(), SECTIONS)
    parts = [inputs(smoke(), part, target, "cpu", training=True) for part in train]
    assert build(smoke(neighbours=47), parts)
    assert build(smoke(neighbours=48, retrieval="simple"), parts)
    with pytest.raises(
        BadInput, match="neighbours=48 of method bleep must be below the 48 training spots"
    ) as error:
        build(smoke(neighbours=48), parts)
    assert "\n" not in str(error.value)
    with pytest.raises(BadInput, match="below the 4 training spots"):
        bank(spots=4)


def test_a_bank_with_another_panel_is_refused():
    method, _ = bank()
    other = Batch(torch.randn(8, 4), torch.zeros(8, 2, dtype=torch.long), torch.rand(8, 2))
    with pytest.raises(BadInput, match="predicts 3 genes but its reference spots have 2"):
        method.fit_closed_form([other])


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(BadInput, match="temperature=0 of method bleep must be above 0"):
        BLEEPConfig(temperature=0.0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            {"retrieval": "mean"},
            "retrieval is 'mean' but must be 'simple', 'average' or 'weighted'",
        ),
        (
            {"metric": "manhattan"},
            "metric is 'manhattan' but must be 'cosine' or 'euclidean'",
        ),
        ({"neighbours": 0}, "neighbours is 0"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, says):
    with pytest.raises(BadInput, match=says):
        smoke(**words)
