"""Tables of chapter 2."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.chapters.id_loocv.attainable import reached
from compendium.chapters.id_loocv.design import SPLITS
from compendium.chapters.id_loocv.matched_sets import matched_gaps
from compendium.data.section import Section
from compendium.data.sources import cohort as catalogued
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Design, Fitted, Tables, by_seed, criterion, over_seeds
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, scoring_target, summary
from compendium.evaluation.within_class import within_class

KEPT = tuple("method split section patient gene panels spots pcc rmse".split())
"""Columns of the scores that are kept."""


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score the fits and reduce them to the tables of the chapter.

    Returns
    -------
    Tables
        scores (means over seeds), seeds (median PCC of each), criterion (of a result), matched
        (see `matched_gaps`), tissue (means over seeds), curves (first seed), cost, attainable
        (synthetic cohorts only), within (PCC within tissue classes, of means over seeds).
    Facts
        depth (median UMI total of each section), gene (of the tissue map).
    """
    order, permuted = design.facts["order"], groups["permuted"].scores(sections)
    fits, every = groups["fits"].of(order), groups["fits"].scores(sections)
    means = over_seeds(every)
    scores = means[means["method"].isin(order)]
    first = scores[scores["split"] == SPLITS[0]]
    jobs = [job for job in fits.jobs if job[1].split.rule == SPLITS[0]]
    averaged = fits.averaged
    tissue, gene = _tissue(design, averaged, sections)
    found = {
        "scores": scores[list(KEPT)],
        "criterion": criterion(first, permuted, jobs),
        "matched": _matched(design, means, groups["matched"], sections),
        "tissue": tissue,
        "curves": fits.once.curves(),
        "cost": fits.cost(("row", "split")),
        "attainable": _attainable(design.cohort, first),
        "seeds": by_seed(every[every["method"].isin(order)]),
        "within": within_class([run for _, run in averaged.jobs], averaged.records, sections),
    }
    depth = {s.name: float(np.median(np.asarray(s.counts.sum(axis=1)))) for s in sections}
    return found, {"depth": depth, "gene": gene}


def titles(results: Results) -> dict[str, str]:
    """Return the titles of the methods that are compared, in order, see `comparison.titles`."""
    every = comparison.titles(results)
    return {name: every[name] for name in results.facts["order"]}


def titled(wide: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return a table [method, ...] in the order of the titles, with the title of each method."""
    names = [name for name in titles if name in wide.index]
    return wide.loc[names].rename(index=titles).reset_index()


def quartiles(scores: pd.DataFrame, by: Sequence[str], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return `compendium.evaluation.scores.summary` with the title of each method."""
    table = summary(scores, by)
    return table.assign(title=table["method"].map(titles))


def side_by_side(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare splits on the sections that were tested under every split.

    Parameters
    ----------
    scores
        Table `scores` of the chapter.

    Returns
    -------
    One row a part of the panel, split and method: panel, split, method, median (PCC over genes and
    sections), sections (list of the names compared).
    """
    splits = scores.groupby("section")["split"].nunique()
    names = sorted(splits.index[splits == scores["split"].nunique()])
    compared = by_panel(scores[scores["section"].isin(names)])
    rows = summary(compared, ["panel", "split", "method"])
    return rows[["panel", "split", "method", "median"]].assign(sections=[names] * len(rows))


def _matched(
    design: Design, scores: pd.DataFrame, matched: Fitted, sections: Sequence[Section]
) -> pd.DataFrame:
    both = pd.concat([scores, matched.scores(sections)]) if matched.jobs else scores[:0]
    return matched_gaps(both[both["method"].isin(design.facts["matched"])])


def _tissue(design: Design, fits: Fitted, sections: Sequence[Section]) -> tuple[pd.DataFrame, str]:
    """Return spot, x, y, measured and a column a method, of the section left out; and the gene."""
    (where,) = (section for section in sections if section.name == design.facts["section"])
    records = {
        key: record
        for (key, run), record in zip(fits.jobs, fits.records, strict=True)
        if run.split.rule == SPLITS[0] and run.split.test == (where.name,) and key != "mean"
    }
    genes = [record.genes for record in records.values()]
    common = [name for name in genes[0] if all(name in others for others in genes)]
    gene = design.facts["gene"] or common[0]
    if gene not in common:
        raise BadInput(
            f"gene {gene} is not in the panel of section {where.name}; "
            f"choose one of it, e.g. {common[0]}"
        )
    table = pd.DataFrame(where.pixels, columns=["x", "y"])
    table.insert(0, "spot", where.spots)
    table["measured"] = scoring_target([gene], sections)(where)[:, 0]
    for key, record in records.items():
        table[key] = record.by_spot(where)[:, record.genes.index(gene)]
    return table, gene


def _attainable(cohort: str, scores: pd.DataFrame) -> pd.DataFrame:
    """Return `reached` where the cohort is drawn from a model, else an empty table."""
    if not catalogued(cohort).generator:
        return pd.DataFrame(columns=["method", "gene", "pcc", "image_attainable"])
    from compendium.data.synthetic import truth, truth_by_section

    return reached(scores, truth_by_section().merge(truth()[["gene", "learnable"]], on="gene"))
