"""Tables of chapter 3."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from compendium.chapters.ood import shift
from compendium.chapters.ood.design import partition_of
from compendium.data.partition import INSIDE, OUTSIDE, Partition
from compendium.data.section import Section
from compendium.evaluation.comparison import Design, Fitted, Job, Tables, by_seed, over_seeds
from compendium.evaluation.scores import by_panel, summary
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
    parts = partition_of(design)
    every, permuted = (
        groups[name].scores(sections).assign(role=lambda t: t["section"].map(parts.roles))
        for name in ("fits", "permuted")
    )
    scores = over_seeds(every)
    medians = summary(scores, BY_SECTION)
    controls = summary(permuted, BY_SECTION) if len(permuted) else medians[:0]
    found = {
        **_shift(sections, parts, groups["fits"]),
        "medians": medians,
        "boxes": summary(scores, ["method", "role"]),
        "panels": summary(by_panel(scores), ["panel", "role", "method"]),
        "rows": rows(groups["fits"].once.jobs, medians, controls),
        "curves": groups["fits"].once.curves(),
        "seeds": by_seed(every),
        "cost": groups["fits"].cost(),
    }
    return found, {"genes": int(scores["gene"].nunique())}


def rows(jobs: Sequence[Job], medians: pd.DataFrame, permuted: pd.DataFrame) -> pd.DataFrame:
    """Compare validation and test of each method.

    Parameters
    ----------
    jobs
        One run a method.
    medians, permuted
        Medians over genes [method, role, section, median] of the fits and of their
        permuted-image controls.

    Returns
    -------
    One row a method: method, title, control; validation and test (means over the sections of a
    role of the median PCC), drop = validation − test; the permuted-image control in both;
    fell, rose (whether every test section is below, or above, every validation section); result
    (whether the row meets the minimum training criterion: trained enough, and in validation above
    its permuted-image control).
    """
    return pd.DataFrame([_row(run, medians, permuted) for _, run in jobs])


def _row(run, medians: pd.DataFrame, permuted: pd.DataFrame) -> dict[str, object]:
    own, control = (
        table[table["method"] == run.method].groupby("role")["median"]
        for table in (medians, permuted)
    )
    inside, outside = (own.mean().get(role, np.nan) for role in (INSIDE, OUTSIDE))
    below = {role: control.mean().get(role, np.nan) for role in (INSIDE, OUTSIDE)}
    low, high = own.min(), own.max()
    above = run.method not in set(permuted["method"]) or inside > below[INSIDE]
    return {
        "method": run.method,
        "title": run.title,
        "control": recipe(run.method).control,
        INSIDE: inside,
        OUTSIDE: outside,
        "drop": inside - outside,
        **{f"permuted {role}": value for role, value in below.items()},
        "fell": bool(high.get(OUTSIDE, np.nan) < low.get(INSIDE, np.nan)),
        "rose": bool(low.get(OUTSIDE, np.nan) > high.get(INSIDE, np.nan)),
        "result": bool(run.result and above),
    }


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
    level = inside.groupby("method")["median"].mean()
    lost = medians.assign(drop=medians["method"].map(level) - medians["median"])
    if inside["section"].nunique() == 1:
        lost = lost[lost["role"] != INSIDE]
    lost = lost[["method", "section", "role", "drop"]]
    return lost.merge(shifts[["section", "measure", "fold"]], on="section").dropna(
        subset=["drop", "fold"]
    )


def _shift(sections: Sequence[Section], parts: Partition, fits: Fitted) -> dict[str, pd.DataFrame]:
    genes, shares = shift.genes_per_spot(sections), shift.shares_by_role(sections, parts)
    distances = shift.distances(sections, parts, shares, genes, _features(sections, parts, fits))
    return {
        "parts": _parts(sections, parts, genes),
        "shares": shares,
        "density": shift.densities(genes, parts.roles),
        "distances": distances,
        "shift": shift.relative(distances),
    }


def _features(
    sections: Sequence[Section], parts: Partition, fits: Fitted
) -> dict[str, Float[np.ndarray, "spot feature"]]:
    """Return features by the frozen encoder of the fits, or by the usual one without any.

    They are computed where the fits were.
    """
    used = [
        (run.encoder, run.weights)
        for _, run in fits.jobs
        if run.encoder != OWN and not recipe(run.method).frozen
    ]
    encoder, weights = used[0] if used else (FROZEN, "")
    on_cpu = all(record.facts["device"].startswith("CPU") for record in fits.records)
    device = pick_device("cpu" if on_cpu else "auto")
    return {
        section.name: features(section, encoder, FROZEN_TILE_PX, weights, device)
        for section in sections
        if section.name in parts.roles
    }


def _parts(
    sections: Sequence[Section],
    parts: Partition,
    genes: Mapping[str, Float[np.ndarray, "spot"]],
) -> pd.DataFrame:
    """Return section, patient, lab, role, spots, genes (median a spot, among shared ones)."""
    by_name = {section.name: section for section in sections}
    return pd.DataFrame(
        [
            {
                "section": name,
                "patient": by_name[name].patient,
                "lab": by_name[name].lab,
                "role": role,
                "spots": len(by_name[name]),
                "genes": float(np.median(genes[name])),
            }
            for name, role in parts.roles.items()
        ]
    )
