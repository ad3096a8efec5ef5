"""Expression transforms as training targets: the same model trained towards each, scored on the target it was trained towards and on one that all share."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.chapters.transforms import spread
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.data.targets.transforms import counted
from compendium.errors import BadInput
from compendium.evaluation.comparison import (
    Fitted,
    Job,
    Row,
    criterion,
    fitted,
    one_patient_jobs,
    permuted_controls,
    provenance,
)
from compendium.evaluation.paired import PRELIMINARY, Comparison, below, differences, verdicts
from compendium.evaluation.paired import UNDECIDED as OPEN
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, pcc, summary
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim, decided
from compendium.methods import recipe
from compendium.runs.execution import training_set

# Target word -> what it is called.
TRANSFORMS = {
    "raw": "raw counts",
    "log1p": "log",
    "logcpm": "log-CPM",
    "minmax": "min–max",
    "pearson": "Pearson residuals",
    "scprep": "log-norm of the code",
    "wide": "scoring target",
}
REFERENCE = "logcpm"  # what each other transform is held against
OWN, COMMON = "own target", "common target"


def rows(methods: Sequence[str], transforms: Sequence[str]) -> list[Row]:
    """Every method trained towards every transform, method by method; a word that is no transform of this chapter is an error."""
    if unknown := [word for word in transforms if word not in TRANSFORMS]:
        raise BadInput(
            f"unknown transform {unknown[0]!r} in targets; known here: {', '.join(TRANSFORMS)}"
        )
    if REFERENCE not in transforms or len(set(transforms)) < 2:
        raise BadInput(
            f"targets must name {REFERENCE}, against which the others are held, and at least one other; they are {', '.join(transforms) or 'none'}"
        )
    return [
        Row(
            f"{recipe(method).name}:{word}",
            f"{recipe(method).title.partition(' on ')[0]}, {TRANSFORMS[word]}",
            {"method": recipe(method).name, "target": word},
        )
        for method in dict.fromkeys(methods)
        for word in dict.fromkeys(transforms)
    ]


def study(
    cohort: str,
    names: Sequence[str] | None,
    methods: Sequence[str],
    targets: Sequence[str],
    patients: Sequence[str],
    device: str,
    **words,
) -> Results:
    """Fit every row once on each patient alone, and predict the sections of all others; words go to every run.

    boxes: quartiles over genes and sections by row and target it is scored on; medians: the same by section; panels: the same for each part of the gene panel.
    paired: mean difference to the row of the same method on REFERENCE, by section. spread, equality: see evidence.spread. depth: see `depth`. floor: see
    evidence.rows, on the common target. facts: `titles` of the rows, number of `genes`.
    """
    sections, compared = open_sections(cohort, names), rows(methods, targets)
    planned = [
        job
        for row in compared
        for job in one_patient_jobs(row, cohort, sections, patients, **words)
    ]
    groups = fitted({"fits": planned, "twins": permuted_controls(planned)}, sections, device)
    table, shuffled = (scored(groups[name], sections) for name in ("fits", "twins"))
    common, shuffled = (part[part["scored_on"] == COMMON] for part in (table, shuffled))
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "titles": {row.key: row.title for row in compared},
        "genes": int(table["gene"].nunique()),
        "protocol": f"clean, except split = one-patient, panel = {words['panel']}, target as named, encoder = {words['encoder']}, budget = {words['budget']}",
    }
    by = ["row", "method", "transform", "scored_on"]
    tables = {
        "boxes": summary(table, by),
        "medians": summary(table, [*by, "section", "patient"]),
        "panels": summary(by_panel(table), ["panel", *by]),
        "paired": paired(table, facts["titles"]),
        "depth": depth(planned, sections),
        "spread": spread.spread(table),
        "equality": spread.equality(table),
        "floor": criterion(common, shuffled, planned),
    }
    return Results(
        tables | {"curves": groups["fits"].curves(), "cost": groups["fits"].cost()},
        provenance(groups) | facts,
    )


def scored(group: Fitted, sections: Sequence[Section]) -> pd.DataFrame:
    """Scores with the columns transform and scored_on, `method` being the method's own name; each row twice, pcc once on the target of its own run, once on the common one."""
    table = group.scores(sections)
    if table.empty:
        return table.assign(scored_on="")
    table = table.assign(
        method=table["row"].str.partition(":")[0], transform=table["row"].str.partition(":")[2]
    )
    return pd.concat(
        [table.assign(scored_on=OWN, pcc=table["pcc_native"]), table.assign(scored_on=COMMON)],
        ignore_index=True,
    )


def comparisons(titles: Mapping[str, str]) -> list[Comparison]:
    """Each other transform of a method against REFERENCE; titles: of the rows, by METHOD:TRANSFORM."""
    pairs = {key: f"{key.partition(':')[0]}:{REFERENCE}" for key in titles}
    return [
        Comparison(f"{titles[key]} − {TRANSFORMS[REFERENCE]}", key, other)
        for key, other in pairs.items()
        if key != other
    ]


def paired(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Lines of transfer.differences, on either target: [scored_on, comparison, patient, section, difference, genes]."""
    return pd.concat(
        [
            differences(part, comparisons(titles)).assign(scored_on=on)
            for on, part in table.groupby("scored_on", sort=False)
        ],
        ignore_index=True,
    )


def claims(found: Results) -> dict[str, Claim]:
    """The claims of chapter 5, from the tables `paired`, `spread` and `floor` of `study`."""
    common = found["paired"][found["paired"]["scored_on"] == COMMON]
    lines, cases = (
        verdicts(common, comparisons(found.facts["titles"]), below(found)),
        spread.claims(spread.ratios(found["spread"]), below(found)),
    )
    return {"same_claim": same(lines, common), "spread_told": smaller(cases, common)}


def same(lines: pd.DataFrame, common: pd.DataFrame) -> Claim:
    """Whether transforms make no difference on the common target: it fails where at least half of the comparisons go one way in every section. lines: verdicts on `common`.

    Nothing makes it hold: that sections disagree does not show that there is no difference.
    """
    judged = lines[lines["verdict"] != PRELIMINARY]
    one_way = judged[judged["verdict"] != OPEN]
    most = f", by {one_way['mean difference'].abs().max():.3f} at most" if len(one_way) else ""
    found = f"On the common target {len(one_way)} of {len(judged)} comparisons above the floor are decided, one way in every section{most}"
    why = f"{found} (half or more speak against the claim; nothing here could confirm it); in the others sections disagree or are too few."
    verdict = FAILS if len(judged) and 2 * len(one_way) >= len(judged) else UNDECIDED
    return decided("Transforms of the counts make no difference", verdict, why, common)


def smaller(cases: pd.DataFrame, common: pd.DataFrame) -> Claim:
    """Whether log-normalised counts give the smaller spread over genes: rows of spread.claims, one for each method, target scored on and form; it holds where all do."""
    count = (
        {word: int((cases["verdict"] == word).sum()) for word in (HOLDS, FAILS, UNDECIDED)}
        if len(cases)
        else {}
    )
    why = f"Asked of each method, on either target, of either form: {', '.join(f'{word} in {number} of {len(cases)} cases' for word, number in count.items()) or 'of none here'}."
    word = next((word for word in (HOLDS, FAILS) if count and count[word] == len(cases)), UNDECIDED)
    return decided("Scores of genes vary less after log-normalisation", word, why, common)


def depth(jobs: Sequence[Job], sections: Sequence[Section]) -> pd.DataFrame:
    """How much of each target is depth: [transform, section, pcc], the median over genes of the correlation of the target with ln(1 + UMI total of the spot)."""
    lines = []
    for run in {(run.target, run.split): run for _, run in jobs}.values():
        target = training_set(run, sections)[1]
        for section in (section for section in sections if section.name in run.split.test):
            values = target(counted(section, run.target))
            total = np.log1p(section.totals(target.shared))[:, None].repeat(values.shape[1], axis=1)
            lines.append(
                {
                    "transform": run.target,
                    "section": section.name,
                    "pcc": float(np.nanmedian(pcc(values, total))),
                }
            )
    return (
        pd.DataFrame(lines)
        .groupby(["transform", "section"], sort=False)["pcc"]
        .mean()
        .reset_index()
    )
