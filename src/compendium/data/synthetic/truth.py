"""Best reachable scores of the synthetic cohort, from oracles that know its model.

`image_attainable`: an oracle that knows the morphology and the weights of the patient;
`measurement_limited`: one that knows the true rates; `new_patient`: one that knows the morphology,
but only the weights common to all patients.
"""

from functools import cache

import numpy as np
import pandas as pd
from scipy.special import gammaln

from compendium.data.synthetic import expression
from compendium.data.synthetic.expression import PerGene, Rates, gene_table, typical_depth, visible
from compendium.data.synthetic.model import GENES, MODEL, SECTIONS, Place, find, rng

ORACLES = ("image_attainable", "measurement_limited", "new_patient")
NODES, MASS = np.polynomial.hermite_e.hermegauss(9)  # expectation over a standard normal number
MASS = MASS / MASS.sum()
LOG_MEAN, LOG_RATE = np.linspace(np.log(1e-3), np.log(2e4), 120), np.linspace(-14, 0, 141)
MEASUREMENTS = 40


def oracle(name: str) -> tuple[Rates, Rates]:
    """Return the expected ln(1 + 1e4 count / total) of the spots of a section.

    Returns
    -------
    Its expectation given morphology and patient, which is the best that a method can know from the
    image (constant for an unlearnable gene), and its expectation given the true rates, which is the
    best that the noise of the measurement allows.
    """
    place = find(name)
    known = expression.log_rate(place)
    return _expected(place, visible(place), gene_table().tau), _expected(place, known)


def truth() -> pd.DataFrame:
    """Return the best PCC of each gene, averaged over sections.

    Returns
    -------
    Columns gene, image_share (share of the variance of the log rate that morphology explains), each
    of ORACLES, and learnable.
    """
    mean = truth_by_section().groupby("gene")[list(ORACLES)].mean().reindex(GENES)
    mean.insert(0, "image_share", gene_table().share)
    return mean.reset_index().assign(learnable=mean["image_share"].to_numpy() > 0)


def truth_by_section() -> pd.DataFrame:
    """Return the best PCC of each gene and section: columns section, gene and ORACLES."""
    tables = {place.name: pd.DataFrame(_truth(place).T, GENES, ORACLES) for place in SECTIONS}
    return pd.concat(tables, names=["section", "gene"]).reset_index()


def pearson(a: Rates, b: Rates) -> PerGene:
    """Return the correlation of each column; 0 where a column is constant.

    A constant column is the prediction of an oracle for a gene of which nothing can be known.
    """
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), size, out=np.zeros(a.shape[1]), where=size > 1e-9)


@cache
def _truth(place: Place) -> np.ndarray:
    """Return the mean PCC [oracle gene] over new measurements of the same tissue.

    Hidden field, depth and counts are drawn anew, independently of those of the cohort.
    """
    stream, tau, shown = rng("truth", place), gene_table().tau, visible(place)
    seen, common = (_expected(place, rate, tau) for rate in (shown, visible(place, common=True)))
    score = np.zeros((len(ORACLES), MODEL.genes))
    for _ in range(MEASUREMENTS):
        rate = expression.normalised(shown + tau * expression.hidden(place, stream))
        depth = expression.depths(place, stream)
        measured = expression.draw_counts(np.exp(rate), depth, stream)
        target = np.log1p(1e4 * measured / measured.sum(axis=1, keepdims=True))
        predictions = seen, _expected(place, rate), common
        score += [pearson(prediction, target) / MEASUREMENTS for prediction in predictions]
    return score


def _expected(place: Place, rate: np.ndarray, tau: np.ndarray | None = None) -> np.ndarray:
    """Return E[ln(1 + 1e4 count / total)] for normalised log rates.

    For log rates known up to normal noise, give its standard deviation tau; they are normalised.
    """
    if tau is None:
        nodes, spread = [(0.0, 1.0)], 0.0
    else:
        nodes, spread = zip(NODES, MASS, strict=True), tau
        rate = expression.normalised(rate, tau)
    out, alphas = np.zeros(rate.shape), gene_table().alpha
    for node, mass in nodes:
        for alpha in MODEL.dispersions:
            some, curve = alphas == alpha, _curve(alpha, typical_depth(place))
            out[:, some] += mass * np.interp((rate + node * spread)[:, some], LOG_RATE, curve)
    return out


@cache
def _curve(alpha: float, depth: float) -> np.ndarray:
    """Return the expected target at LOG_RATE where spots have log-normal depth around `depth`.

    Large numbers of counts are summed over an even thinning of them.
    """
    mean = np.exp(LOG_MEAN)[:, None]
    count = np.ceil((mean + 10 * np.sqrt(mean + alpha * mean**2) + 20) / 400) * np.arange(400)
    # negative binomial up to a factor, which the sum gives
    ways = gammaln(count + 1 / alpha) - gammaln(count + 1)
    chance = np.exp(ways - count * np.log1p(1 / (alpha * mean)))
    chance, curve = chance / chance.sum(axis=1, keepdims=True), np.zeros(len(LOG_RATE))
    for node, mass in zip(NODES, MASS, strict=True):
        total = depth * np.exp(MODEL.depth_spot * node)
        expected = (chance * np.log1p(1e4 * count / total)).sum(axis=1)
        curve += mass * np.interp(LOG_RATE + np.log(total), LOG_MEAN, expected)
    return curve
