"""Likelihoods of counts, as losses: zero-inflated and plain negative binomial.

All are computed in double precision: with a dispersion up to 10,000 the difference of two ln Gamma
loses every digit that single precision has. torch.distributions.NegativeBinomial differs in the
last digits, and its checks refuse the ln(1 + count) that STimage is trained on.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from compendium.errors import BadInput
from compendium.machine import double
from compendium.methods.layers import Expression, Loss

EPSILON = 1e-10
Values = Float[Tensor, "*spot gene"]
MARGIN = torch.finfo(torch.float32).eps  # least distance of a probability from 0 and 1


def zinb_parameters(
    mean: Values, dispersion: Values, dropout: Values
) -> tuple[Tensor, Tensor, Tensor]:
    """Map three linear outputs to the parameters of a ZINB.

    Returns
    -------
    Mean exp(.) in [1e-5, 1e6], dispersion softplus(.) in [1e-4, 1e4], and probability of an extra
    zero sigmoid(.).

    References
    ----------
    Eraslan et al. 2019 (DCA), Eq. 3 to 5; Zeng et al. 2022 (Hist2ST).
    """
    return (
        mean.clamp(max=20).exp().clamp(1e-5, 1e6),  # exp(20) is above 1e6, and finite
        F.softplus(dispersion).clamp(1e-4, 1e4),
        dropout.sigmoid(),
    )


def zinb(
    counts: Expression,
    mean: Expression,
    dispersion: Expression,
    dropout: Expression,
    size: Float[Tensor, "spot"],
    ridge: float = 0.0,
) -> Loss:
    """Return -ln ZINB(counts; size x mean, dispersion, dropout) + ridge x dropout^2.

    Parameters
    ----------
    counts
        Measured counts x.
    mean, dispersion, dropout
        Parameters m, theta and pi of each spot and gene, see `zinb_parameters`.
    size
        Size factor of each spot, by which its means are multiplied; a spot with 0 has mean 0 and
        stays finite.
    ridge
        Weight of the squared dropout.

    Returns
    -------
    The mean over spots and genes.

    Raises
    ------
    BadInput
        Where counts are negative or no integers.

    References
    ----------
    Eraslan et al. 2019 (DCA), Eq. 2; Zeng et al. 2022 (Hist2ST).
    """
    x, theta, pi = double(integer_counts(counts)), double(dispersion), double(dropout)
    m = double(mean) * double(size)[:, None]
    gammas = torch.lgamma(theta + EPSILON) + torch.lgamma(x + 1) - torch.lgamma(x + theta + EPSILON)
    counted = (
        gammas
        + (theta + x) * torch.log1p(m / (theta + EPSILON))
        + x * ((theta + EPSILON).log() - (m + EPSILON).log())
        - (1 - pi + EPSILON).log()
    )
    zero = -(pi + (1 - pi) * (theta / (theta + m + EPSILON)).pow(theta) + EPSILON).log()
    return (torch.where(x > 1e-8, counted, zero) + ridge * pi.square()).mean().float()


def nb_log_odds(counts: Expression, r: Expression, p: Expression) -> Loss:
    """Return -ln NB with exp(r) failures and log-odds p, without the term ln Gamma(count + 1).

    The result is summed over genes and averaged over spots: Hist2ST's option.
    """
    x, number, odds = double(integer_counts(counts)), failures(double(r)), double(p)
    likelihood = (
        torch.lgamma(number + x) - torch.lgamma(number) + odds * x - F.softplus(odds) * (x + number)
    )
    return -likelihood.sum(dim=1).mean().float()


def failures(r: Values) -> Values:
    """Return exp(r), the number of failures of an NB, finite."""
    return r.clamp(max=20).exp()


def nb_total_probability(y: Values, n: Values, p: Values) -> Values:
    """Return -ln NB(y; n, p) of each entry, in STimage's form.

    ln G(n) + ln G(y + 1) - ln G(n + y) - n ln p - y ln(1 - p), with G = Gamma. y need not be an
    integer; n is kept above 1e-8, p off 0 and 1, where the published form is infinite.

    Raises
    ------
    BadInput
        Where y is negative or not finite.
    """
    if not (torch.isfinite(y) & (y >= 0)).all():
        raise BadInput(
            "a negative binomial was given numbers below 0 or not finite; give counts, or their "
            "logarithm as published"
        )
    y, n, p = double(y), double(n).clamp(min=1e-8), double(p).clamp(MARGIN, 1 - MARGIN)
    return (
        torch.lgamma(n)
        + torch.lgamma(y + 1)
        - torch.lgamma(n + y)
        - n * p.log()
        - y * torch.log1p(-p)
    ).float()


def integer_counts(counts: Values) -> Values:
    """Return the counts, or raise BadInput where they are negative or no integers."""
    if not (torch.isfinite(counts) & (counts >= 0) & (counts == counts.round())).all():
        raise BadInput(
            "a likelihood of counts was given numbers below 0 or not whole; give raw counts, not "
            "a transform of them"
        )
    return counts
