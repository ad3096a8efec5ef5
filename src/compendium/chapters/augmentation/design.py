"""Design of the augmentation chapter: rows that differ in the one thing that they are named by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from compendium.chapters.augmentation.catalogue import TITLES
from compendium.data.partition import ROLES, partition
from compendium.data.splits import PUBLISHED_OOD
from compendium.errors import BadInput, did_you_mean
from compendium.evaluation.comparison import Design, Row, placed, protocol_line
from compendium.images.augment.families import FAMILIES
from compendium.images.encoders import FROZEN
from compendium.images.stain.store import NORMALISERS, STAINS
from compendium.runs import plan_run

SHARED = {"encoder": FROZEN, "tile_px": 112}
"""Parameters of every row; the tile is Hist2ST's own."""
LONG = {"epochs": 60, "batch": 32}
"""Training of the head: on few spots its 50 epochs in batches of 128 end long before it has
learned, the more so on augmented tiles."""
VIEWS, MAIN, STAIN, STAIN_RIDGE = "views", "main", "stain", "stain-ridge"
GROUPS = {
    VIEWS: "families in the views",
    MAIN: "families on the head's tiles",
    STAIN: "stains, Hist2ST",
    STAIN_RIDGE: "stains, ridge",
}
"""Groups of rows and their titles; the key of a row is GROUP:NAME."""
PLAIN, OFF, AGAIN = "none", "off", "again"
"""Names of rows: reference of a group, without distillation, reference from another seed."""
ALONE = "-alone"
"""Ending of the name of a stain map that is applied to training sections alone."""


def rows(families: Sequence[str], stains: Sequence[str], views: int, seed: int) -> list[Row]:
    """Return all rows. In a group they differ from GROUP:none in what they are named by."""
    network = {"method": "hist2st", "distill": 0.0}
    distilled, other = network | {"distill": 0.5, "views": views}, {"seed": seed + 1}
    head, first = {"method": "stnet"} | LONG, families[0]
    repeated = head | other | {"augment": first}
    return [
        Row(f"{VIEWS}:{OFF}", "without distillation", network),
        *_family_rows(VIEWS, distilled, "view", families),
        *_family_rows(MAIN, head, "augment", families),
        Row(f"{MAIN}:{AGAIN}", f"{FAMILIES[first].title}, another seed", repeated),
        *_stain_rows(STAIN, network, stains),
        *_stain_rows(STAIN_RIDGE, {"method": "ridge"}, stains),
        Row(f"{STAIN}:{AGAIN}", "as they are, another seed", network | other),
    ]


def _family_rows(
    group: str, shared: Mapping[str, object], parameter: str, families: Sequence[str]
) -> list[Row]:
    titles = {PLAIN: "as they are"} | {name: FAMILIES[name].title for name in families}
    return [
        Row(f"{group}:{name}", title, shared | {parameter: name}) for name, title in titles.items()
    ]


def _stain_rows(group: str, shared: Mapping[str, object], stains: Sequence[str]) -> list[Row]:
    titles = {PLAIN: "as they are"} | {name: TITLES[name] for name in stains}
    everywhere = [
        Row(f"{group}:{name}", title, shared | {"stain": name}) for name, title in titles.items()
    ]
    in_training = shared | {"stain_test": False}
    return everywhere + [
        Row(
            f"{group}:{name}{ALONE}",
            f"{TITLES[name]} (training only)",
            in_training | {"stain": name},
        )
        for name in stains
        if name in NORMALISERS
    ]


def check_names(what: str, names: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return the names, all that are known where none is given.

    Raises
    ------
    BadInput
        Where a name is not known.
    """
    others = [name for name in known if name != PLAIN]
    if unknown := [name for name in names if name not in others]:
        raise BadInput(
            f"{what} names {unknown[0]!r}; {did_you_mean(unknown[0], others)}"
            f"known: {', '.join(others)}"
        )
    return list(names or others)


def design(
    cohort: str,
    roles: Mapping[str, Sequence[str]],
    families: Sequence[str] = (),
    stains: Sequence[str] = (),
    views: int = 5,
    **parameters,
) -> Design:
    """Plan every row on the training sections, and a permuted-image control a method.

    Parameters
    ----------
    cohort
        Cohort of the sections, or several joined by `+`.
    roles
        Names of the sections of each role: training, validation, test. Without any, the partition
        of the benchmark.
    families, stains
        Augmentation families and stain maps; all by default.
    views
        Views a step of the self-distillation.
    parameters
        Parameters of every run: panel, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted; the controls are of each method's plain row.
    """
    families = check_names("families", families, FAMILIES)
    stains = check_names("stains", stains, STAINS)
    named = [list(roles.get(role, ())) for role in ROLES]
    sections = placed(cohort, sum(named, []) or sum(map(list, PUBLISHED_OOD), []))
    parts, stated = partition(sections, *named), SHARED | parameters
    compared = rows(families, stains, views, int(stated["seed"]))
    fits = [
        (row.key, plan_run(cohort, parts.split, sections=sections, **stated | dict(row.parameters)))
        for row in compared
    ]
    plain = (f"{VIEWS}:{OFF}", f"{MAIN}:{PLAIN}", f"{STAIN_RIDGE}:{PLAIN}")
    permuted = [(key, replace(run, permute=True)) for key, run in fits if key in plain]
    split = f"= {parts.split.rule}, images as named, tile_px = {stated['tile_px']}"
    return Design(
        cohort,
        sections,
        {"fits": fits, "permuted": permuted},
        protocol_line(split, stated),
        {
            "roles": parts.roles,
            "validation_is": parts.validation_is,
            "test_is": parts.test_is,
            "titles": {row.key: row.title for row in compared},
            "views": views,
            "seed": stated["seed"],
        },
    )
