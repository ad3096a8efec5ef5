"""Depth of a spot, and what it alone would score on a section.

The depth of a spot is read from its own RNA: an oracle, which is drawn as a line and never tested
against.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64, Num

from compendium.data.section import Section
from compendium.data.targets.transforms import Target
from compendium.evaluation.correlation import pcc

LINEAR = ("raw", "minmax", "pearson")
"""Transforms that are linear in the count; all others are logarithms of it."""


def log_depth(section: Section, shared: list[str]) -> Float64[np.ndarray, "spot"]:
    """Return ln T of each spot, T = max(UMI total over the shared genes, 1)."""
    return depth(section.totals(shared), "wide")


def depth(total: Num[np.ndarray, "spot"], transform: str) -> Float64[np.ndarray, "spot"]:
    """Return the depth of each spot as a target sees it: T, or ln T where it is logarithmic.

    Parameters
    ----------
    total
        UMI total over the shared genes; one below 1 counts as 1.
    transform
        Name of the target's transform.
    """
    total = np.maximum(total.astype(np.float64), 1)
    return total if transform in LINEAR else np.log(total)


def shared_with_depth(
    target: Float[np.ndarray, "spot gene"], depth: Float[np.ndarray, "spot"]
) -> Float64[np.ndarray, "gene"]:
    """Return the sum over a section's spots of centred expression times centred depth.

    Summed over sections it has the sign of the slope of expression on depth within sections.
    """
    return (depth - depth.mean()) @ (target - target.mean(axis=0, dtype=np.float64))


def from_depth(
    depth: Float[np.ndarray, "spot"], training: Sequence[Float[np.ndarray, "gene"]]
) -> Float64[np.ndarray, "spot gene"]:
    """Predict each gene by the depth of the spot, with the sign of its slope in training.

    Parameters
    ----------
    depth
        Depth of the spots to predict.
    training
        `shared_with_depth` of each training section.
    """
    return np.outer(depth, np.sign(np.sum(training, axis=0)))


def lowest_left_out(
    total: Num[np.ndarray, "spot"], share: float = 0.01
) -> Bool[np.ndarray, "spot"]:
    """Return which spots remain without the given share of lowest total, at least one spot."""
    remain = np.ones(len(total), dtype=bool)
    remain[np.argsort(total, kind="stable")[: max(1, round(share * len(total)))]] = False
    return remain


def depth_oracle(
    section: Section, train: Sequence[Section], targets: Mapping[str, Target]
) -> pd.DataFrame:
    """Score a test section as if its own depth were the prediction of every gene.

    Parameters
    ----------
    section
        Test section.
    train
        Training sections, from which the sign of each gene is taken.
    targets
        Scoring targets by name, fitted and over the same genes.

    Returns
    -------
    One row a target and gene: section, gene, target, depth (PCC over all spots),
    depth_without_lowest (without the 1 % of spots of least depth). NaN where the target, or the
    depth, is constant.
    """
    tables = []
    for name, target in targets.items():
        total, measured = section.totals(target.shared), target(section)
        shared = [shared_with_depth(target(each), _seen(each, target)) for each in train]
        predicted, kept = from_depth(_seen(section, target), shared), lowest_left_out(total)
        table = {
            "section": section.name,
            "gene": target.genes,
            "target": name,
            "depth": pcc(predicted, measured),
            "depth_without_lowest": pcc(predicted[kept], measured[kept]),
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _seen(section: Section, target: Target) -> Float64[np.ndarray, "spot"]:
    return depth(section.totals(target.shared), target.transform)
