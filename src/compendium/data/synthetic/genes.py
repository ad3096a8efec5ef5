"""Genes of the synthetic cohort: how much of each the image explains, and by which morphology."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64

from compendium.data.synthetic.model import MODEL, SECTIONS, Place, rng
from compendium.data.synthetic.tissue import MORPHOLOGY, Layout, layout


@dataclass(frozen=True)
class GeneTable:
    """Constants of each gene (see Model)."""

    share: Float64[np.ndarray, "gene"]
    """Share of the variance of the log rate that morphology explains; 0 if unlearnable."""

    base: Float64[np.ndarray, "gene"]
    """Mean log rate."""

    scale: Float64[np.ndarray, "gene"]
    """Standard deviation of the log rate within a section."""

    alpha: Float64[np.ndarray, "gene"]
    """Dispersion of the negative binomial."""

    weights: Float64[np.ndarray, "morphology gene"]
    """Weights of the morphology; the weighted sum has variance 1 within sections."""

    @property
    def tau(self) -> Float64[np.ndarray, "gene"]:
        """Standard deviation of the log rate that the image cannot explain."""
        return self.scale * np.sqrt(1 - self.share)


@cache
def gene_table() -> GeneTable:
    """Draw the genes; each learnable gene has one leading kind of morphology, all in turn."""
    stream, count = rng("genes"), MODEL.genes
    learnable = np.sort(stream.permutation(count)[int(MODEL.unlearnable * count) :])
    share = np.zeros(count)
    share[learnable] = stream.permutation(np.linspace(*MODEL.share, len(learnable)))
    weights = MODEL.blend * stream.standard_normal((len(MORPHOLOGY), count))
    leading = np.resize(np.repeat(np.arange(len(MORPHOLOGY)), MODEL.leads), len(learnable))
    weights[leading, learnable] += stream.choice([-1, 1], len(learnable))
    return GeneTable(
        share,
        base=stream.normal(0, MODEL.base, count),
        scale=stream.uniform(*MODEL.scale, count),
        alpha=stream.choice(MODEL.dispersions, count),
        weights=unit(weights),
    )


@cache
def layout_of(place: Place) -> Layout:
    """Draw the tissue of a section, with 90 to 114 spots."""
    section = rng("section tissue", place)
    return layout(rng("patient tissue", place), section, spots=int(section.integers(90, 115)))


@cache
def scales() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the scale of each kind of morphology over the cohort.

    Returns
    -------
    Mean over the cohort, standard deviation within sections, and correlations within sections.
    """
    results = [layout_of(place).morphology for place in SECTIONS]
    centred = np.concatenate([morphology - morphology.mean(axis=0) for morphology in results])
    covariance = np.einsum("sk,sl->kl", centred, centred) / len(centred)
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread)
    mean = np.concatenate(results).mean(axis=0)
    return np.round(mean, 6), np.round(spread, 6), np.round(correlation, 6)


def unit(
    weights: Float64[np.ndarray, "morphology gene"],
) -> Float64[np.ndarray, "morphology gene"]:
    """Scale weights so that the weighted morphology has variance 1 within sections."""
    return np.round(weights / np.sqrt(np.einsum("kg,kl,lg->g", weights, scales()[2], weights)), 6)
