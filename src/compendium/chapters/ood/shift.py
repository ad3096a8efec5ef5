"""Distance of sections to the training sections: colour, frozen features, genes per spot."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.spatial.distance import cdist, pdist
from scipy.stats import norm, wasserstein_distance

from compendium.data.panels import shared_genes
from compendium.data.partition import TRAINING
from compendium.data.section import Section
from compendium.evaluation.describe import CHANNELS

MEASURES = {"colour": "colour", "features": "frozen features", "genes": "genes per spot"}
STEPS = 80
"""Number of steps of a density."""
PerSpot = dict[str, Float[np.ndarray, "spot"]]
"""Section -> a number of each spot."""
DRAWN = 400
"""Largest number of spots of a group that the distance of features is taken over."""


def genes_per_spot(sections: Sequence[Section]) -> PerSpot:
    """Count the genes with a count in each spot, among those that all sections share."""
    shared, found = shared_genes(list(sections)), {}
    for section in sections:
        seen = (section.counts[:, np.isin(section.genes, shared)] > 0).sum(axis=1)
        found[section.name] = np.asarray(seen, dtype=float).ravel()
    return found


def densities(genes: PerSpot, roles: Mapping[str, str]) -> pd.DataFrame:
    """Estimate the density of genes per spot by a Gaussian kernel, one bandwidth for all sections.

    Parameters
    ----------
    genes
        Section -> genes per spot, see `genes_per_spot`.
    roles
        Section -> role.

    Returns
    -------
    Columns: section, role, genes, density. The bandwidth is a fortieth of the range.
    """
    top = max(values.max() for values in genes.values())
    grid, width = np.linspace(0, top, STEPS + 1), max(top / 40, 0.5)
    spots = {name: norm.pdf(grid[:, None], genes[name], width) for name in roles}
    curves = pd.DataFrame({name: each.mean(axis=1) for name, each in spots.items()})
    table = curves.assign(genes=grid).melt("genes", var_name="section", value_name="density")
    table["role"] = table["section"].map(roles)
    return table[["section", "role", "genes", "density"]]


def distances(
    sections: Sequence[Section],
    roles: Mapping[str, str],
    shares: pd.DataFrame,
    genes: PerSpot,
    features: dict[str, Float[np.ndarray, "spot feature"]],
) -> pd.DataFrame:
    """Return the distance of each section to the training sections.

    A training section is compared with training sections of other patients, or with all others
    where there is one patient.

    Parameters
    ----------
    roles
        Section -> role.
    shares
        Table of `channel_shares`.
    genes
        Genes per spot, see `genes_per_spot`.
    features
        Frozen features of each section.

    Returns
    -------
    One row a section: section, patient, lab, role; red, green, blue (Wasserstein distance of
    brightness, levels of 255), colour (their mean), features (squared maximum mean discrepancy),
    genes (Wasserstein distance of genes per spot).
    """
    trained = [section for section in sections if roles[section.name] == TRAINING]
    names = [section.name for section in trained]
    features = _standardised(features, names)
    spots = np.concatenate([features[name] for name in names])
    bandwidth = float(np.median(pdist(_some(spots))))
    histograms = shares.pivot(index=["channel", "level"], columns="section", values="share")
    rows = []
    for section in sections:
        name, role = section.name, roles[section.name]
        row = {"section": name, "patient": section.patient, "lab": section.lab, "role": role}
        if others := against(section, trained) if role == TRAINING else names:
            levels = [_levels(histograms.loc[channel], name, others) for channel in CHANNELS]
            theirs = np.concatenate([features[other] for other in others])
            depth = np.concatenate([genes[other] for other in others])
            row |= dict(zip(CHANNELS, levels, strict=True)) | {
                "colour": float(np.mean(levels)),
                "features": mmd(_some(features[name]), _some(theirs), bandwidth),
                "genes": float(wasserstein_distance(genes[name], depth)),
            }
        rows.append(row)
    columns = ["section", "patient", "lab", "role", *CHANNELS, *MEASURES]
    return pd.DataFrame(rows, columns=columns)


def against(section: Section, training: Sequence[Section]) -> list[str]:
    """Return the training sections of other patients; without any, all but the section itself."""
    apart = [other.name for other in training if other.patient != section.patient]
    return apart or [other.name for other in training if other.name != section.name]


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Divide distances by the mean distance among the training sections.

    Parameters
    ----------
    rows
        Table of `distances`.

    Returns
    -------
    One row a validation or test section and measure: section, role, measure, distance, reference,
    fold = distance / reference.
    """
    training = rows["role"] == TRAINING
    reference = rows.loc[training, list(MEASURES)].mean()
    long = rows[~training].melt(["section", "role"], list(MEASURES), "measure", "distance")
    long["reference"] = long["measure"].map(reference)
    return long.assign(fold=long["distance"] / long["reference"].where(long["reference"] > 0))


def mmd(
    x: Float[np.ndarray, "spot feature"], y: Float[np.ndarray, "other feature"], bandwidth: float
) -> float:
    """Return the unbiased squared maximum mean discrepancy of two groups of spots.

    The kernel is exp(−d² / (2 bandwidth²)). The estimate can be below 0 where the groups are
    alike; it is NaN where a group is a single spot.

    References
    ----------
    Gretton et al., Journal of Machine Learning Research 2012, Eq. 3.
    """
    if min(len(x), len(y)) < 2:
        return np.nan
    inner = [
        (np.exp(-(cdist(z, z) ** 2) / (2 * bandwidth**2)).sum() - len(z)) / (len(z) * (len(z) - 1))
        for z in (x, y)
    ]
    return float(sum(inner) - 2 * np.exp(-(cdist(x, y) ** 2) / (2 * bandwidth**2)).mean())


def _levels(histograms: pd.DataFrame, name: str, others: Sequence[str]) -> float:
    """Return the distance of a section's histogram [level, section] from the mean one of others."""
    levels, theirs = histograms.index, histograms[list(others)].mean(axis=1)
    return float(wasserstein_distance(levels, levels, histograms[name], theirs))


def _standardised(
    features: dict[str, np.ndarray], training: Sequence[str]
) -> dict[str, np.ndarray]:
    """Standardise features by the mean and standard deviation of the training spots."""
    trained = np.concatenate([features[name] for name in training])
    centre, spread = trained.mean(axis=0), trained.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    return {name: (values - centre) / scale for name, values in features.items()}


def _some(values: Float[np.ndarray, "spot feature"]) -> Float[np.ndarray, "spot feature"]:
    """Return at most DRAWN rows, the same at every call."""
    if len(values) <= DRAWN:
        return values
    return values[np.sort(np.random.default_rng(0).choice(len(values), DRAWN, replace=False))]
