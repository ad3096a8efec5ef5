"""Rows as published: real tiles, the size and epochs of the paper; one seed, one control fold."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from compendium.data.panels import PUBLISHED, published
from compendium.data.splits import Placed
from compendium.errors import BadInput
from compendium.evaluation.comparison import Fitted, Job, over_seeds
from compendium.evaluation.scores import median_table, on_both_targets
from compendium.methods import describe, recipe
from compendium.plots.dots import dots
from compendium.plots.style import colour_of
from compendium.runs import plan_run
from compendium.runs.study.runs import distinct

RULE = "section-out"
OWN, OTHER, CONTROL = "as published", "as in the other rows", "as published, permuted images"
KINDS = {"published": OWN, "fits": OTHER, "published permuted": CONTROL}
"""Group of the design -> kind of row."""


def jobs(
    cohort: str,
    sections: Sequence[Placed],
    names: Sequence[str],
    epochs: int | None,
    parameters: Mapping[str, object],
) -> dict[str, list[Job]]:
    """Plan methods as published, a section left out, and their control on the first fold.

    Parameters
    ----------
    cohort, sections
        Cohort and sections.
    names
        The methods; none plans nothing.
    epochs
        Passes over the training sections; None for those of each recipe.
    parameters
        Parameters of the other rows: of the panel the largest published list is taken, or the
        whole where it has none; the budget smoke stays.

    Returns
    -------
    The groups published and published permuted.
    """
    if controls := [name for name in names if recipe(name).control]:
        raise BadInput(
            f"as_published names {', '.join(controls)}, and no paper has such a control;"
            " leave it out"
        )
    stated = {
        "protocol": "published",
        "panel": published_part(str(parameters["panel"])),
        "budget": "smoke" if parameters["budget"] == "smoke" else "full",
        "seed": parameters["seed"],
        **({"epochs": epochs} if epochs else {}),
    }
    splits = distinct([RULE], sections)

    def planned(folds: Sequence, **more) -> list[Job]:
        return [
            (name, plan_run(cohort, fold, name, sections=list(sections), **stated, **more))
            for fold in folds
            for name in dict.fromkeys(names)
        ]

    return {
        "published": planned(splits),
        "published permuted": planned(splits[:1], permute=True),
    }


def published_part(panel: str) -> str:
    """Return the largest published list of genes of a joined panel, or the panel without any."""
    lists = [part for part in panel.split("+") if part in PUBLISHED]
    return max(lists, key=lambda name: len(published(name)), default=panel)


def table(groups: Mapping[str, Fitted], sections: Sequence) -> pd.DataFrame:
    """Set rows as published beside the other rows of the same methods, on the same genes.

    Parameters
    ----------
    groups
        The fits of the chapter.
    sections
        The sections.

    Returns
    -------
    One row a method, kind (see KINDS) and section: method, title, kind, section, patient, the
    columns of `compendium.evaluation.scores.on_both_targets`, and parameters, epochs and steps as
    done. Empty where nothing was fitted as published.
    """
    names = {key for key, _ in groups["published"].jobs}
    chosen = {kind: groups[group].of(names) for group, kind in KINDS.items()}
    parts = [_scored(fits, kind, sections) for kind, fits in chosen.items() if fits.jobs]
    if not parts:
        return pd.DataFrame(columns=["method", "kind", "section"])
    every = pd.concat(parts, ignore_index=True)
    genes = parts[0][["method", "section", "gene"]]
    same = every.merge(genes, on=list(genes))
    keys = ["method", "kind", "section", "patient"]
    rows = on_both_targets(same, [*keys, "parameters", "epochs", "steps"])
    return rows.assign(title=[describe(name).title for name in rows["method"]])


def _scored(fits: Fitted, kind: str, sections: Sequence) -> pd.DataFrame:
    """Score fits under RULE, means over seeds, with what they took."""
    jobs, records = [], []
    for key, run, record in fits:
        if run.split.rule == RULE:
            jobs.append((key, run))
            records.append(record)
    fits = Fitted(jobs, records)
    took = fits.cost().rename(columns={"row": "method"})
    took = took[["method", "parameters", "epochs", "steps"]]
    return over_seeds(fits.scores(sections)).assign(kind=kind).merge(took, on="method")


def beside(rows: pd.DataFrame) -> pd.DataFrame:
    """Average `table` over its sections, and give the fold of the control by itself.

    Returns
    -------
    One row a method, kind and set of sections: method (title), row, sections, the medians of both
    targets, parameters, epochs, steps.
    """
    control = rows.loc[rows["kind"] == CONTROL, "section"].unique()
    fold = rows[rows["section"].isin(control)].assign(sections=", ".join(control))
    every = rows[rows["kind"] != CONTROL]
    every = every.assign(sections=f"all {every['section'].nunique()}")
    by = ["title", "sections", "kind"]
    both = pd.concat([every, fold]).groupby(by, sort=False).mean(numeric_only=True).reset_index()
    both = both.sort_values("title", kind="stable").rename(columns={"title": "method"})
    size = ["parameters", "epochs", "steps"]
    wide = median_table(both, ["method", "sections", "kind", *size])
    return wide.rename(columns={"kind": "row"}).astype(dict.fromkeys(size, int))


def figure(rows: pd.DataFrame) -> go.Figure:
    """Draw the median PCC of each section: as published, as in the other rows, and the control."""
    drawn = rows.assign(line=rows["title"], of=rows["kind"])
    lines, kinds = list(dict.fromkeys(drawn["line"])), list(KINDS.values())
    return dots(drawn, "median", lines, colour_of(kinds), {"title": "median PCC"}, step=50)
