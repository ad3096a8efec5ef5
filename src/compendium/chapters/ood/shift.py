"""Distance of sections to the training sections: colour, frozen features, genes per spot."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.spatial.distance import cdist, pdist
from scipy.stats import norm, wasserstein_distance

from compendium.data.panels import shared_genes
from compendium.data.partition import ROLES, Partition
from compendium.data.section import Section
from compendium.evaluation.describe import CHANNELS, channel_shares

MEASURES = {"colour": "colour", "features": "frozen features", "genes": "genes per spot"}
STEPS = 80
"""Number of steps of a density."""
DRAWN = 400
"""Largest number of spots of a group that the distance of features is taken over."""


def shares_by_role(sections: Sequence[Section], parts: Partition) -> pd.DataFrame:
    """Return `channel_shares` of the sections of a partition, training first, with their role."""
    roles = parts.roles
    by_name = {section.name: section for section in sections}
    shares = channel_shares([by_name[name] for name in roles])
    return shares.assign(role=shares["section"].map(roles))


def genes_per_spot(sections: Sequence[Section]) -> dict[str, Float[np.ndarray, "spot"]]:
    """Count the genes with a count in each spot, among those that all sections share."""
    shared = shared_genes(list(sections))
    return {
        section.name: np.asarray(
            (section.counts[:, np.isin(section.genes, shared)] > 0).sum(axis=1), dtype=float
        ).ravel()
        for section in sections
    }


def densities(genes: dict[str, Float[np.ndarray, "spot"]], roles: dict[str, str]) -> pd.DataFrame:
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
    tables = []
    for name, role in roles.items():
        curve = norm.pdf(grid[:, None], genes[name][None, :], width).mean(axis=1)
        tables.append(
            pd.DataFrame({"section": name, "role": role, "genes": grid, "density": curve})
        )
    return pd.concat(tables, ignore_index=True)


def distances(
    sections: Sequence[Section],
    parts: Partition,
    shares: pd.DataFrame,
    genes: dict[str, Float[np.ndarray, "spot"]],
    features: dict[str, Float[np.ndarray, "spot feature"]],
) -> pd.DataFrame:
    """Return the distance of each section to the training sections.

    A training section is compared with training sections of other patients, or with all others
    where there is one patient.

    Parameters
    ----------
    shares
        Table of `shares_by_role`.
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
    by_name, roles = {section.name: section for section in sections}, parts.roles
    features = _standardised(features, parts.training)
    bandwidth = float(
        np.median(pdist(_some(np.concatenate([features[name] for name in parts.training]))))
    )
    rows = []
    for name, role in roles.items():
        section, trained = by_name[name], [by_name[other] for other in parts.training]
        others = against(section, trained) if role == ROLES[0] else list(parts.training)
        far = dict.fromkeys((*CHANNELS, "colour", "features", "genes"), np.nan)
        if others:
            levels = [_levels(shares[shares["channel"] == c], name, others) for c in CHANNELS]
            theirs = np.concatenate([features[other] for other in others])
            depth = np.concatenate([genes[other] for other in others])
            far = dict(zip(CHANNELS, levels, strict=True)) | {
                "colour": float(np.mean(levels)),
                "features": mmd(_some(features[name]), _some(theirs), bandwidth),
                "genes": float(wasserstein_distance(genes[name], depth)),
            }
        facts = {"section": name, "patient": section.patient, "lab": section.lab, "role": role}
        rows.append(facts | far)
    return pd.DataFrame(rows)


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
    reference = rows.loc[rows["role"] == ROLES[0], list(MEASURES)].mean()
    long = rows[rows["role"] != ROLES[0]].melt(
        ["section", "role"], list(MEASURES), "measure", "distance"
    )
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


def _levels(shares: pd.DataFrame, name: str, others: Sequence[str]) -> float:
    """Return the distance of a section's histogram of a channel from the mean one of others."""
    own = shares[shares["section"] == name].set_index("level")["share"]
    theirs = (
        shares[shares["section"].isin(others)].groupby("level")["share"].mean().reindex(own.index)
    )
    return float(wasserstein_distance(own.index, own.index, own, theirs))


def _standardised(
    features: dict[str, np.ndarray], training: Sequence[str]
) -> dict[str, np.ndarray]:
    """Standardise features by the mean and standard deviation of the training spots."""
    trained = np.concatenate([features[name] for name in training])
    centre, spread = trained.mean(axis=0), trained.std(axis=0)
    return {
        name: (values - centre) / np.where(spread > 0, spread, 1)
        for name, values in features.items()
    }


def _some(values: Float[np.ndarray, "spot feature"]) -> Float[np.ndarray, "spot feature"]:
    """Return at most DRAWN rows, the same at every call."""
    if len(values) <= DRAWN:
        return values
    return values[np.sort(np.random.default_rng(0).choice(len(values), DRAWN, replace=False))]
