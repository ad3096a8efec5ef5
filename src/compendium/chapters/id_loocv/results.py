"""Tables of chapter 2."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.chapters.id_loocv.attainable import reached
from compendium.chapters.id_loocv.design import SPLITS
from compendium.chapters.id_loocv.matched_sets import four_columns, training_sets
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
        scores (means over seeds), seeds (median PCC of each), criterion (of a result), permuted
        (median PCC of the permuted-image controls by split), matched and training_sets (see
        `four_columns` and `training_sets` of matched_sets), tissue and curves (first seed), cost,
        attainable (synthetic cohorts only), within (PCC within tissue classes).
    Facts
        depth (median UMI total of each section), gene (of the tissue map).
    """
    fits, permuted = groups["fits"], groups["permuted"].scores(sections)
    every = fits.scores(sections)
    scores = over_seeds(every)
    first = scores[scores["split"] == SPLITS[0]]
    jobs = [job for job in fits.jobs if job[1].split.rule == SPLITS[0]]
    tissue, gene = _tissue(design, fits.once, sections)
    found = {
        "scores": scores[list(KEPT)],
        "criterion": criterion(first, permuted[permuted["split"] == SPLITS[0]], jobs),
        "permuted": permuted.groupby(["row", "split"], sort=False)["pcc"].median().reset_index(),
        **_matched(groups, every, sections),
        "tissue": tissue,
        "curves": fits.once.curves(),
        "cost": fits.cost(("row", "split")),
        "attainable": _attainable(design.cohort, first),
        "seeds": by_seed(every),
        "within": within_class([run for _, run in fits.jobs], fits.records, sections),
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
    groups: Mapping[str, Fitted], scores: pd.DataFrame, sections: Sequence[Section]
) -> dict[str, pd.DataFrame]:
    """Return the tables of the methods with matched training sets; empty where none has any."""
    drawn = groups["matched"]
    names = {key for key, _ in drawn.jobs}
    compared = groups["fits"].of(names)
    every = Fitted([*compared.jobs, *drawn.jobs], [*compared.records, *drawn.records])
    both = scores[scores["method"].isin(names)]
    if names:
        both = largest_part(pd.concat([both, drawn.scores(sections)]))
    return {
        "matched": four_columns(both, sections),
        "training_sets": training_sets(every, sections),
    }


def largest_part(scores: pd.DataFrame) -> pd.DataFrame:
    """Keep the scores of the part of the panel that has the most genes, a section left out."""
    first = scores[scores["split"] == SPLITS[0]].drop_duplicates(["gene", "panels"])
    largest = by_panel(first).groupby("panel", sort=False)["gene"].nunique().idxmax()
    known = scores["panels"].unique()
    return scores[scores["panels"].isin([each for each in known if largest in each.split("+")])]


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
