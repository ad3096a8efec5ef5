"""Tables of chapter 3."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from compendium.chapters.ood import shift
from compendium.data.partition import INSIDE, OUTSIDE
from compendium.data.section import Section
from compendium.evaluation import comparison
from compendium.evaluation.comparison import (
    Design,
    Fitted,
    Job,
    Tables,
    by_seed,
    criterion,
    over_seeds,
)
from compendium.evaluation.describe import channel_shares
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, on_both_targets, summary
from compendium.images.encoders import FROZEN
from compendium.images.features import features
from compendium.methods import recipe
from compendium.methods.registry import OWN
from compendium.runs.fit import pick_device
from compendium.runs.run import FROZEN_TILE_PX

BY_SECTION = ("method", "role", "section", "patient")


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score the fits on validation and test sections, and measure how far these lie.

    Returns
    -------
    Tables
        parts (the sections), shares, density, distances and shift (see
        `compendium.chapters.ood.shift`), medians (summary by method and section), boxes (by method
        and role), panels (by part of the panel, role and method), rows (see `rows`), curves (first
        seed), seeds, cost.
    Facts
        genes (their number).
    """
    roles = design.facts["roles"]
    every, permuted = (
        groups[name].scores(sections).assign(role=lambda t: t["section"].map(roles))
        for name in ("fits", "permuted")
    )
    scores, once = over_seeds(every), groups["fits"].once
    medians = on_both_targets(scores, BY_SECTION)
    controls = summary(permuted, BY_SECTION) if len(permuted) else medians[:0]
    inside = [table[table["role"] == INSIDE] for table in (every, permuted)]
    met = criterion(*inside, groups["fits"].jobs).set_index("row")["result"]
    found = {
        **_shift(sections, roles, groups["fits"]),
        "medians": medians,
        "boxes": on_both_targets(scores, ["method", "role"]),
        "panels": on_both_targets(by_panel(scores), ["panel", "role", "method"]),
        "rows": rows(once.jobs, medians, controls, met),
        "curves": once.curves(),
        "seeds": by_seed(every),
        "cost": groups["fits"].cost(),
    }
    return found, {"genes": int(scores["gene"].nunique())}


def rows(
    jobs: Sequence[Job], medians: pd.DataFrame, permuted: pd.DataFrame, met: pd.Series
) -> pd.DataFrame:
    """Compare validation and test of each method.

    Parameters
    ----------
    jobs
        One run a method.
    medians, permuted
        Medians over genes [method, role, section, median] of the fits and of their
        permuted-image controls.
    met
        Whether each method meets the minimum training criterion in validation.

    Returns
    -------
    One row a method: method, title, control; validation and test (means over the sections of a
    role of the median PCC), drop = validation − test; the permuted-image control in both;
    fell, rose (whether every test section is below, or above, every validation section); result
    (`met`).
    """
    runs = {run.method: run for _, run in jobs}
    own, low, high = (_by_role(medians, reduce, runs) for reduce in ("mean", "min", "max"))
    control = _by_role(permuted, "mean", runs)
    titles = {name: (run.title, recipe(name).control) for name, run in runs.items()}
    table = pd.DataFrame.from_dict(titles, "index", columns=["title", "control"]).join(own)
    table = table.assign(drop=own[INSIDE] - own[OUTSIDE]).join(control.add_prefix("permuted "))
    return table.assign(
        fell=high[OUTSIDE] < low[INSIDE],
        rose=low[OUTSIDE] > high[INSIDE],
        result=met.reindex(own.index),
    ).reset_index(names="method")


def _by_role(medians: pd.DataFrame, reduce: str, methods: Iterable[str]) -> pd.DataFrame:
    """Return the mean, min or max over the sections of a role: methods by validation and test."""
    wide = medians.groupby(["method", "role"])["median"].agg(reduce).unstack()
    return wide.reindex(index=list(methods), columns=[INSIDE, OUTSIDE]).astype(float)


def drops(medians: pd.DataFrame, shifts: pd.DataFrame) -> pd.DataFrame:
    """Set what each method loses in a section beside how far the section lies.

    Parameters
    ----------
    medians
        Table `medians` of the chapter.
    shifts
        Table `shift` of the chapter.

    Returns
    -------
    One row a method, section and measure of shift: method, section, role, drop (mean of the
    method's validation medians − the section's), measure, fold. A validation section that is the
    only one is that mean, and has no row.
    """
    inside = medians[medians["role"] == INSIDE]
    level = medians["method"].map(inside.groupby("method")["median"].mean())
    lost = medians.assign(drop=level - medians["median"])[["method", "section", "role", "drop"]]
    if inside["section"].nunique() == 1:
        lost = lost[lost["role"] != INSIDE]
    lost = lost.merge(shifts[["section", "measure", "fold"]], on="section")
    return lost.dropna(subset=["drop", "fold"])


def titles(results: Results) -> dict[str, str]:
    """Return the title of each method, with "(preliminary)" below the criterion."""
    rows = results["rows"].set_index("method")
    return comparison.labelled(rows["title"].to_dict(), rows["result"].to_dict())


def page_numbers(results: Results) -> dict[str, object]:
    """Return the numbers that the page names, over the rows that meet the criterion."""
    met = results["rows"][results["rows"]["result"]]
    numbers = {"mean_drop": float(met["drop"].mean()), "fell": int(met["fell"].sum())}
    return comparison.role_texts(results) | numbers | {"met": len(met)}


def _shift(
    sections: Sequence[Section], roles: Mapping[str, str], fits: Fitted
) -> dict[str, pd.DataFrame]:
    genes, shares = shift.genes_per_spot(sections), channel_shares(sections)
    frozen = _features(sections, fits)
    distances = shift.distances(sections, roles, shares, genes, frozen)
    spots = [len(section) for section in sections]
    medians = [float(np.median(genes[section.name])) for section in sections]
    parts = distances[["section", "patient", "lab", "role"]]
    return {
        "parts": parts.assign(spots=spots, genes=medians),
        "shares": shares.assign(role=shares["section"].map(roles)),
        "density": shift.densities(genes, roles),
        "distances": distances,
        "shift": shift.relative(distances),
    }


def _features(
    sections: Sequence[Section], fits: Fitted
) -> dict[str, Float[np.ndarray, "spot feature"]]:
    """Return features by the frozen encoder of the fits, or by the usual one without any.

    They are computed where the fits were.
    """
    runs = [run for _, run in fits.jobs if run.encoder != OWN and not recipe(run.method).frozen]
    encoder, weights = (runs[0].encoder, runs[0].weights) if runs else (FROZEN, "")
    on_cpu = all(record.facts["device"].startswith("CPU") for record in fits.records)
    device = pick_device("cpu" if on_cpu else "auto")
    return {
        section.name: features(section, encoder, FROZEN_TILE_PX, weights, device)
        for section in sections
    }
