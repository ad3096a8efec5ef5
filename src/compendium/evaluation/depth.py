"""Depth of a spot, and what it alone would score on a section: an oracle, as it reads the RNA."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from compendium.data.section import Section
from compendium.data.targets.transforms import Target
from compendium.evaluation.correlation import pcc

LOWEST = 0.01
"""Share of the spots, the shallowest, without which the oracle is scored once more."""


def log_depth(section: Section, shared: list[str]) -> Float[np.ndarray, "spot"]:
    """Return ln T of each spot, T = max(UMI total over the shared genes, 1)."""
    return np.log(np.maximum(section.totals(shared).astype(np.float64), 1))


def depth_oracle(
    section: Section, train: Sequence[Section], targets: Mapping[str, Target]
) -> pd.DataFrame:
    """Score a test section as if its own depth were the prediction of every gene.

    The prediction is ln T of the test spot, with the sign of the slope of the target on ln T
    within the training sections.

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
        depth, measured = log_depth(section, target.shared), target(section)
        predicted = depth[:, None] * _slope_signs(train, target)
        kept = depth >= np.quantile(depth, LOWEST)
        table = {
            "section": section.name,
            "gene": target.genes,
            "target": name,
            "depth": pcc(predicted, measured),
            "depth_without_lowest": pcc(predicted[kept], measured[kept]),
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _slope_signs(train: Sequence[Section], target: Target) -> Float[np.ndarray, "gene"]:
    """Return the sign of the pooled slope of each gene on ln T, each section by its own mean."""
    slopes = np.zeros(len(target.genes))
    for section in train:
        depth = log_depth(section, target.shared)
        slopes += (depth - depth.mean()) @ target(section).astype(np.float64)
    return np.sign(slopes)
