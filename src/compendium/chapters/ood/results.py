"""Another laboratory, or another patient: the same fits scored on validation and test sections, what is lost between them, and what becomes of the benchmark's claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from compendium.chapters.ood import shift
from compendium.data.partition import INSIDE, OUTSIDE, Partition, partition, role_summary
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.data.sources import cohort as listed
from compendium.data.splits import PUBLISHED_OOD
from compendium.evaluation.comparison import by_seed, fitted, made, over_seeds, repeated
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, summary
from compendium.images.encoders import FROZEN
from compendium.images.features import features
from compendium.methods import recipe
from compendium.methods.registry import NONE, OWN
from compendium.runs.fit import pick_device
from compendium.runs.run import FROZEN_TILE_PX, Run, plan_run


def study(
    cohort: str,
    training: Sequence[str],
    validation: Sequence[str],
    test: Sequence[str],
    methods: Sequence[str],
    seeds: Mapping[str, int],
    device: str,
    **words,
) -> Results:
    """Fit every method on the training sections, its twin on patches shuffled within each of them, and score both on all others; words go to every run.

    cohort: one, or several joined by +. Without sections the benchmark's partition is taken. seeds: see rows.repeated; twins are fitted once.
    parts: [section, patient, lab, role, spots, genes (median a spot)]. shares, density, distances: see evidence.shift; shift: its `relative`. medians: quartiles
    over genes by method, role and section; boxes: the same over genes and sections of a role; panels: these for each part of the gene panel; rows: see `rows`.
    """
    sections = open_sections(
        cohort,
        [*training, *validation, *test] or [name for names in PUBLISHED_OOD for name in names],
    )
    parts = partition(sections, training, validation, test)
    runs = [
        plan_run(cohort, parts.split, recipe(method).name, sections=sections, **words)
        for method in dict.fromkeys(methods)
    ]
    twins = [
        replace(run, permute=True) for run in runs if not run.permute and run.encoder != NONE
    ]  # of all that see an image in its place
    groups = fitted(
        {
            "fits": repeated([(run.method, run) for run in runs], seeds),
            "twins": [(run.method, run) for run in twins],
        },
        sections,
        device,
    )
    every, shuffled = (
        groups[name].scores(sections).assign(role=lambda scores: scores["section"].map(parts.roles))
        for name in ("fits", "twins")
    )
    table = over_seeds(every)
    medians, of = by_section(table), listed(cohort)
    genes, shares = shift.genes_per_spot(sections), shift.shares_by_role(sections, parts)
    far = shift.distances(
        sections, parts, shares, genes, frozen(sections, parts, pick_device(device), **words)
    )
    tables = {
        "parts": facts_of(sections, parts, genes),
        "shares": shares,
        "density": shift.densities(genes, parts.roles),
        "distances": far,
        "shift": shift.relative(far),
        "medians": medians,
        "boxes": summary(table, ["method", "role"]),
        "panels": summary(by_panel(table), ["panel", "role", "method"]),
        "rows": rows(runs, medians, by_section(shuffled) if twins else medians[:0]),
        "curves": groups["fits"].once.curves(),
        "seeds": by_seed(every),
        "cost": groups["fits"].cost(),
    }
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "genes": int(table["gene"].nunique()),
        "told": role_summary(parts),
        "protocol": f"clean, except split = {parts.split.rule}, panel = {words['panel']}, encoder = {words['encoder']}, budget = {words['budget']}",
        "roles": parts.roles,
        "validation_is": parts.validation_is,
        "test_is": parts.test_is,
        "attribution": of.attribution,
    }
    return Results(tables, made(groups) | facts)


def frozen(
    sections: Sequence[Section],
    parts: Partition,
    device: str,
    encoder: str = "",
    weights: str = "",
    **_,
) -> dict[str, np.ndarray]:
    """Features of each section of the partition by the frozen encoder of the runs; where methods have encoders of their own, by the usual one."""
    name, file = (FROZEN, "") if encoder in ("", OWN) else (encoder, weights)
    return {
        section.name: features(section, name, FROZEN_TILE_PX, file, device)
        for section in sections
        if section.name in parts.roles
    }


def by_section(table: pd.DataFrame) -> pd.DataFrame:
    """Quartiles over genes of each method and section, the sections of validation first."""
    return summary(table, ["method", "role", "section", "patient"])


def facts_of(
    sections: Sequence[Section], parts: Partition, found: dict[str, np.ndarray]
) -> pd.DataFrame:
    """One row a section of the partition: [section, patient, lab, role, spots, genes], genes: median over spots of those seen, among the shared ones."""
    by_name = {section.name: section for section in sections}
    return pd.DataFrame(
        [
            {
                "section": name,
                "patient": by_name[name].patient,
                "lab": by_name[name].lab,
                "role": role,
                "spots": len(by_name[name]),
                "genes": float(np.median(found[name])),
            }
            for name, role in parts.roles.items()
        ]
    )


def rows(runs: Sequence[Run], medians: pd.DataFrame, twins: pd.DataFrame) -> pd.DataFrame:
    """One row a method: [method, title, control, validation, test, drop, its twin in both, fell, rose, result].

    validation, test: mean over the sections of a role of the median PCC, so that a section counts once; drop: their difference. fell, rose: every test section
    is below, or above, every validation section. result: trained long enough, and above its twin in validation; whether it is above it in test is what is asked.
    """
    lines = []
    for run in runs:
        own, twin = (
            some[some["method"] == run.method].groupby("role")["median"]
            for some in (medians, twins)
        )
        inside, outside = (own.mean().get(role, np.nan) for role in (INSIDE, OUTSIDE))
        shuffled = {f"twin {role}": twin.mean().get(role, np.nan) for role in (INSIDE, OUTSIDE)}
        enough = run.result and (
            run.method not in set(twins["method"]) or inside > shuffled[f"twin {INSIDE}"]
        )
        fell, rose = (
            own.max().get(OUTSIDE, np.nan) < own.min().get(INSIDE, np.nan),
            own.min().get(OUTSIDE, np.nan) > own.max().get(INSIDE, np.nan),
        )
        facts = {
            "method": run.method,
            "title": run.title,
            "control": recipe(run.method).control,
            INSIDE: inside,
            OUTSIDE: outside,
            "drop": inside - outside,
        }
        lines.append(
            facts | shuffled | {"fell": bool(fell), "rose": bool(rose), "result": bool(enough)}
        )
    return pd.DataFrame(lines)


def drops(medians: pd.DataFrame, shifts: pd.DataFrame) -> pd.DataFrame:
    """One row a method, section and measure of shift: [method, section, role, drop, measure, fold]; drop: mean of the method's validation medians less the section's.

    A validation section that is the only one is that mean itself, and has no row.
    """
    inside = medians[medians["role"] == INSIDE]
    level = inside.groupby("method")["median"].mean()
    lost = medians.assign(drop=medians["method"].map(level) - medians["median"])
    if inside["section"].nunique() == 1:
        lost = lost[lost["role"] != INSIDE]
    return (
        lost[["method", "section", "role", "drop"]]
        .merge(shifts[["section", "measure", "fold"]], on="section")
        .dropna(subset=["drop", "fold"])
    )
