"""Augmentation and stain: the rows of the chapter, and how far each lies from the same model on tiles as they are, in and out of distribution."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from compendium.chapters.augmentation.image_names import TITLES
from compendium.data.partition import Partition, partition
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.errors import BadInput, did_you_mean
from compendium.evaluation import comparison as rows
from compendium.evaluation.comparison import Job, Row, fitted, provenance
from compendium.evaluation.paired import Comparison, differences
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, summary
from compendium.images.augment.families import FAMILIES
from compendium.images.encoders import FROZEN
from compendium.images.stain import store as stain
from compendium.images.stain.augment import VISIUM
from compendium.images.stain.colour_spaces import lab
from compendium.runs.inputs.prepare import stained
from compendium.runs.run import plan_run

SEEN = {"encoder": FROZEN, "tile_px": 112}  # by every row; the tile is Hist2ST's own
VIEWS, MAIN, STAIN, STAIN_RIDGE = "views", "main", "stain", "stain-ridge"  # groups of rows
GROUPS = {
    VIEWS: "families in the views",
    MAIN: "families on the head's tiles",
    STAIN: "stains, Hist2ST",
    STAIN_RIDGE: "stains, ridge",
}  # for readers
PLAIN, OFF, AGAIN = (
    "none",
    "off",
    "again",
)  # names of rows: the reference of a group, without distillation, the reference from another seed
ALONE = "-alone"  # ending of the name of a stain that is mapped in training sections alone
CHANNELS = ("L", "a", "b")
LONG = {
    "epochs": 60,
    "batch": 32,
}  # of the head: on few spots its 50 epochs in batches of 128 end long before it has learned, the more so on augmented tiles
EVERY = 8  # pixel, in either direction, whose colour is measured


def compared(families: Sequence[str], stains: Sequence[str], views: int, seed: int) -> list[Row]:
    """The rows, each with the key GROUP:NAME. In a group they differ from GROUP:none in the one thing that their name says."""
    network, head, ridge, other = (
        {"method": "hist2st"},
        {"method": "stnet"} | LONG,
        {"method": "ridge"},
        {"seed": seed + 1},
    )
    alone = network | {"distill": 0.0}
    found = [Row(f"{VIEWS}:{OFF}", "without distillation", alone)]
    for group, words, word in (
        (VIEWS, network | {"distill": 0.5, "views": views}, "view"),
        (MAIN, head, "augment"),
    ):
        found += [
            Row(
                f"{group}:{name}",
                "as they are" if name == PLAIN else FAMILIES[name].title,
                words | {word: name},
            )
            for name in (PLAIN, *families)
        ]
    found.append(
        Row(
            f"{MAIN}:{AGAIN}",
            f"{FAMILIES[families[0]].title}, another seed",
            head | other | {"augment": families[0]},
        )
    )
    for group, words in ((STAIN, alone), (STAIN_RIDGE, ridge)):
        found += [
            Row(
                f"{group}:{name}",
                "as they are" if name == PLAIN else TITLES[name],
                words | {"stain": name},
            )
            for name in (PLAIN, *stains)
        ]
        found += [
            Row(
                f"{group}:{name}{ALONE}",
                f"{TITLES[name]} (training only)",
                words | {"stain": name, "stain_test": False},
            )
            for name in stains
            if name in stain.NORMALISERS
        ]
    return [*found, Row(f"{STAIN}:{AGAIN}", "as they are, another seed", alone | other)]


def check_names(what: str, names: Sequence[str], known: Iterable[str]) -> list[str]:
    """The names, all that are known where none is given. BadInput where one is not."""
    others = [name for name in known if name != PLAIN]
    if wrong := [name for name in names if name not in others]:
        raise BadInput(
            f"{what} names {wrong[0]!r}; {did_you_mean(wrong[0], others)}known: {', '.join(others)}"
        )
    return list(names or others)


def left_out(titles: Mapping[str, str], group: str, by: str) -> str:
    """What a caption says of the families or stains that a group of rows does not compare; "" where it has all that are known.

    titles: of the rows, by their keys. by: who left them out.
    """
    word, known = (
        ("stains", TITLES)
        if group in (STAIN, STAIN_RIDGE)
        else (
            "families",
            {name: family.title for name, family in FAMILIES.items() if name != PLAIN},
        )
    )
    missing = [title for name, title in known.items() if f"{group}:{name}" not in titles]
    return (
        f" Left out by {by}, {len(missing)} of {len(known)} {word}: {'; '.join(missing)}."
        if missing
        else ""
    )


def study(
    cohort: str,
    training: Sequence[str],
    validation: Sequence[str],
    test: Sequence[str],
    families: Sequence[str],
    stains: Sequence[str],
    views: int,
    device: str,
    **words,
) -> Results:
    """Every row fitted on the training sections and scored on the others, with all families and stains where none is named; words go to every run.

    boxes: quartiles over genes and sections of a role (validation, test). panels: the same for each part of the gene panel. sections: the same of each section.
    differences: row less the reference of its group, mean over genes, by section. floor, curves, cost: see evidence.rows. looks: see `looks`. spread: see `spread`.
    facts: `roles` (section -> role), `validation_is`, `test_is`, `titles` of the rows.
    """
    families, stains = (
        check_names("families", families, FAMILIES),
        check_names("stains", stains, stain.STAINS),
    )
    sections = open_sections(cohort, [*training, *validation, *test] or None)
    parts = partition(sections, training, validation, test)
    asked = compared(families, stains, views, int(words["seed"]))
    jobs = [
        (
            row.key,
            plan_run(cohort, parts.split, sections=sections, **SEEN | words | dict(row.parameters)),
        )
        for row in asked
    ]
    plain = [
        (key, run)
        for key, run in jobs
        if key in (f"{VIEWS}:{OFF}", f"{MAIN}:{PLAIN}", f"{STAIN_RIDGE}:{PLAIN}")
    ]
    groups = fitted(
        {"fits": jobs, "twins": [(key, replace(run, permute=True)) for key, run in plain]},
        sections,
        device,
    )
    table = (
        groups["fits"]
        .scores(sections)
        .assign(role=lambda scored: scored["section"].map(parts.roles))
    )
    by = ["row", "role"]
    named = {
        "boxes": summary(table, by),
        "panels": summary(by_panel(table), ["panel", *by]),
        "sections": summary(table, [*by, "section", "patient"]),
    }
    tables = {
        name: grouped(each)
        for name, each in (
            named | {"differences": apart(table, parts, f"{MAIN}:{families[0]}")}
        ).items()
    }
    tables |= {
        "floor": floor(table, groups["twins"].scores(sections), jobs),
        "curves": groups["fits"].curves(),
        "cost": groups["fits"].cost(),
    }
    tables |= {
        "looks": looks(jobs, sections, parts),
        "spread": spread([section for section in sections if section.name in parts.training]),
    }
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "roles": parts.roles,
        "validation_is": parts.validation_is,
        "test_is": parts.test_is,
        "genes": table["gene"].nunique(),
        "titles": {row.key: row.title for row in asked},
        "protocol": f"clean, except split = {parts.split.rule}, panel = {words['panel']}, tile_px = {jobs[0][1].tile_px}, budget = {words['budget']}, images as named",
    }
    return Results(tables, provenance(groups) | facts)


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    """With the key of the row taken apart: `group` and `name`."""
    parts = table["row"].str.partition(":")
    return table.assign(group=parts[0], name=parts[2])


def apart(table: pd.DataFrame, parts: Partition, repeated: str) -> pd.DataFrame:
    """Row less the reference of its group, mean over the genes that both scored, by section: [row, role, section, patient, difference, genes].

    repeated: the row that MAIN:again repeats. Its own reference has nothing that a seed could move: the head starts at zero.
    """
    keys = [key for key in table["row"].unique() if not key.endswith(f":{PLAIN}")]
    pairs = [
        Comparison(
            key, key, repeated if key == f"{MAIN}:{AGAIN}" else f"{key.partition(':')[0]}:{PLAIN}"
        )
        for key in keys
    ]
    found = differences(table, pairs).rename(columns={"comparison": "row"})
    return found.assign(role=found["section"].map(parts.roles))[
        ["row", "role", "section", "patient", "difference", "genes"]
    ]


def floor(table: pd.DataFrame, twins: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """One line a row (see rows.floor). Twins are fitted of a method's plain row alone; where that one does not pass its twin, no row of the method is a result."""
    lines, method = (
        rows.criterion(table, twins, jobs).set_index("row"),
        {key: run.method for key, run in jobs},
    )
    failed = {
        method[key]
        for key in lines.index[lines["twin"].notna()]
        if not lines.loc[key, "pcc"] > lines.loc[key, "twin"]
    }
    return lines.assign(
        result=lines["result"] & ~lines.index.map(method).isin(failed)
    ).reset_index()


def looks(jobs: Sequence[Job], sections: Sequence[Section], parts: Partition) -> pd.DataFrame:
    """Mean colour (CIELAB) of every section's tiles as the rows on stains are shown them: [name, section, role, L, a, b, distance], the last to the training mean."""
    tables = []
    for key, run in jobs:
        if not key.startswith(f"{STAIN}:") or key.endswith(AGAIN):
            continue
        seen = stained(run, sections)
        colours = {
            name: lab(seen[name].patches[:, ::EVERY, ::EVERY])
            .reshape(-1, 3)
            .mean(axis=0, dtype=np.float64)
            for name in parts.roles
        }
        centre = np.mean([colours[name] for name in parts.training], axis=0)
        for name, role in parts.roles.items():
            where = {"name": key.partition(":")[2], "section": name, "role": role} | dict(
                zip(CHANNELS, colours[name], strict=True)
            )
            tables.append(where | {"distance": float(np.linalg.norm(colours[name] - centre))})
    return pd.DataFrame(tables)


def spread(train: Sequence[Section]) -> pd.DataFrame:
    """What RandStainNA draws from, fitted on these sections, beside the benchmark's values: [moment, channel, location, scale, published location, published scale]."""
    own = stain.fitted(train, "randstainna").spread
    return pd.DataFrame(
        [
            {
                "moment": moment,
                "channel": channel,
                "location": own.location[i][j],
                "scale": own.scale[i][j],
                "published location": VISIUM.location[i][j],
                "published scale": VISIUM.scale[i][j],
            }
            for i, moment in enumerate(("mean", "standard deviation"))
            for j, channel in enumerate(CHANNELS)
        ]
    )
