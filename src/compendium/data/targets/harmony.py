"""Harmony (Korsunsky et al. 2019): correction of expression for batch effects, as in BLEEP."""

import numpy as np
from jaxtyping import Float32

from compendium.errors import BadInput

SPOTS_A_CLUSTER, CLUSTERS = 30, 100  # Harmony's own rule for the number of clusters


def harmonised(
    sections: list[Float32[np.ndarray, "_ gene"]],
) -> list[Float32[np.ndarray, "_ gene"]]:
    """Correct the expression of several sections for the differences between them.

    On the gene matrix itself as BLEEP does, not on principal components; with Harmony's defaults
    and its fixed seed. A correction may go below 0.

    Raises
    ------
    BadInput
        Where there is one section, or harmonypy is not installed.
    """
    if len(sections) < 2:
        wrong = "target=harmony takes out what differs between training sections, and there is one"
        raise BadInput(f"{wrong}; give two or more, or target=wide")
    try:
        from harmonypy import run_harmony
    except ImportError as error:
        mend = "pip install 'compendium[harmony]', or give target=wide"
        raise BadInput(f"target=harmony needs harmonypy: {mend}") from error
    spots = [len(section) for section in sections]
    stacked = np.concatenate(sections).astype(np.float64)
    clusters = int(np.clip(round(len(stacked) / SPOTS_A_CLUSTER), 1, CLUSTERS))
    owner = {"section": np.repeat(np.arange(len(sections)), spots)}
    options = {"nclust": clusters, "verbose": False, "ncores": 1}
    corrected = run_harmony(stacked.T, owner, ["section"], **options).Z_corr  # genes x spots
    return np.split(corrected.astype(np.float32), np.cumsum(spots)[:-1])
