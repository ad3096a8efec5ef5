"""Test PCC of ridge over the whole grid of penalties, as description and never as choice."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.data.section import Section
from compendium.evaluation.correlation import pcc
from compendium.evaluation.scores import scoring_target
from compendium.methods.controls import RidgeConfig
from compendium.methods.ridge_path import PENALTIES, RidgePath, chosen_penalties, fold_of
from compendium.runs.inputs.batches import inputs
from compendium.runs.inputs.matching import TrainingSubset
from compendium.runs.inputs.prepare import prepare_inputs
from compendium.runs.run import Run


def penalty_curves(
    runs: Sequence[Run], sections: Sequence[Section], device: str = "cpu"
) -> pd.DataFrame:
    """Score ridge with every penalty of the grid on the test sections of some runs.

    Parameters
    ----------
    runs
        Runs of methods that are ridge regressions.
    sections
        Sections of their cohort.
    device
        Where features that are not cached are computed.

    Returns
    -------
    One row a run, test section, gene and penalty: method, split, section, patient, gene, penalty,
    pcc (on the scoring target; NaN for genes that do not vary in training or test), chosen (whether
    the fit takes this penalty; of the largest it predicts the mean instead).
    """
    return pd.concat([_curves(run, sections, device) for run in runs], ignore_index=True)


def _curves(run: Run, sections: Sequence[Section], device: str) -> pd.DataFrame:
    prepared = prepare_inputs(run, sections, device)
    train = prepared.training
    x, y = (
        np.concatenate([getattr(each, name) for each in train]).astype(np.float64)
        for name in ("image", "target")
    )
    number = np.repeat(np.arange(len(train)), [len(each) for each in train])
    by = dict(run.model).get("penalty_by", RidgeConfig.penalty_by)
    folds = fold_of(number, np.concatenate([each.grid for each in train]), by)
    path, chosen = RidgePath.of(x, y), chosen_penalties(x, y, folds)
    genes, varies = prepared.target.genes, np.ptp(y, axis=0) > 0
    wide = scoring_target(genes, sections)
    parts = []
    for section in prepared.test:
        image = inputs(run, TrainingSubset(section, section), None, device).image.astype(np.float64)
        measured = wide(section)
        curve = [pcc(predicted, measured) for predicted in path.predictions(image)]
        columns = {
            "method": run.method,
            "split": run.split.rule,
            "section": section.name,
            "patient": section.patient,
            "gene": np.tile(genes, len(PENALTIES)),
            "penalty": np.repeat(PENALTIES, len(genes)),
            "pcc": np.where(varies, curve, np.nan).ravel(),
            "chosen": (chosen == PENALTIES[:, None]).ravel(),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def over_genes(curves: pd.DataFrame, by: Sequence[str] = ("method", "split")) -> pd.DataFrame:
    """Average the curves over genes, then sections.

    Parameters
    ----------
    curves
        Table of `penalty_curves`.
    by
        Columns of the groups that are averaged within.

    Returns
    -------
    One row a group and penalty: pcc (mean), share (of the genes that take this penalty), reached
    (mean PCC of the genes with the penalty that each takes), missing (share of genes without one).
    """
    taken = curves[curves["chosen"]].copy()
    taken.loc[taken["penalty"] == PENALTIES[-1], "pcc"] = np.nan
    taken["missing"] = taken["pcc"].isna()
    within = [*by, "section"]
    reached = taken.groupby(within, sort=False)[["pcc", "missing"]].mean()
    reached = reached.groupby(list(by), sort=False).mean().rename(columns={"pcc": "reached"})
    means = curves.groupby([*within, "penalty"], sort=False)[["pcc", "chosen"]].mean()
    means = means.groupby([*by, "penalty"], sort=False).mean().rename(columns={"chosen": "share"})
    return means.reset_index().merge(reached.reset_index(), on=list(by))
