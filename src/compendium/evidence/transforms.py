"""Expression transforms as training targets: the same model trained towards each, scored on the target it was trained towards and on one that all share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.data.expression import counted
from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.evidence import encoder_rows, making, spread
from compendium.evidence.encoder_rows import Row
from compendium.evidence.scores import by_panel, pcc, scores, summary
from compendium.evidence.transfer import Comparison, differences
from compendium.methods import recipe
from compendium.runs import execute
from compendium.runs.engine import training_set
from compendium.runs.plan import Run
from compendium.runs.store import Record

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
    cohort: str, sections: Sequence[Section], found: Sequence[Row], patients: Sequence[str], *, device: str = "auto", redo_stale: bool = False, **words
) -> dict[str, pd.DataFrame]:
    """Fit every row once on each patient alone, predict the sections of all others, and give all that the chapter draws as small tables.

    boxes: quartiles over genes and sections by row and target it is scored on; medians: the same by section; panels: the same for
    each part of the gene panel. paired: mean difference to the row of the same method on
    REFERENCE, by section. spread, equality: see evidence.spread. depth: see `depth`. floor: see encoder_rows.floor, on the common target, with titles.
    curves, cost, facts: see evidence.making, facts with the number of genes. `words` go to `plan`.
    """
    jobs = [(row, run) for row in found for run in encoder_rows.runs_of(row, cohort, sections, patients, **words)]
    twins = encoder_rows.twins(jobs)
    records = execute([run for _, run in [*jobs, *twins]], sections, device=device, redo_stale=redo_stale)
    table, shuffled = scored(jobs, records[: len(jobs)], sections), scored(twins, records[len(jobs) :], sections)
    common, shuffled = (part[part["scored_on"] == COMMON] for part in (table, shuffled))
    floor = encoder_rows.floor(jobs, common, shuffled)
    keys, runs, done = [row.key for row, _ in jobs], [run for _, run in jobs], records[: len(jobs)]
    by = ["row", "method", "transform", "scored_on"]
    return {
        "boxes": summary(table, by), "medians": summary(table, [*by, "section", "patient"]), "panels": summary(by_panel(table), ["panel", *by]),
        "paired": paired(table, found), "depth": depth(jobs, sections), "spread": spread.spread(table), "equality": spread.equality(table),
        "floor": floor.assign(title=floor["row"].map({row.key: row.title for row in found})), "curves": making.curves(keys, runs, done), "cost": making.cost(keys, runs, done),
        "facts": making.made(cohort, sections, runs, records).assign(genes=table["gene"].nunique()),
    }


def scored(jobs: Sequence[tuple[Row, Run]], records: Sequence[Record], sections: Sequence[Section]) -> pd.DataFrame:
    """Scores with the columns row, transform, fold and scored_on; each row of `scores` twice, pcc once on the target of its own run, once on the common one."""
    if not jobs:
        return pd.DataFrame(columns=["row", "section", "scored_on", "pcc"]).astype({"pcc": float})
    tables = [scores([run], [record], sections).assign(row=row.key, transform=run.target, fold=run.split.name) for (row, run), record in zip(jobs, records, strict=True)]
    table = pd.concat(tables, ignore_index=True)
    return pd.concat([table.assign(scored_on=OWN, pcc=table["pcc_native"]), table.assign(scored_on=COMMON)], ignore_index=True)


def comparisons(found: Sequence[Row]) -> list[Comparison]:
    """Each other transform of a method against REFERENCE."""
    return [
        Comparison(f"{row.title} − {TRANSFORMS[REFERENCE]}", row.key, f"{row.words['method']}:{REFERENCE}") for row in found if row.words["target"] != REFERENCE
    ]


def paired(table: pd.DataFrame, found: Sequence[Row]) -> pd.DataFrame:
    """Lines of transfer.differences, on either target: [scored_on, comparison, patient, section, difference, genes]."""
    return pd.concat([differences(part, comparisons(found)).assign(scored_on=on) for on, part in table.groupby("scored_on", sort=False)], ignore_index=True)


def depth(jobs: Sequence[tuple[Row, Run]], sections: Sequence[Section]) -> pd.DataFrame:
    """How much of each target is depth: [transform, section, pcc], the median over genes of the correlation of the target with ln(1 + UMI total of the spot)."""
    lines = []
    for run in {(run.target, run.split): run for _, run in jobs}.values():
        target = training_set(run, sections)[1]
        for section in (section for section in sections if section.name in run.split.test):
            values = target(counted(section, run.target))
            total = np.log1p(section.totals(target.shared))[:, None].repeat(values.shape[1], axis=1)
            lines.append({"transform": run.target, "section": section.name, "pcc": float(np.nanmedian(pcc(values, total)))})
    return pd.DataFrame(lines).groupby(["transform", "section"], sort=False)["pcc"].mean().reset_index()

