"""Harmony (Korsunsky et al. 2019): what tells training sections apart is taken out of their expression, BLEEP's remedy for batch effects."""

import numpy as np
from jaxtyping import Float32

from compendium.errors import BadInput

SPOTS_A_CLUSTER, CLUSTERS = 30, 100  # Harmony's own rule for the number of clusters


def harmonised(
    sections: list[Float32[np.ndarray, "_ gene"]],
) -> list[Float32[np.ndarray, "_ gene"]]:
    """Expression of several sections, corrected on the gene matrix itself as BLEEP does, not on principal components; spots and genes as they were.

    Harmony's defaults and its fixed seed; a correction may go below 0. BadInput where there is nothing to tell apart, or the extra is not installed.
    """
    if len(sections) < 2:
        raise BadInput(
            "target=harmony takes out what differs between training sections, and there is one; give two or more, or target=wide"
        )
    try:
        from harmonypy import run_harmony
    except ImportError as error:
        raise BadInput(
            "target=harmony needs harmonypy: pip install 'compendium[harmony]', or give target=wide"
        ) from error
    spots = [len(section) for section in sections]
    stacked = np.concatenate(sections).astype(np.float64)
    clusters = int(np.clip(round(len(stacked) / SPOTS_A_CLUSTER), 1, CLUSTERS))
    owner = {"section": np.repeat(np.arange(len(sections)), spots)}
    corrected = run_harmony(
        stacked.T, owner, ["section"], nclust=clusters, verbose=False, ncores=1
    ).Z_corr  # genes x spots, whichever are more
    return np.split(corrected.astype(np.float32), np.cumsum(spots)[:-1])
