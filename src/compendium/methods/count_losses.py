"""Likelihoods of counts, as losses: zero-inflated negative binomial (Hist2ST) and two forms of the negative binomial (Hist2ST, STimage).

All are computed in double precision: with a dispersion up to 10,000 the difference of two ln Gamma loses every digit that single precision has.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from compendium.errors import BadInput
from compendium.machine import double

EPSILON = 1e-10
CLOSE = torch.finfo(torch.float32).eps  # how near a probability may come to 0 and 1


def zinb_parameters(
    mean: Float[Tensor, "*spot gene"],
    dispersion: Float[Tensor, "*spot gene"],
    dropout: Float[Tensor, "*spot gene"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Three linear outputs -> mean exp(.) in [1e-5, 1e6], dispersion softplus(.) in [1e-4, 1e4], probability of an extra zero sigmoid(.)."""
    return (
        mean.clamp(max=20).exp().clamp(1e-5, 1e6),
        F.softplus(dispersion).clamp(1e-4, 1e4),
        dropout.sigmoid(),
    )  # exp(20) is above 1e6, and finite


def zinb(
    counts: Float[Tensor, "spot gene"],
    mean: Float[Tensor, "spot gene"],
    dispersion: Float[Tensor, "spot gene"],
    dropout: Float[Tensor, "spot gene"],
    size: Float[Tensor, "spot"],
    ridge: float = 0.0,
) -> Float[Tensor, ""]:
    """-log-likelihood of counts under ZINB(mean x size factor, dispersion, dropout), plus ridge x dropout^2; mean over spots and genes.

    A spot with size factor 0 has mean 0 and stays finite.
    """
    x, theta, pi = double(whole(counts)), double(dispersion), double(dropout)
    m = double(mean) * double(size)[:, None]
    ahead = torch.lgamma(theta + EPSILON) + torch.lgamma(x + 1) - torch.lgamma(x + theta + EPSILON)
    counted = (
        ahead
        + (theta + x) * torch.log1p(m / (theta + EPSILON))
        + x * ((theta + EPSILON).log() - (m + EPSILON).log())
        - (1 - pi + EPSILON).log()
    )
    zero = -(pi + (1 - pi) * (theta / (theta + m + EPSILON)).pow(theta) + EPSILON).log()
    return (torch.where(x > 1e-8, counted, zero) + ridge * pi.square()).mean().float()


def nb_log_odds(
    counts: Float[Tensor, "spot gene"], r: Float[Tensor, "spot gene"], p: Float[Tensor, "spot gene"]
) -> Float[Tensor, ""]:
    """Hist2ST's option: exp(r) failures, log-odds p, without the term ln Gamma(count + 1); -log-likelihood summed over genes, mean over spots."""
    x, failures, odds = double(whole(counts)), double(r).clamp(max=20).exp(), double(p)
    likelihood = (
        torch.lgamma(failures + x)
        - torch.lgamma(failures)
        + odds * x
        - F.softplus(odds) * (x + failures)
    )
    return -likelihood.sum(dim=1).mean().float()


def nb_total_probability(
    y: Float[Tensor, "*spot gene"], n: Float[Tensor, "*spot gene"], p: Float[Tensor, "*spot gene"]
) -> Float[Tensor, "*spot gene"]:
    """STimage's form, -log-likelihood of each entry: ln G(n) + ln G(y+1) - ln G(n+y) - n ln p - y ln(1-p), with ln G = ln Gamma; y need not be whole.

    n is kept above 1e-8, p off 0 and 1, where the published form is infinite. BadInput where y is below 0 or not finite.
    """
    if not (torch.isfinite(y) & (y >= 0)).all():
        raise BadInput(
            "a negative binomial was given numbers below 0 or not finite; give counts, or their logarithm as published"
        )
    y, n, p = double(y), double(n).clamp(min=1e-8), double(p).clamp(CLOSE, 1 - CLOSE)
    return (
        torch.lgamma(n)
        + torch.lgamma(y + 1)
        - torch.lgamma(n + y)
        - n * p.log()
        - y * torch.log1p(-p)
    ).float()


def whole(counts: Float[Tensor, "*spot gene"]) -> Float[Tensor, "*spot gene"]:
    """Counts as they are; BadInput where they are none, since a likelihood of counts has no meaning on anything else."""
    if not (torch.isfinite(counts) & (counts >= 0) & (counts == counts.round())).all():
        raise BadInput(
            "a likelihood of counts was given numbers below 0 or not whole; give raw counts, not a transform of them"
        )
    return counts
