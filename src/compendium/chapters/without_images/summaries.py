"""What the page shows of the chapter's tables: by patient, over sections, comparisons, genes."""

from collections.abc import Sequence

import pandas as pd

from compendium.evaluation import published

SHOWN = ("authors", "copy", "positions", "positions_aligned", "positions_indices")
ORACLE = ("depth", "depth_aligned", "depth_deeper")
DESCRIBED = ("copy", "positions", "positions_aligned", "positions_indices")


def by_patient(sections: pd.DataFrame, values: Sequence[str]) -> pd.DataFrame:
    """Return means over a patient's sections.

    Parameters
    ----------
    sections
        Table `sections` of the chapter.
    values
        Columns to average.

    Returns
    -------
    One row a method and patient: method, target, patient, sections, and `values`.
    """
    groups = sections.groupby(["method", "target", "patient"], sort=False)
    means = groups[list(values)].mean()
    means.insert(0, "sections", groups.size())
    return means.reset_index()


def overall(sections: pd.DataFrame) -> pd.DataFrame:
    """Return each score of each method, mean over patients and mean over sections.

    Returns
    -------
    One row a method and mean: method, target, over (patients or sections), number (of these), and
    SHOWN and ORACLE.
    """
    values, by = [*SHOWN, *ORACLE], ["method", "target"]
    tables = {"patients": by_patient(sections, values), "sections": sections}
    means = [
        table.groupby(by, sort=False)[values].mean().assign(over=over, number=_number(table))
        for over, table in tables.items()
    ]
    return pd.concat(means).reset_index()[[*by, "over", "number", *values]]


def _number(table: pd.DataFrame) -> pd.Series:
    return table.groupby(["method", "target"], sort=False).size()


def missing(sections: pd.DataFrame) -> pd.DataFrame:
    """Return how many pairs of section and gene have no PCC.

    Returns
    -------
    One row a method: method, pairs, authors, copy, positions, depth.
    """
    names = ("authors", "copy", "positions", "depth")
    groups = sections.groupby("method", sort=False)
    table = groups[["genes", *(f"{name}_missing" for name in names)]].sum()
    return table.set_axis(["pairs", *names], axis=1).reset_index()


def against_authors(sections: pd.DataFrame) -> pd.DataFrame:
    """Describe copy and positions against the authors' scores, each with its own p.

    Returns
    -------
    One row a method and prediction: method, prediction, and what `published.describe` returns of
    the prediction minus the authors' score.
    """
    lines = []
    for method, part in sections.groupby("method", sort=False):
        for name in DESCRIBED:
            apart = part.assign(difference=part[name] - part["authors"])
            lines.append({"method": method, "prediction": name} | published.describe(apart))
    return pd.DataFrame(lines)


def by_gene(genes: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return what copy and depth reach for each gene, mean over the sections.

    Parameters
    ----------
    genes
        Table `genes` of the chapter.
    target
        One of its targets.
    """
    rows = genes[genes["target"] == target].astype({"copy": "float64", "depth": "float64"})
    return rows.groupby("gene", sort=False)[["copy", "depth"]].mean().reset_index()
