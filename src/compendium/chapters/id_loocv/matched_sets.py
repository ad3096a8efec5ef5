"""Gap between section-out and patient-out, and what is left at equal spots and depth."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.chapters.id_loocv.design import SPLITS
from compendium.data.panels import shared_genes
from compendium.data.section import Section
from compendium.data.splits import MATCHED, Placed, folds
from compendium.evaluation.comparison import Fitted, steps
from compendium.evaluation.scores import summary
from compendium.runs.inputs.matching import median_total
from compendium.runs.inputs.prepare import measured, training_set, used
from compendium.runs.run import Run

COMPARED = (*SPLITS, *MATCHED)
SIZES = ["spots", "depth", "test depth", "steps"]


def four_columns(scores: pd.DataFrame, sections: Sequence[Placed]) -> pd.DataFrame:
    """Return the median PCC of every method, section, split and draw.

    Only genes that were scored under all splits of a method and section count. Where a patient has
    one section, patient-out is section-out: the fold is the same.

    Parameters
    ----------
    scores
        Scores of every seed under the splits of COMPARED.
    sections
        The sections of the design.

    Returns
    -------
    One row a method, section, split and draw: method, section, patient, split, seed (of the fit;
    the draw of matched training sets), genes, missing (genes without a correlation), median.
    """
    table = _patient_out_too(scores[scores["split"].isin(COMPARED)], sections)
    groups = table.groupby(["method", "section"], sort=False)
    parts = [in_every(part, part["split"].unique().tolist()) for _, part in groups]
    rows = summary(pd.concat([table[:0], *parts]), [*_KEY, "seed"])
    return rows.rename(columns={"values": "genes", "nan": "missing"})[
        [*_KEY, "seed", "genes", "missing", "median"]
    ]


_KEY = ["method", "section", "patient", "split"]


def paired(scores: pd.DataFrame, sections: Sequence[Placed]) -> pd.DataFrame:
    """Return the median PCC under each split over genes that have one under every split.

    The PCC of a gene is its mean over seeds or draws. A gene that is predicted by its mean has
    none, and splits with little to train on have more of these: medians over what remains of each
    would compare different genes.

    Parameters
    ----------
    scores, sections
        See `four_columns`.

    Returns
    -------
    One row a method, section and split: method, section, patient, split, genes, median.
    """
    table = _patient_out_too(scores[scores["split"].isin(COMPARED)], sections)
    lines = []
    for key, part in table.groupby(_KEY[:3], sort=False):
        wide = part.pivot_table(index="gene", columns="split", values="pcc", sort=False)
        genes = wide.reindex(columns=part["split"].unique()).dropna()
        lines += [(*key, split, len(genes), values.median()) for split, values in genes.items()]
    return pd.DataFrame(lines, columns=[*_KEY, "genes", "median"])


def spread(rows: pd.DataFrame) -> pd.DataFrame:
    """Reduce `four_columns` over draws.

    Returns
    -------
    One row a method, section and split: method, section, patient, split, draws, median (mean over
    draws), lowest, highest.
    """
    reduce = {"draws": "size", "median": "mean", "lowest": "min", "highest": "max"}
    return rows.groupby(_KEY, sort=False)["median"].agg(**reduce).reset_index()


def gaps(rows: pd.DataFrame, same_genes: pd.DataFrame) -> pd.DataFrame:
    """Compare the gap between the splits at equal spots and depth, patient by patient.

    Parameters
    ----------
    rows
        Table of `four_columns`.
    same_genes
        Table of `paired`.

    Returns
    -------
    One row a patient and method: patient, method, sections, genes (mean number that is compared);
    the mean over sections of the median PCC of the same genes under each split of COMPARED; gap =
    section-out − patient-out; matched_gap = matched-within − matched-between; spread (standard
    deviation over draws of the matched gap of each draw's own genes), draws. The gaps of a patient
    with one section are NaN: it has no other to train on.
    """
    by = ["patient", "method"]
    means = rows.groupby([*by, "split", "seed"], sort=False)["median"].mean().unstack("split")
    means = means.reindex(columns=list(COMPARED))
    apart = (means["matched-within"] - means["matched-between"]).groupby(by, sort=False)
    table = same_genes.groupby([*by, "split"], sort=False)["median"].mean().unstack("split")
    table = table.reindex(columns=list(COMPARED)).reindex(apart.groups)
    table.insert(0, "genes", same_genes.groupby(by, sort=False)["genes"].mean())
    siblings = table["matched-within"].notna()
    table["gap"] = (table["section-out"] - table["patient-out"]).where(siblings)
    table["matched_gap"], table["spread"] = apart.mean(), apart.std()
    table["draws"] = means["matched-between"].groupby(by, sort=False).count()
    sections = rows.groupby(by, sort=False)["section"].nunique()
    table.insert(0, "sections", sections)
    return table.reset_index().rename_axis(columns=None)


def training_sets(fits: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Describe what each split was trained and tested on; the first draw of each fold.

    Returns
    -------
    One row a method and split: method, split; medians over the sections that are tested of spots
    and depth (median UMI total over the shared genes of a training spot), of test depth (of a
    spot of the test section), and of steps (of the optimiser; 0 in closed form).
    """
    known: dict[tuple, tuple] = {}
    lines = []
    for key, run, record in fits.once:
        fold = run.split, run.seed, run.spots
        if fold not in known:
            known[fold] = _depths(run, sections)
        trained, tested = known[fold]
        spots, taken = record.facts["training_spots"], max(steps(record), default=0)
        lines += [
            (key, run.split.rule, name, spots, trained, tested[name], taken)
            for name in run.split.test
        ]
    table = pd.DataFrame(lines, columns=["method", "split", "section", *SIZES])
    table = _patient_out_too(table, sections)
    return table.groupby(["method", "split"], sort=False)[SIZES].median().reset_index()


def head(rows: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return `training_sets` with a column a split: sizes, then steps of each trained method."""
    sizes = rows.groupby("split", sort=False)[SIZES[:3]].median().T
    trained = rows[rows["steps"] > 0].pivot(index="method", columns="split", values="steps")
    trained = trained.rename(index=lambda name: f"steps, {titles[name]}")
    wide = pd.concat([sizes, trained]).reindex(columns=list(COMPARED))
    return wide.rename_axis(index="median over test sections", columns=None).reset_index()


def _depths(run: Run, sections: Sequence[Section]) -> tuple[float, dict[str, float]]:
    """Return the median total of a training spot, and of a spot of each test section."""
    shared = shared_genes(used(run, sections))
    totals = [each.section.totals(shared) for each in training_set(run, sections)[0]]
    tested = {each.name: median_total(each, shared) for each in measured(run, sections)}
    return float(np.median(np.concatenate(totals))), tested


def in_every(scores: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    """Keep the methods, sections and genes that were scored under every one of some splits.

    A panel that is chosen on training sections has other genes in every fold.
    """
    table = scores[scores["split"].isin(splits)]
    counts = table.groupby(["method", "section", "gene"], sort=False)["split"].transform("nunique")
    return table[counts == len(set(splits))]


def both_splits(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the median PCC of each method on the sections and genes that both splits scored.

    Returns
    -------
    By method: section-out, patient-out, change = patient-out − section-out.
    """
    medians = summary(in_every(scores, SPLITS), ["method", "split"])
    wide = medians.pivot(index="method", columns="split", values="median").reindex(columns=SPLITS)
    return wide.assign(change=wide["patient-out"] - wide["section-out"])


def _patient_out_too(table: pd.DataFrame, sections: Sequence[Placed]) -> pd.DataFrame:
    """Repeat under patient-out what section-out has of the folds that both rules make."""
    one, other = ({(fold.train, fold.test) for fold in folds(rule, sections)} for rule in SPLITS)
    same = [name for _, tested in one & other for name in tested]
    alone = table["split"].eq(SPLITS[0]) & table["section"].isin(same)
    return pd.concat([table, table[alone].assign(split=SPLITS[1])], ignore_index=True)
