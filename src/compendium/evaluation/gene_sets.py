"""Predicted gene sets: the mean over the genes of a set, beside its single genes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from compendium.data.section import Section
from compendium.evaluation.correlation import PerSpot, partial_pcc, pcc
from compendium.evaluation.depth import log_depth
from compendium.evaluation.scores import scoring_target
from compendium.runs.inputs.prepare import used
from compendium.runs.run import Run
from compendium.runs.store import Record

COLUMNS = "method split section patient set genes pcc partial pcc_gene".split()


def by_set(
    runs: Sequence[Run],
    records: Sequence[Record],
    sections: Sequence[Section],
    sets: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Correlate the predicted mean of each gene set with the measured one.

    Parameters
    ----------
    runs, records
        Runs that were trained towards the scoring target, and their records.
    sections
        At least the sections that the runs use.
    sets
        Name -> genes; those that a run does not predict are left out, and sets of which it predicts
        fewer than two.

    Returns
    -------
    Columns: method, split, section, patient, set, genes (number), pcc and partial (of the mean over
    the genes, the latter given ln T), pcc_gene (median over the genes).
    """
    by_name = {section.name: section for section in sections}
    rows = []
    for run, record in zip(runs, records, strict=True):
        target = scoring_target(record.genes, used(run, sections))
        places = {
            name: np.flatnonzero(np.isin(record.genes, genes)) for name, genes in sets.items()
        }
        for name, predicted in record.predictions.items():
            section = by_name[name]
            spots = record.predicted_rows(section)
            measured, depth = target(section)[spots], log_depth(section, target.shared)[spots]
            for of_set, columns in places.items():
                if len(columns) > 1:
                    facts = (run.method, run.split.rule, name, section.patient, of_set)
                    of_genes = predicted[:, columns], measured[:, columns]
                    rows.append((*facts, len(columns), *_correlations(*of_genes, depth)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _correlations(
    predicted: PerSpot, measured: PerSpot, depth: Float[np.ndarray, "spot"]
) -> tuple[float, float, float]:
    """Return PCC and partial PCC of the means over genes, and the median PCC of the genes."""
    means = [side.mean(axis=1, keepdims=True, dtype=np.float64) for side in (predicted, measured)]
    single = pcc(predicted, measured)
    median = float(np.nanmedian(single)) if np.isfinite(single).any() else np.nan
    return float(pcc(*means)[0]), float(partial_pcc(*means, depth)[0]), median
