"""Tables of the transform chapter: each fit scored on its own target and on a common one."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import levene

from compendium.chapters.transforms.design import REFERENCE, TRANSFORMS, method_title
from compendium.data.section import Section
from compendium.data.targets.transforms import counted
from compendium.evaluation.comparison import Design, Fitted, Job, Tables, criterion
from compendium.evaluation.correlation import pcc
from compendium.evaluation.paired import Comparison, differences
from compendium.evaluation.results import Results
from compendium.evaluation.scores import TITLES, by_panel, on_both_targets
from compendium.runs.inputs.prepare import training_set

OWN, COMMON = "own target", "common target"
PUBLISHED = ("raw", "log1p", "minmax")
"""Transforms that the benchmark compares with its log-normalised counts."""
LOGNORM = ("logcpm", "scprep")
"""Log-normalised counts as the text of the benchmark has them, and as its code has them."""
TEST = ["method", "scored_on", "section"]
ROW = ["row", "method", "transform", "scored_on"]


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score the fits and reduce them to the tables of the chapter.

    Returns
    -------
    boxes, medians (by section), panels (by part of the gene panel)
        Quartiles of PCC over genes and sections, by row and target that it is scored on.
    paired
        Mean difference to the row of the same method on `REFERENCE`, by section.
    depth, spread, equality, criterion, curves, cost
        See the functions of these names; the criterion is judged on the common target.
    """
    titles, fits = design.facts["titles"], groups["fits"]
    table, permuted = (scored(groups[name], sections) for name in ("fits", "permuted"))
    common, shuffled = (each[each["scored_on"] == COMMON] for each in (table, permuted))
    return {
        "boxes": on_both_targets(table, ROW),
        "medians": on_both_targets(table, [*ROW, "section", "patient"]),
        "panels": on_both_targets(by_panel(table), ["panel", *ROW]),
        "paired": paired(table, titles),
        "depth": depth(fits.jobs, sections),
        "spread": spread(table),
        "equality": equality(table),
        "criterion": criterion(common, shuffled, fits.jobs),
        "curves": fits.curves(),
        "cost": fits.cost(),
    }, {"genes": int(table["gene"].nunique())}


def scored(fits: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Score every fit twice, on the target of its own run and on the common one.

    Returns
    -------
    The columns of `Fitted.scores` with transform and scored_on; method is the method's own name.
    Given ln T and on Pearson residuals a fit is scored once, in the lines of the common target.
    """
    table = fits.scores(sections)
    if table.empty:
        return table.assign(scored_on="")
    parts = table["row"].str.partition(":")
    table = table.assign(method=parts[0], transform=parts[2], scored_on=COMMON)
    others = dict.fromkeys(set(TITLES) - {"pcc"}, np.nan)
    own = table.assign(scored_on=OWN, pcc=table["pcc_native"], **others)
    return pd.concat([own, table], ignore_index=True)


def comparisons(titles: Mapping[str, str]) -> list[Comparison]:
    """Compare each other transform of a method with `REFERENCE`.

    Parameters
    ----------
    titles
        Titles of the rows by METHOD:TARGET.
    """
    return [
        Comparison(f"{title} − {TRANSFORMS[REFERENCE]}", key, f"{method}:{REFERENCE}")
        for (key, title), method in ((each, each[0].partition(":")[0]) for each in titles.items())
        if key != f"{method}:{REFERENCE}"
    ]


def paired(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return `evaluation.paired.differences` of the comparisons, with scored_on."""
    compared = comparisons(titles)
    parts = [
        differences(part, compared).assign(scored_on=target)
        for target, part in table.groupby("scored_on", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def depth(jobs: Sequence[Job], sections: Sequence[Section]) -> pd.DataFrame:
    """Measure how much of each target is depth.

    Returns
    -------
    One row a transform and section: transform, section, pcc (of the target of a gene with
    ln(1 + UMI total of the spot), median over genes, mean over folds).
    """
    lines = []
    for run in {(run.target, run.split): run for _, run in jobs}.values():
        target = training_set(run, sections)[1]
        for section in (section for section in sections if section.name in run.split.test):
            values = target(counted(section, run.target))
            total = np.log1p(section.totals(target.shared))[:, None].repeat(values.shape[1], axis=1)
            lines.append((run.target, section.name, float(np.nanmedian(pcc(values, total)))))
    table = pd.DataFrame(lines, columns=["transform", "section", "pcc"])
    return table.groupby(["transform", "section"], sort=False)["pcc"].mean().reset_index()


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """Measure how far the scores of genes lie apart in a section.

    A section that several folds test counts once, with the mean of each gene over them. Genes
    without a PCC are left out.

    Returns
    -------
    One row a row, target and section: row, method, transform, scored_on, section, patient, genes,
    sd (standard deviation of PCC over genes), iqr (interquartile range).
    """
    by = [*ROW, "section", "patient"]
    genes = table.groupby([*by, "gene"], sort=False)["pcc"].mean().groupby(by, sort=False)
    quartiles = genes.quantile(0.75) - genes.quantile(0.25)
    return pd.DataFrame({"genes": genes.count(), "sd": genes.std(), "iqr": quartiles}).reset_index()


def spread_gaps(spread: pd.DataFrame) -> pd.DataFrame:
    """Subtract the spread under log-normalisation from the mean of the published transforms.

    Parameters
    ----------
    spread
        Table of `spread`.

    Returns
    -------
    One line a method, target, form and section: method, scored_on, patient, section, lognorm,
    difference (of standard deviations; above 0 the spread under log-normalisation is smaller).
    Missing where a transform was not fitted.
    """
    by = ["method", "scored_on", "patient", "section"]
    wide = spread.set_index([*by, "transform"])["sd"].unstack()
    wide = wide.reindex(columns=[*PUBLISHED, *LOGNORM])
    others = wide[list(PUBLISHED)].mean(axis=1, skipna=False)
    gaps = wide[list(LOGNORM)].rsub(others, axis=0)
    long = gaps.rename_axis(columns="lognorm").stack().dropna()
    return long.rename("difference").reset_index()


def equality(table: pd.DataFrame) -> pd.DataFrame:
    """Test whether all transforms of a method have equal variance over genes, by section.

    The test takes genes as independent, and groups too, although these hold the same genes: p
    describes and decides nothing. Genes that lack a PCC under a transform are left out; fewer
    than three leave no test.

    Returns
    -------
    One row a method, target and section: method, scored_on, section, genes, statistic, p,
    smallest (the transform of least standard deviation).

    References
    ----------
    Brown and Forsythe 1974 (absolute deviations from the median).
    """
    lines = []
    for key, part in table.groupby(TEST, sort=False):
        wide = part.pivot_table("pcc", "gene", "transform", sort=False, dropna=False).dropna()
        smallest, statistic, p = "", np.nan, np.nan
        if len(wide) > 2:
            smallest = wide.std().idxmin()
        if len(wide) > 2 and wide.shape[1] > 1:
            statistic, p = levene(*wide.to_numpy().T, center="median")
        lines.append((*key, len(wide), statistic, p, smallest))
    return pd.DataFrame(lines, columns=[*TEST, "genes", "statistic", "p", "smallest"])


def orders(boxes: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Compare the order of the transforms on their own targets and on the common one.

    Parameters
    ----------
    boxes
        Table `boxes`.

    Returns
    -------
    One row a method: method, highest on own target, highest on common target (titles of rows),
    Kendall τ (of the medians over the rows on both targets).
    """
    lines = []
    for _, part in boxes.groupby("method", sort=False):
        medians = part.pivot(index="row", columns="scored_on", values="median")
        highest = {f"highest on {on}": titles[medians[on].idxmax()] for on in (OWN, COMMON)}
        tau = medians[OWN].corr(medians[COMMON], method="kendall")
        method = titles[part["row"].iloc[0]].partition(",")[0]
        lines.append({"method": method} | highest | {"Kendall τ": tau})
    return pd.DataFrame(lines)


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Put titles in the place of names of methods and transforms in a table of the page."""
    methods = {name: method_title(name) for name in table["method"].unique()}
    titles = {"method": methods, "smallest": TRANSFORMS, "lognorm": TRANSFORMS}
    columns = {"scored_on": "scored on", "lognorm": "log-normalised"}
    return table.replace(titles).rename(columns=columns)


def summary_numbers(results: Results) -> dict[str, object]:
    """Return the numbers that the page names: sections, patients, genes, training patients."""
    medians = results["medians"]
    return {
        "tested": medians["section"].nunique(),
        "patients": medians["patient"].nunique(),
        "genes": results.facts["genes"],
        "trained": ", ".join(results.facts["trained"]),
    }
