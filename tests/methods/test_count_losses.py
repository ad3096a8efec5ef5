"""Count likelihoods against reference values, and their gradients.

Also the places where the textbook form breaks.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from compendium.errors import BadInput
from compendium.methods.count_losses import nb_log_odds, nb_total_probability, zinb, zinb_parameters


@pytest.fixture
def reference(golden):
    with np.load(golden / "count_losses.npz", allow_pickle=False) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file}


def leaves(*tensors):
    return [tensor.clone().requires_grad_() for tensor in tensors]


def test_activations(reference):
    found = zinb_parameters(*(reference[f"pre_{name}"] for name in ("mean", "disp", "pi")))
    for name, values in zip(("mean", "disp", "pi"), found, strict=True):
        torch.testing.assert_close(values, reference[name], rtol=1e-6, atol=1e-8)


def test_zinb_and_its_gradients(reference):
    parameters = leaves(reference["mean"], reference["disp"], reference["pi"])
    loss = zinb(reference["x"], *parameters, reference["size_factor"])
    loss.backward()
    torch.testing.assert_close(loss, reference["zinb"], rtol=5e-6, atol=0)
    for name, parameter in zip(("mean", "disp", "pi"), parameters, strict=True):
        torch.testing.assert_close(
            parameter.grad, reference[f"zinb_grad_{name}"], rtol=1e-4, atol=1e-7
        )


def test_ridge_and_size_factors(reference):
    parameters = reference["mean"], reference["disp"], reference["pi"]
    torch.testing.assert_close(
        zinb(reference["x"], *parameters, reference["size_factor"], ridge=0.1),
        reference["zinb_ridge01"],
        rtol=5e-6,
        atol=0,
    )
    torch.testing.assert_close(
        zinb(reference["x"], *parameters, torch.ones(40)), reference["zinb_sf1"], rtol=5e-6, atol=0
    )


def test_nb_option_and_its_gradients(reference):
    parameters = leaves(reference["nb_r"], reference["nb_p"])
    loss = nb_log_odds(reference["x"], *parameters)
    loss.backward()
    torch.testing.assert_close(loss, reference["nb"], rtol=5e-6, atol=0)
    for name, parameter in zip("rp", parameters, strict=True):
        torch.testing.assert_close(
            parameter.grad, reference[f"nb_grad_{name}"], rtol=1e-4, atol=1e-6
        )


def test_stimage_form(golden):
    with np.load(golden / "pieces.npz", allow_pickle=False) as file:
        y, n, p, entries, grad = (
            torch.from_numpy(file[f"stimage_nb.{name}"])
            for name in ("y", "n", "p", "elementwise", "grad_params")
        )
        mean, total = float(file["stimage_nb.loss_mean"]), float(file["stimage_nb.keras_total"])
    n, p = leaves(n, p)
    found = nb_total_probability(y, n, p)
    found.mean().backward()
    torch.testing.assert_close(found, entries, rtol=1e-5, atol=1e-5)
    assert found.mean().item() == pytest.approx(mean, rel=5e-6)
    assert found.mean(dim=0).sum().item() == pytest.approx(total, rel=5e-6)
    torch.testing.assert_close(torch.stack([n.grad, p.grad], dim=2), grad, rtol=1e-4, atol=1e-6)


def test_stimage_form_is_scipys_negative_binomial():
    y = torch.arange(20.0).reshape(4, 5)
    n, p = torch.rand(4, 5) * 30 + 0.1, torch.rand(4, 5) * 0.98 + 0.01
    np.testing.assert_allclose(
        nb_total_probability(y, n, p), -stats.nbinom.logpmf(y, n.double(), p.double()), rtol=1e-5
    )


def test_a_large_dispersion_keeps_its_digits():
    """At dispersion 10,000 and no extra zeros ZINB is nearly Poisson.

    In single precision ln Gamma alone is off by 0.01.
    """
    x, theta = torch.arange(30.0)[:, None], torch.full((30, 1), 1e4)
    found = zinb(x, torch.full((30, 1), 10.0), theta, torch.zeros(30, 1), torch.ones(30))
    assert found.item() == pytest.approx(
        -stats.nbinom.logpmf(np.arange(30), 1e4, 1e4 / (1e4 + 10)).mean(), rel=5e-6
    )


def test_extremes_stay_finite_forward_and_backward():
    pre = leaves(*(torch.tensor([[-500.0, 0.0, 500.0]]).expand(3, 3) for _ in range(3)))
    counts, size = (
        torch.tensor([[0.0, 0, 0], [0, 5, 1e5], [1e5, 0, 3]]),
        torch.tensor([0.0, 1, 40]),
    )  # the first spot is all zero
    total_probability = nb_total_probability(counts, F.softplus(pre[0]), pre[2].sigmoid()).mean()
    loss = (
        zinb(counts, *zinb_parameters(*pre), size)
        + nb_log_odds(counts, pre[0], pre[1])
        + total_probability
    )
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(each.grad).all() for each in pre)


@pytest.mark.parametrize("wrong", [-1.0, 0.5, float("nan"), float("inf")])
def test_only_counts_have_a_likelihood(wrong):
    x, one = torch.full((2, 3), wrong), torch.ones(2, 3)
    for loss in (
        lambda: zinb(x, one, one, one / 2, torch.ones(2)),
        lambda: nb_log_odds(x, one, one),
    ):
        with pytest.raises(BadInput, match="not whole"):
            loss()


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_the_published_form_takes_logarithms_but_nothing_below_0(wrong):
    one = torch.ones(2, 3)
    assert torch.isfinite(nb_total_probability(one * 0.5, one, one / 2)).all()
    with pytest.raises(BadInput, match="below 0 or not finite"):
        nb_total_probability(torch.full((2, 3), wrong), one, one / 2)
