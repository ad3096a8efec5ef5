"""Log rates and counts of synthetic sections; formulas in compendium.data.synthetic.model."""

from functools import cache

import numpy as np
from jaxtyping import Float64, Int32

from compendium.data.synthetic.genes import gene_table, layout_of, scales, unit
from compendium.data.synthetic.model import MODEL, PATIENTS, Place, find, rng


def counts(name: str) -> Int32[np.ndarray, "spot gene"]:
    """Return the UMI counts of a section, without drawing its image."""
    place = find(name)
    depth = depths(place, rng("spot depth", place))
    return draw_counts(np.exp(log_rate(place)), depth, rng("counts", place))


def visible(place: Place, common: bool = False) -> Float64[np.ndarray, "spot gene"]:
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
def log_rate(place: Place) -> Float64[np.ndarray, "spot gene"]:
    """Return the true log rates of a section, normalised."""
    return normalised(visible(place) + gene_table().tau * hidden(place, rng("hidden", place)))


def normalised(
    rate: Float64[np.ndarray, "spot gene"], tau: Float64[np.ndarray, "gene"] | float = 0.0
) -> Float64[np.ndarray, "spot gene"]:
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


def hidden(place: Place, stream: np.random.Generator) -> Float64[np.ndarray, "spot gene"]:
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


def depths(place: Place, stream: np.random.Generator) -> Float64[np.ndarray, "spot"]:
    """Draw the expected UMI total of each spot."""
    spread = np.exp(MODEL.depth_spot * stream.standard_normal(len(layout_of(place).grid)))
    return np.round(typical_depth(place) * spread, 3)


def draw_counts(
    rate: Float64[np.ndarray, "spot gene"],
    depth: Float64[np.ndarray, "spot"],
    stream: np.random.Generator,
) -> Int32[np.ndarray, "spot gene"]:
    """Draw negative binomial counts, as Poisson of gamma, with mean depth * rate."""
    alpha = gene_table().alpha
    mean = stream.standard_gamma(1 / alpha, rate.shape) * alpha * rate * depth[:, None]
    return stream.poisson(np.round(mean, 6)).astype(np.int32)
