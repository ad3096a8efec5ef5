"""Genes of the synthetic cohort, their log rates and counts; formulas in synthetic.model."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64, Int32
from numpy.random import Generator

from compendium.data.synthetic.model import MODEL, PATIENTS, SECTIONS, Place, find, rng
from compendium.data.synthetic.tissue import MORPHOLOGY, Layout, layout

PerGene = Float64[np.ndarray, "gene"]
Rates = Float64[np.ndarray, "spot gene"]
Weights = Float64[np.ndarray, "morphology gene"]


@dataclass(frozen=True)
class GeneTable:
    """Constants of each gene (see Model)."""

    share: PerGene
    """Share of the variance of the log rate that morphology explains; 0 if unlearnable."""

    base: PerGene
    """Mean log rate."""

    scale: PerGene
    """Standard deviation of the log rate within a section."""

    alpha: PerGene
    """Dispersion of the negative binomial."""

    weights: Weights
    """Weights of the morphology; the weighted sum has variance 1 within sections."""

    @property
    def tau(self) -> PerGene:
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


def unit(weights: Weights) -> Weights:
    """Scale weights so that the weighted morphology has variance 1 within sections."""
    return np.round(weights / np.sqrt(np.einsum("kg,kl,lg->g", weights, scales()[2], weights)), 6)


def counts(name: str) -> Int32[np.ndarray, "spot gene"]:
    """Return the UMI counts of a section, without drawing its image."""
    place = find(name)
    depth = depths(place, rng("spot depth", place))
    return draw_counts(np.exp(log_rate(place)), depth, rng("counts", place))


def visible(place: Place, common: bool = False) -> Rates:
    """Return the log rate without the hidden field, not normalised.

    Parameters
    ----------
    place
        Section.
    common
        Use the weights common to all patients instead of those of the patient and laboratory.
    """
    table = gene_table()
    weights, shift = table.weights, table.base
    for stream, slope, size in (
        ("patient", MODEL.patient_slope, MODEL.patient_shift),
        ("lab", MODEL.lab_slope, MODEL.lab_shift),
    ):
        own = rng(stream, place)
        weights = weights + (0 if common else slope) * unit(own.standard_normal(weights.shape))
        shift = shift + size * own.standard_normal(len(shift))
    mean, spread, _ = scales()
    morphology = (layout_of(place).morphology - mean) / spread
    slopes = np.einsum("sk,kg->sg", morphology, unit(weights))
    return np.round(shift + table.scale * np.sqrt(table.share) * slopes, 5)


@cache
def log_rate(place: Place) -> Rates:
    """Return the true log rates of a section, normalised."""
    return normalised(visible(place) + gene_table().tau * hidden(place, rng("hidden", place)))


def normalised(rate: Rates, tau: PerGene | float = 0.0) -> Rates:
    """Normalise log rates so that the rates of a spot sum to 1.

    Unlearnable genes and the others each sum to their share of the genes.

    Parameters
    ----------
    rate
        Log rates.
    tau
        Standard deviation of normal noise on them, over which the sum is averaged.
    """
    out, weight = np.empty_like(rate), np.exp(rate + np.square(tau) / 2)
    share = gene_table().share
    for group in (share == 0, share > 0):
        total = weight[:, group].sum(axis=1, keepdims=True) / group.mean()
        out[:, group] = rate[:, group] - np.log(total)
    return np.round(out, 5)


def hidden(place: Place, stream: Generator) -> Rates:
    """Draw standard normal spatial fields that no image shows."""
    mixing = _mixing(place)
    noise = stream.standard_normal((len(mixing), MODEL.genes))
    return np.round(np.einsum("ij,jg->ig", mixing, noise), 5)


@cache
def _mixing(place: Place) -> np.ndarray:
    """Return the matrix [spot spot] that turns independent normal numbers into hidden fields."""
    grid = layout_of(place).grid
    distance = np.hypot(*(grid[:, None] - grid[None]).transpose(2, 0, 1))
    covariance = sum(
        variance * np.exp(-((distance / reach) ** 2) / 2) for variance, reach in MODEL.hidden
    )
    rest = 1 - sum(variance for variance, _ in MODEL.hidden)
    return np.linalg.cholesky(covariance + rest * np.eye(len(grid)))


def typical_depth(place: Place) -> float:
    """Return the median UMI total of the spots of a section."""
    spread = MODEL.depth_section * rng("section depth", place).standard_normal()
    return round(MODEL.depth[PATIENTS.index(place.patient)] * np.exp(spread), 3)


def depths(place: Place, stream: Generator) -> Float64[np.ndarray, "spot"]:
    """Draw the expected UMI total of each spot."""
    spread = np.exp(MODEL.depth_spot * stream.standard_normal(len(layout_of(place).grid)))
    return np.round(typical_depth(place) * spread, 3)


def draw_counts(
    rate: Rates, depth: Float64[np.ndarray, "spot"], stream: Generator
) -> Int32[np.ndarray, "spot gene"]:
    """Draw negative binomial counts, as Poisson of gamma, with mean depth * rate."""
    alpha = gene_table().alpha
    mean = stream.standard_gamma(1 / alpha, rate.shape) * alpha * rate * depth[:, None]
    return stream.poisson(np.round(mean, 6)).astype(np.int32)
