"""Expression transforms as training targets: the same model trained towards each, scored on the target it was trained towards and on one that all share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.data.expression import counted
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.errors import BadInput
from compendium.evidence import encoder_rows, spread
from compendium.evidence.found import Found
from compendium.evidence.rows import Fitted, Job, Row, fitted, floor, made
from compendium.evidence.scores import by_panel, pcc, summary
from compendium.evidence.transfer import Comparison, differences
from compendium.methods import recipe
from compendium.runs.engine import training_set

# Target word -> what it is called.
TRANSFORMS = {
    "raw": "raw counts", "log1p": "log", "logcpm": "log-CPM", "minmax": "min–max", "pearson": "Pearson residuals", "scprep": "log-norm of the code", "wide": "scoring target",
}
REFERENCE = "logcpm"  # what each other transform is held against
OWN, COMMON = "own target", "common target"


def rows(methods: Sequence[str], transforms: Sequence[str]) -> list[Row]:
    """Every method trained towards every transform, method by method; a word that is no transform of this chapter is an error."""
    if unknown := [word for word in transforms if word not in TRANSFORMS]:
        raise BadInput(f"unknown transform {unknown[0]!r} in targets; known here: {', '.join(TRANSFORMS)}")
    if REFERENCE not in transforms or len(set(transforms)) < 2:
        raise BadInput(f"targets must name {REFERENCE}, against which the others are held, and at least one other; they are {', '.join(transforms) or 'none'}")
    return [
        Row(f"{recipe(method).name}:{word}", f"{recipe(method).title.partition(' on ')[0]}, {TRANSFORMS[word]}", {"method": recipe(method).name, "target": word})
        for method in dict.fromkeys(methods) for word in dict.fromkeys(transforms)
    ]


def study(
    cohort: str, names: Sequence[str] | None, methods: Sequence[str], targets: Sequence[str], patients: Sequence[str], device: str, redo_stale: bool, **words
) -> Found:
    """Fit every row once on each patient alone, and predict the sections of all others; words go to every run.

    boxes: quartiles over genes and sections by row and target it is scored on; medians: the same by section; panels: the same for each part of the gene panel.
    paired: mean difference to the row of the same method on REFERENCE, by section. spread, equality: see evidence.spread. depth: see `depth`. floor: see
    evidence.rows, on the common target. facts: `titles` of the rows, number of `genes`.
    """
    sections, compared = open_sections(cohort, names), rows(methods, targets)
    planned = [job for row in compared for job in encoder_rows.jobs(row, cohort, sections, patients, **words)]
    groups = fitted({"fits": planned, "twins": encoder_rows.twins(planned)}, sections, device, redo_stale)
    table, shuffled = (scored(groups[name], sections) for name in ("fits", "twins"))
    common, shuffled = (part[part["scored_on"] == COMMON] for part in (table, shuffled))
    facts = {
        "data": f"{cohort} {digest(sections)}", "titles": {row.key: row.title for row in compared}, "genes": int(table["gene"].nunique()),
        "protocol": f"clean, except split = one-patient, panel = {words['panel']}, target as named, encoder = {words['encoder']}, budget = {words['budget']}",
    }
    by = ["row", "method", "transform", "scored_on"]
    tables = {
        "boxes": summary(table, by), "medians": summary(table, [*by, "section", "patient"]), "panels": summary(by_panel(table), ["panel", *by]),
        "paired": paired(table, compared), "depth": depth(planned, sections), "spread": spread.spread(table), "equality": spread.equality(table),
        "floor": floor(common, shuffled, planned),
    }
    return Found(tables | {"curves": groups["fits"].curves(), "cost": groups["fits"].cost()}, made(groups) | facts)


def scored(group: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Scores with the columns transform and scored_on, `method` being the method's own name; each row twice, pcc once on the target of its own run, once on the common one."""
    table = group.scores(sections)
    if table.empty:
        return table.assign(scored_on="")
    table = table.assign(method=table["row"].str.partition(":")[0], transform=table["row"].str.partition(":")[2])
    return pd.concat([table.assign(scored_on=OWN, pcc=table["pcc_native"]), table.assign(scored_on=COMMON)], ignore_index=True)


def comparisons(found: Sequence[Row]) -> list[Comparison]:
    """Each other transform of a method against REFERENCE."""
    return [
        Comparison(f"{row.title} − {TRANSFORMS[REFERENCE]}", row.key, f"{row.words['method']}:{REFERENCE}") for row in found if row.words["target"] != REFERENCE
    ]


def paired(table: pd.DataFrame, found: Sequence[Row]) -> pd.DataFrame:
    """Lines of transfer.differences, on either target: [scored_on, comparison, patient, section, difference, genes]."""
    return pd.concat([differences(part, comparisons(found)).assign(scored_on=on) for on, part in table.groupby("scored_on", sort=False)], ignore_index=True)


def depth(jobs: Sequence[Job], sections: Sequence[Section]) -> pd.DataFrame:
    """How much of each target is depth: [transform, section, pcc], the median over genes of the correlation of the target with ln(1 + UMI total of the spot)."""
    lines = []
    for run in {(run.target, run.split): run for _, run in jobs}.values():
        target = training_set(run, sections)[1]
        for section in (section for section in sections if section.name in run.split.test):
            values = target(counted(section, run.target))
            total = np.log1p(section.totals(target.shared))[:, None].repeat(values.shape[1], axis=1)
            lines.append({"transform": run.target, "section": section.name, "pcc": float(np.nanmedian(pcc(values, total)))})
    return pd.DataFrame(lines).groupby(["transform", "section"], sort=False)["pcc"].mean().reset_index()

