"""Tables of chapter 2."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.chapters.id_loocv import bleep_genes, published_rows
from compendium.chapters.id_loocv.attainable import reached
from compendium.chapters.id_loocv.design import SPLITS
from compendium.chapters.id_loocv.matched_sets import four_columns, paired, training_sets
from compendium.data.panels import gene_sets
from compendium.data.section import Section
from compendium.data.sources import cohort as catalogued
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Design, Fitted, Tables, by_seed, criterion, over_seeds
from compendium.evaluation.depth import depth_oracle
from compendium.evaluation.gene_sets import by_set
from compendium.evaluation.penalty_curves import over_genes, penalty_curves
from compendium.evaluation.results import Results
from compendium.evaluation.scores import (
    TITLES,
    by_panel,
    on_both_targets,
    scoring_target,
    scoring_targets,
)
from compendium.evaluation.within_class import within_class
from compendium.runs.inputs.prepare import used

KEPT = (*"method split section patient gene panels spots".split(), *TITLES, "rmse")
"""Columns of the scores that are kept."""


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score the fits and reduce them to the tables of the chapter.

    Returns
    -------
    Tables
        scores (means over seeds), depth (see `depth_medians`), seeds (median PCC of each),
        criterion (section left out), permuted (median PCC of the permuted-image controls by split),
        penalties (see `compendium.evaluation.penalty_curves.over_genes`), matched, paired and
        training_sets (see `four_columns`, `paired` and `training_sets` of matched_sets), tissue
        (mean over seeds), curves (first seed), cost, attainable (synthetic cohorts only), within
        (PCC within tissue classes, of means over seeds), gene_sets (of the same, see
        `compendium.evaluation.gene_sets.by_set`), published and enlarged (see the `table` of
        published_rows and of bleep_genes).
    Facts
        depth (median UMI total of each section), gene (of the tissue map).
    """
    fits, permuted = groups["fits"], groups["permuted"].scores(sections)
    every = fits.scores(sections)
    scores = over_seeds(every)
    first, each_seed, control = (
        table[table["split"] == SPLITS[0]] for table in (scores, every, permuted)
    )
    jobs = [job for job in fits.jobs if job[1].split.rule == SPLITS[0]]
    averaged = fits.averaged
    runs = [run for _, run in averaged.jobs]
    tissue, gene = _tissue(design, averaged, sections)
    found = {
        "scores": scores[list(KEPT)],
        "depth": depth_medians(fits.once, sections, scores),
        "criterion": criterion(each_seed, control, jobs),
        "permuted": permuted.groupby(["row", "split"], sort=False)["pcc"].median().reset_index(),
        "penalties": _penalties(fits.once, sections),
        **_matched(groups, every, sections),
        "tissue": tissue,
        "curves": fits.once.curves(),
        "cost": fits.cost(("row", "split")),
        "attainable": _attainable(design.cohort, first),
        "seeds": by_seed(every),
        "within": within_class(runs, averaged.records, sections),
        "gene_sets": by_set(runs, averaged.records, sections, gene_sets()),
        "published": published_rows.table(groups, sections),
        "enlarged": bleep_genes.table(fits.of({bleep_genes.METHOD}), groups["enlarged"], sections),
    }
    depth = {s.name: float(np.median(np.asarray(s.counts.sum(axis=1)))) for s in sections}
    return found, {"depth": depth, "gene": gene}


def _penalties(fits: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Return what the choice of a penalty is worth, of the ridge regressions on true images."""
    runs = [run for _, run, _ in fits if "penalty_by" in dict(run.model) and not run.permute]
    return over_genes(penalty_curves(runs, sections)) if runs else pd.DataFrame()


def depth_medians(fits: Fitted, sections: Sequence[Section], scores: pd.DataFrame) -> pd.DataFrame:
    """Score the depth of the test spots as if it were a prediction, see `depth_oracle`.

    Parameters
    ----------
    fits
        Fits of one seed.
    sections
        The sections.
    scores
        Scores of the fits, for the part of the panel that a gene is of.

    Returns
    -------
    One row a split, part of the panel, target and test section: split, panel, target, section,
    patient, genes, and the medians over genes of depth and depth_without_lowest.
    """
    by_name, tables = {section.name: section for section in sections}, []
    for run, record in {run.split: (run, record) for _, run, record in fits}.values():
        train = [by_name[name] for name in run.split.train]
        targets = scoring_targets(record.genes, train, used(run, sections))
        own = [depth_oracle(by_name[name], train, targets) for name in run.split.test]
        tables.append(pd.concat(own).assign(split=run.split.rule))
    place = ["split", "section", "gene"]
    panels = scores[[*place, "patient", "panels"]].drop_duplicates(place)
    lines = by_panel(pd.concat(tables).merge(panels, on=place))
    groups = lines.groupby(["split", "panel", "target", "section", "patient"], sort=False)
    medians = groups[["depth", "depth_without_lowest"]].median()
    return medians.assign(genes=groups.size()).reset_index()


def titles(results: Results) -> dict[str, str]:
    """Return the titles of the methods that are compared, in order, see `comparison.titles`."""
    every = comparison.titles(results)
    return {name: every[name] for name in results.facts["order"]}


def titled(wide: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return a table [method, ...] in the order of the titles, with the title of each method."""
    names = [name for name in titles if name in wide.index]
    return wide.loc[names].rename(index=titles).reset_index()


def first_filled(name: str, *sources: tuple[Results, str]) -> tuple[pd.DataFrame, str]:
    """Return the first table of a name that has rows, and the provenance line of its source.

    Parameters
    ----------
    name
        Name of the table; an earlier version may have made none.
    sources
        Results and their provenance lines. Where none has rows an empty table is returned.
    """
    for results, line in sources:
        if len(table := results.tables.get(name, ())):
            return table, line
    return pd.DataFrame(), ""


def quartiles(scores: pd.DataFrame, by: Sequence[str], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return `compendium.evaluation.scores.on_both_targets` with the title of each method."""
    table = on_both_targets(scores, by)
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
    sections), partial, pcc_pearson, partial_pearson (medians too), sections (list of the names
    compared).
    """
    splits = scores.groupby("section")["split"].nunique()
    names = sorted(splits.index[splits == scores["split"].nunique()])
    compared = by_panel(scores[scores["section"].isin(names)])
    rows = on_both_targets(compared, ["panel", "split", "method"])
    held = [name for name in ("median", *TITLES) if name in rows]
    return rows[["panel", "split", "method", *held]].assign(sections=[names] * len(rows))


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
        "paired": paired(both, sections),
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
