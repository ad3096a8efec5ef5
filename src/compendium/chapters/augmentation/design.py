"""Design of the augmentation chapter: rows that differ in the one thing that they are named by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from compendium.chapters.augmentation.catalogue import TITLES
from compendium.errors import BadInput, did_you_mean
from compendium.evaluation.comparison import Design, Row, partitioned, protocol_line
from compendium.images.augment.families import FAMILIES
from compendium.images.encoders import FROZEN
from compendium.images.stain.store import NORMALISERS, STAINS
from compendium.runs import plan_run

SHARED = {"encoder": FROZEN, "tile_px": 112}
"""Parameters of every row; the tile is Hist2ST's own."""
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
    network, ridge, other = {"method": "hist2st", "distill": 0.0}, {"method": "ridge"}, seed + 1
    distilled = network | {"distill": 0.5, "views": views}
    head, first = {"method": "stnet"}, families[0]
    repeated = head | {"augment": first, "seed": other}
    of_family = {name: FAMILIES[name].title for name in families}
    return [
        Row(f"{VIEWS}:{OFF}", "without distillation", network),
        *_rows(VIEWS, distilled, "view", of_family),
        *_rows(MAIN, head, "augment", of_family),
        Row(f"{MAIN}:{AGAIN}", f"{FAMILIES[first].title}, another seed", repeated),
        *_stain_rows(STAIN, network, stains),
        *_stain_rows(STAIN_RIDGE, ridge, stains),
        Row(f"{STAIN}:{AGAIN}", "as they are, another seed", network | {"seed": other}),
    ]


def _rows(
    group: str, shared: Mapping[str, object], parameter: str, titles: Mapping[str, str]
) -> list[Row]:
    named = {PLAIN: "as they are"} | dict(titles)
    return [
        Row(f"{group}:{name}", title, shared | {parameter: name}) for name, title in named.items()
    ]


def _stain_rows(group: str, shared: Mapping[str, object], stains: Sequence[str]) -> list[Row]:
    alone = [
        Row(
            f"{group}:{name}{ALONE}",
            f"{TITLES[name]} (training only)",
            shared | {"stain": name, "stain_test": False},
        )
        for name in stains
        if name in NORMALISERS
    ]
    return _rows(group, shared, "stain", {name: TITLES[name] for name in stains}) + alone


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
    sections, parts = partitioned(cohort, roles)
    stated = SHARED | parameters
    compared = rows(families, stains, views, int(stated["seed"]))
    fits = [
        (row.key, plan_run(cohort, parts.split, sections=sections, **stated | dict(row.parameters)))
        for row in compared
    ]
    plain = (f"{VIEWS}:{OFF}", f"{MAIN}:{PLAIN}", f"{STAIN_RIDGE}:{PLAIN}")
    permuted = [(key, replace(run, permute=True)) for key, run in fits if key in plain]
    split = f"= {parts.split.rule}, images as named, tile_px = {stated['tile_px']}"
    its = {"roles": parts.roles, "validation_is": parts.validation_is, "test_is": parts.test_is}
    titles = {row.key: row.title for row in compared}
    facts = its | {"titles": titles, "views": views, "seed": stated["seed"]}
    groups = {"fits": fits, "permuted": permuted}
    return Design(cohort, sections, groups, protocol_line(split, stated), facts)
