"""How far sections lie from those that are trained on, in colour, in frozen features and in genes per spot, beside what training sections differ among themselves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.spatial.distance import cdist, pdist
from scipy.stats import norm, wasserstein_distance

from compendium.data.panels import shared_genes
from compendium.data.partition import ROLES, Partition
from compendium.data.section import Section
from compendium.evaluation.review import CHANNELS, channel_shares

MEASURES = {"colour": "colour", "features": "frozen features", "genes": "genes per spot"}
STEPS = 80  # of a density
DRAWN = 400  # spots of a section, or of all others together, that the distance of features is taken over


def shares_by_role(sections: Sequence[Section], parts: Partition) -> pd.DataFrame:
    """`review.channel_shares` of the sections of the partition, training first, with their role."""
    roles = parts.roles
    by_name = {section.name: section for section in sections}
    shares = channel_shares([by_name[name] for name in roles])
    return shares.assign(role=shares["section"].map(roles))


def genes_per_spot(sections: Sequence[Section]) -> dict[str, Float[np.ndarray, "spot"]]:
    """Section -> number of genes seen in each spot, among those that all the sections share: tables that name more genes would look deeper."""
    shared = shared_genes(list(sections))
    return {
        section.name: np.asarray(
            (section.counts[:, np.isin(section.genes, shared)] > 0).sum(axis=1), dtype=float
        ).ravel()
        for section in sections
    }


def densities(found: dict[str, Float[np.ndarray, "spot"]], roles: dict[str, str]) -> pd.DataFrame:
    """Density of genes per spot: [section, role, genes, density]. One Gaussian bandwidth for all sections, a fortieth of the range, so that curves compare."""
    top = max(values.max() for values in found.values())
    grid, width = np.linspace(0, top, STEPS + 1), max(top / 40, 0.5)
    tables = []
    for name, role in roles.items():
        curve = norm.pdf(grid[:, None], found[name][None, :], width).mean(axis=1)
        tables.append(
            pd.DataFrame({"section": name, "role": role, "genes": grid, "density": curve})
        )
    return pd.concat(tables, ignore_index=True)


def distances(
    sections: Sequence[Section],
    parts: Partition,
    shares: pd.DataFrame,
    found: dict[str, Float[np.ndarray, "spot"]],
    seen: dict[str, Float[np.ndarray, "spot feature"]],
) -> pd.DataFrame:
    """One row a section: [section, patient, lab, role, red, green, blue, colour, features, genes].

    Each is the distance to the training sections; of a training section to those of other patients, or to the others where all are of one patient.
    red, green, blue: Wasserstein distance of brightness in levels, colour their mean (shares: of shares_by_role). genes: the same of genes per spot (found: of
    genes_per_spot). features: squared maximum mean discrepancy of the frozen features `seen` of each section, 0 in the mean where two groups of spots are drawn alike.
    """
    by_name, roles = {section.name: section for section in sections}, parts.roles
    seen = _standardised(seen, parts.training)
    bandwidth = float(
        np.median(pdist(_some(np.concatenate([seen[name] for name in parts.training]))))
    )
    rows = []
    for name, role in roles.items():
        section, trained = by_name[name], [by_name[other] for other in parts.training]
        others = against(section, trained) if role == ROLES[0] else list(parts.training)
        levels = (
            {
                channel: _levels(shares[shares["channel"] == channel], name, others)
                for channel in CHANNELS
            }
            if others
            else dict.fromkeys(CHANNELS, np.nan)
        )
        row = {
            "section": name,
            "patient": section.patient,
            "lab": section.lab,
            "role": role,
            **levels,
            "colour": float(np.mean(list(levels.values()))),
        }
        far = {"features": np.nan, "genes": np.nan}
        if others:
            far["features"] = mmd(
                _some(seen[name]),
                _some(np.concatenate([seen[other] for other in others])),
                bandwidth,
            )
            far["genes"] = float(
                wasserstein_distance(
                    found[name], np.concatenate([found[other] for other in others])
                )
            )
        rows.append(row | far)
    return pd.DataFrame(rows)


def against(section: Section, training: Sequence[Section]) -> list[str]:
    """The training sections that a section is held against: of other patients; where these are none, all but itself."""
    apart = [other.name for other in training if other.patient != section.patient]
    return apart or [other.name for other in training if other.name != section.name]


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a validation or test section and measure: [section, role, measure, distance, reference, fold], fold = distance / reference.

    rows: those of `distances`; reference: mean over the training sections.
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
    """Squared maximum mean discrepancy under exp(-d^2 / (2 bandwidth^2)), unbiased (Gretton et al. 2012, eq. 3): it can fall below 0 where the groups are alike.

    NaN where a group is a single spot.
    """
    if min(len(x), len(y)) < 2:
        return np.nan
    inner = [
        (np.exp(-(cdist(z, z) ** 2) / (2 * bandwidth**2)).sum() - len(z)) / (len(z) * (len(z) - 1))
        for z in (x, y)
    ]
    return float(sum(inner) - 2 * np.exp(-(cdist(x, y) ** 2) / (2 * bandwidth**2)).mean())


def _levels(shares: pd.DataFrame, name: str, others: Sequence[str]) -> float:
    """Wasserstein distance between a section's histogram of one channel and the mean histogram of others."""
    own = shares[shares["section"] == name].set_index("level")["share"]
    theirs = (
        shares[shares["section"].isin(others)].groupby("level")["share"].mean().reindex(own.index)
    )
    return float(wasserstein_distance(own.index, own.index, own, theirs))


def _standardised(seen: dict[str, np.ndarray], training: Sequence[str]) -> dict[str, np.ndarray]:
    """Every feature on the mean and spread of the training spots."""
    trained = np.concatenate([seen[name] for name in training])
    centre, spread = trained.mean(axis=0), trained.std(axis=0)
    return {
        name: (values - centre) / np.where(spread > 0, spread, 1) for name, values in seen.items()
    }


def _some(values: Float[np.ndarray, "spot feature"]) -> Float[np.ndarray, "spot feature"]:
    """At most DRAWN rows, the same at every call."""
    return (
        values
        if len(values) <= DRAWN
        else values[np.sort(np.random.default_rng(0).choice(len(values), DRAWN, replace=False))]
    )


def told(rows: pd.DataFrame) -> str:
    """How far validation and test lie, mean over their sections, in each measure; rows of `relative`."""
    sentences = []
    for role, part in rows.groupby("role", sort=False):
        folds = part.groupby("measure", sort=False)["fold"].mean().dropna()
        ways = [f"{fold:.1f} in {MEASURES[measure]}" for measure, fold in folds.items()]
        sentences.append(
            f"{role} lies {', '.join(ways)}"
            if ways
            else f"{role} cannot be judged, since a single training section has no other to be held against"
        )
    return f"Distance to the training sections, in units of how far these lie from each other: {'; '.join(sentences)}."
