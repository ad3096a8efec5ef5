"""Another laboratory, or another patient: the same fits scored on validation and test sections, what is lost between them, and what becomes of the benchmark's claims."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from compendium.data.section import Section
from compendium.evidence import making, shift
from compendium.evidence.partition import Partition
from compendium.evidence.scores import by_panel, scores, summary
from compendium.images.encoders import FROZEN
from compendium.images.features import features
from compendium.methods import recipe
from compendium.methods.registry import NONE, OWN
from compendium.runs import execute
from compendium.runs.fit import pick_device
from compendium.runs.plan import FROZEN_TILE_PX, Run, plan
from compendium.runs.store import Record

INSIDE, OUTSIDE = "validation", "test"


def planned(cohort: str, sections: Sequence[Section], parts: Partition, methods: Sequence[str], **words) -> tuple[list[Run], list[Run]]:
    """A run a method, and the twins: the same runs on patches shuffled within each training section, of all that see an image in its place."""
    runs = [plan(cohort, parts.split, method, sections=list(sections), **words) for method in methods]
    return runs, [replace(run, permute=True) for run in runs if not run.permute and run.encoder != NONE]


def study(
    cohort: str, sections: Sequence[Section], parts: Partition, methods: Sequence[str], *, device: str = "auto", redo_stale: bool = False, **words
) -> dict[str, pd.DataFrame]:
    """Fit every method once on the training sections, and all that the chapter draws as small tables.

    parts: [section, patient, lab, role, spots, genes (median a spot)]. shares, density, distances: see evidence.shift; shift: its `relative`.
    medians: quartiles over genes by method, role and section; boxes: the same over genes and sections of a role;
    panels: these for each part of the gene panel; rows: see `rows`.
    curves, cost, facts: see evidence.making, facts with the number of genes. `words` go to `plan`.
    """
    runs, twins = planned(cohort, sections, parts, methods, **words)
    records = execute([*runs, *twins], sections, device=device, redo_stale=redo_stale)
    names, done, shuffled = [run.method for run in runs], records[: len(runs)], records[len(runs) :]
    table = scored(runs, done, sections, parts)
    medians = by_section(table)
    found, shares = shift.genes_per_spot(sections), shift.shares_by_role(sections, parts)
    far = shift.distances(sections, parts, shares, found, frozen(sections, parts, pick_device(device), **words))
    return {
        "parts": facts_of(sections, parts, found), "shares": shares, "density": shift.densities(found, parts.roles), "distances": far, "shift": shift.relative(far),
        "medians": medians, "boxes": summary(table, ["method", "role"]), "panels": summary(by_panel(table), ["panel", "role", "method"]),
        "rows": rows(runs, medians, by_section(scored(twins, shuffled, sections, parts)) if twins else medians[:0]),
        "curves": making.curves(names, runs, done), "cost": making.cost(names, runs, done),
        "facts": making.made(cohort, sections, runs, records).assign(genes=table["gene"].nunique()),
    }


def scored(runs: Sequence[Run], records: Sequence[Record], sections: Sequence[Section], parts: Partition) -> pd.DataFrame:
    """Scores with the role of each section."""
    return scores(runs, records, sections).assign(role=lambda table: table["section"].map(parts.roles))


def frozen(sections: Sequence[Section], parts: Partition, device: str, encoder: str = "", weights: str = "", **_) -> dict[str, np.ndarray]:
    """Features of each section of the partition by the frozen encoder of the runs; where methods have encoders of their own, by the usual one."""
    name, file = (FROZEN, "") if encoder in ("", OWN) else (encoder, weights)
    return {section.name: features(section, name, FROZEN_TILE_PX, file, device) for section in sections if section.name in parts.roles}

def by_section(table: pd.DataFrame) -> pd.DataFrame:
    """Quartiles over genes of each method and section, the sections of validation first."""
    return summary(table, ["method", "role", "section", "patient"])


def facts_of(sections: Sequence[Section], parts: Partition, found: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row a section of the partition: [section, patient, lab, role, spots, genes], genes: median over spots of those seen, among the shared ones."""
    by_name = {section.name: section for section in sections}
    return pd.DataFrame([
        {"section": name, "patient": by_name[name].patient, "lab": by_name[name].lab, "role": role, "spots": len(by_name[name]), "genes": float(np.median(found[name]))}
        for name, role in parts.roles.items()
    ])


def rows(runs: Sequence[Run], medians: pd.DataFrame, twins: pd.DataFrame) -> pd.DataFrame:
    """One row a method: [method, title, control, validation, test, drop, its twin in both, fell, result].

    validation, test: mean over the sections of a role of the median PCC, so that a section counts once; drop: their difference. fell: every test section is below
    every validation section. result: trained long enough, and above its twin in validation; whether it is above it in test is what is asked.
    """
    lines = []
    for run in runs:
        own, twin = (some[some["method"] == run.method].groupby("role")["median"] for some in (medians, twins))
        inside, outside = (own.mean().get(role, np.nan) for role in (INSIDE, OUTSIDE))
        shuffled = {f"twin {role}": twin.mean().get(role, np.nan) for role in (INSIDE, OUTSIDE)}
        enough = run.result and not inside <= shuffled[f"twin {INSIDE}"]
        fell = own.max().get(OUTSIDE, np.nan) < own.min().get(INSIDE, np.nan)
        facts = {"method": run.method, "title": run.title, "control": recipe(run.method).control, INSIDE: inside, OUTSIDE: outside, "drop": inside - outside}
        lines.append(facts | shuffled | {"fell": bool(fell), "result": bool(enough)})
    return pd.DataFrame(lines)


def drops(medians: pd.DataFrame, shifts: pd.DataFrame) -> pd.DataFrame:
    """One row a method, section and measure of shift: [method, section, role, drop, measure, fold]; drop: mean of the method's validation medians less the section's."""
    level = medians[medians["role"] == INSIDE].groupby("method")["median"].mean()
    lost = medians.assign(drop=medians["method"].map(level) - medians["median"])
    return lost[["method", "section", "role", "drop"]].merge(shifts[["section", "measure", "fold"]], on="section").dropna(subset=["drop", "fold"])

