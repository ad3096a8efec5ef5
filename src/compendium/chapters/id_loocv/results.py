"""The in-distribution chapter: the control ladder and the methods under section-out and patient-out, their twins, and the arms of the leakage dial."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium import runs
from compendium.chapters.id_loocv import attainable as learning
from compendium.chapters.id_loocv.matched import dial
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.data.sources import cohort as listed
from compendium.errors import BadInput
from compendium.evaluation.comparison import (
    Fitted,
    Job,
    by_seed,
    changed,
    fitted,
    floor,
    made,
    over_seeds,
    repeated,
)
from compendium.evaluation.labelling import carried
from compendium.evaluation.results import Results
from compendium.evaluation.scores import scoring_target
from compendium.evaluation.within_class import within_class
from compendium.methods import recipe
from compendium.methods.registry import OWN

RULES, ARMS = ("section-out", "patient-out"), ("siblings", "strangers")
KEPT = (
    "method",
    "split",
    "section",
    "patient",
    "gene",
    "panels",
    "spots",
    "pcc",
    "rmse",
)  # of the scores


def study(
    cohort: str,
    names: Sequence[str] | None,
    methods: Sequence[str],
    dialled: Sequence[str],
    mapped: str,
    gene: str,
    seeds: Mapping[str, int],
    device: str,
    **words,
) -> Results:
    """Every method under both rules, those of the dial on both matched arms too, trained ones with a twin; words go to every run.

    mapped, gene: section and gene of the tissue map, "" for the first. seeds: see rows.repeated; twins and the dial's arms are fitted once. Tables: scores (means over
    seeds), seeds (median PCC of each), floor, dial, tissue, curves (these two of the first seed), cost, attainable (made-up cohorts only), within.
    """
    sections = open_sections(cohort, names)
    order = [recipe(name).name for name in methods]
    dialled = [recipe(name).name for name in dialled if recipe(name).name != "mean"]
    if set(order) <= {"mean"}:
        raise BadInput(
            "methods names nothing that can be correlated; add one, e.g. methods=[ridge]"
        )
    where = _mapped(sections, mapped)

    def jobs(rules: Sequence[str], of: Sequence[str], **more) -> list[Job]:
        return [
            (run.method, run)
            for run in runs.plan_runs(
                cohort, sections, rules, list(dict.fromkeys(of)), **words, **more
            )
        ]

    related = len({s.patient for s in sections}) < len(
        sections
    )  # some patient has two sections, so that the dial has arms
    planned = {
        "main": repeated(jobs(RULES, [*order, *dialled]), seeds),
        "arms": jobs(ARMS, dialled) if dialled and related else [],
    }
    planned["twins"] = jobs(
        RULES[:1], [name for name in order if not recipe(name).control], permute=True
    )
    groups = fitted(planned, sections, device)
    every = groups["main"].scores(sections)
    main = over_seeds(every)
    table = main[main["method"].isin(order)]
    own = Fitted(
        *zip(
            *[
                pair
                for pair in zip(groups["main"].jobs, groups["main"].records, strict=True)
                if pair[0][0] in order
            ],
            strict=True,
        )
    )
    levels = floor(
        table[table["split"] == RULES[0]],
        groups["twins"].scores(sections),
        [job for job in own.jobs if job[1].split.rule == RULES[0]],
    )
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "labels": carried(sections) if "regclass" in order else "",
        "attribution": listed(cohort).attribution,
        "protocol": f"clean, except split as named, panel = {words['panel']}, encoder = {words['encoder']}, budget = {words['budget']}",
        "order": order,
        "dialled": dialled,
        "titles": {run.method: run.title for _, run in own.jobs}
        | {run.method: run.title for _, run in planned["arms"]},
        "depth": _depth(sections),
        "mapped": where.name,
        "changed": {
            run.title: changed(run)
            for run in {
                run.method: run for _, run in own.jobs if not recipe(run.method).control
            }.values()
        },
    }
    dialable = pd.concat([main, groups["arms"].scores(sections)]) if planned["arms"] else main[:0]
    tissue, facts["gene"] = _tissue(own.once, where, sections, gene)
    tables = {
        "scores": table[list(KEPT)],
        "floor": levels,
        "dial": dial(dialable[dialable["method"].isin(dialled)]),
        "tissue": tissue,
        "curves": own.once.curves(),
        "cost": own.cost(("row", "split")),
        "attainable": _attainable(cohort, table),
        "seeds": by_seed(every[every["method"].isin(order)]),
        "within": within_class([run for _, run in own.jobs], own.records, sections),
    }
    return Results(tables, made(groups) | facts)


def seen(encoder: str) -> str:
    """What the published methods are shown on a page, and so what its rows compare."""
    if encoder == OWN:
        return "Every published method looks at the tiles through its own encoder here, as its paper has it, so rows compare whole methods, encoder and head together."
    return (
        "All published methods see the same frozen features here, and are named so: their rows compare heads, not encoders. ST-Net, STimage and DeepSpaCE are then "
        "linear layers with different losses and training settings."
    )


def _mapped(sections: Sequence[Section], name: str) -> Section:
    found = [section for section in sections if section.name == (name or sections[0].name)]
    if not found:
        raise BadInput(
            f"section {name} of the tissue map is not among {', '.join(s.name for s in sections)}; set section to one of them"
        )
    return found[0]


def _depth(sections: Sequence[Section]) -> dict[str, float]:
    """Median UMI total of each section."""
    return {
        section.name: float(np.median(np.asarray(section.counts.sum(axis=1))))
        for section in sections
    }


def _tissue(
    own: Fitted, where: Section, sections: Sequence[Section], gene: str
) -> tuple[pd.DataFrame, str]:
    """A gene on a section left out of training: [spot, x, y, measured] and a column a method; and the gene's name."""
    drawn = {
        key: record
        for (key, run), record in zip(own.jobs, own.records, strict=True)
        if run.split.rule == RULES[0] and run.split.test == (where.name,) and key != "mean"
    }
    first = next(iter(drawn.values()))
    common = [
        name for name in first.genes if all(name in record.genes for record in drawn.values())
    ]
    gene = gene or common[0]
    if gene not in common:
        raise BadInput(
            f"gene {gene} is not in the panel of section {where.name}; choose one of it, e.g. {common[0]}"
        )
    spots = {
        "spot": where.spots,
        "x": where.pixels[:, 0],
        "y": where.pixels[:, 1],
        "measured": scoring_target([gene], sections)(where)[:, 0],
    }
    return pd.DataFrame(
        spots
        | {key: record.by_spot(where)[:, record.genes.index(gene)] for key, record in drawn.items()}
    ), gene


def _attainable(cohort: str, table: pd.DataFrame) -> pd.DataFrame:
    """Where the cohort is drawn from a model: what each method reached of each learnable gene, and the best that any could (see learning.reached)."""
    if not listed(cohort).generator:
        return pd.DataFrame(columns=["method", "gene", "pcc", "image_attainable"])
    from compendium.data.synthetic import truth, truth_by_section

    return learning.reached(
        table[table["split"] == RULES[0]],
        truth_by_section().merge(truth()[["gene", "learnable"]], on="gene"),
    )
