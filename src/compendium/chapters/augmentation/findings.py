"""Does a change of images make a discernible difference? What another seed moves is the measure."""

from collections.abc import Mapping, Sequence

import pandas as pd

from compendium.chapters.augmentation.results import AGAIN, MAIN, OFF, STAIN, STAIN_RIDGE, VIEWS
from compendium.data.partition import INSIDE, OUTSIDE
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim, decided, too_few

REPORTED = (INSIDE, OUTSIDE)
CLAIMED = {
    VIEWS: "Augmentations in the self-distillation of Hist2ST make no discernible difference",
    MAIN: "Augmentations of the tiles that ST-Net's head learns from make no discernible difference",
    STAIN: "Stain augmentation and normalisation make no discernible difference to Hist2ST",
    STAIN_RIDGE: "Stain augmentation and normalisation make no discernible difference to ridge",
}


def chance(found: pd.DataFrame, group: str) -> float:
    """What another seed moves: the largest distance, over sections, between two fits of a group that differ in nothing else.

    Distilled rows and ridge, which has no seed, are held to the fits of Hist2ST without distillation. found: the table `differences` of augmentation.study.
    """
    again = found[(found["group"] == (MAIN if group == MAIN else STAIN)) & (found["name"] == AGAIN)]
    return float(again["difference"].abs().max())


def beyond(found: pd.DataFrame, group: str, role: str) -> tuple[list[str], list[str]]:
    """Names of the rows of a group that lie above, and below, the reference in every section of a role by more than another seed moves anywhere."""
    bar = chance(found, group)
    lines = found[
        (found["group"] == group) & (found["role"] == role) & ~found["name"].isin([AGAIN, OFF])
    ].groupby("name", sort=False)["difference"]
    return [name for name, values in lines if values.min() > bar], [
        name for name, values in lines if values.max() < -bar
    ]


def highest(boxes: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """The row with the highest median in each role, of the rows of one group of the table `boxes`."""
    best = {
        role: part.loc[part["median"].idxmax()]
        for role, part in boxes[boxes["name"] != AGAIN].groupby("role", sort=False)
    }
    return "; ".join(
        f"in {role} {titles[line['row']]}, {line['median']:.3f}" for role, line in best.items()
    )


def claims(found: Results) -> dict[str, Claim]:
    """The claims of chapter 4, one for each group of rows, from the tables `differences` and `floor` of augmentation.study."""
    return {
        f"claim_{group.replace('-', '_')}": claim(
            found["differences"], group, found.facts["titles"], smoke(found, group)
        )
        for group in CLAIMED
    }


def smoke(found: Results, group: str) -> list[str]:
    """Titles of the rows of a group that are below the floor."""
    result, titles = found["floor"].set_index("row")["result"], found.facts["titles"]
    return [
        title for key, title in titles.items() if key.startswith(f"{group}:") and not result[key]
    ]


def claim(
    found: pd.DataFrame, group: str, titles: Mapping[str, str], below: Sequence[str] = ()
) -> Claim:
    """What a group says of the finding that images make no discernible difference. below: titles of its rows below the floor.

    Only roles of enough sections and patients decide. It fails where a row lies beyond what another seed moves, to one side, in every section of such a role, and holds
    where none does in any.
    """
    lines = found[(found["group"] == group) & ~found["name"].isin([AGAIN, OFF])]
    moved, told = (
        {
            role: dict(zip(("above", "below"), beyond(found, group, role), strict=True))
            for role in REPORTED
        },
        [],
    )
    for role, ways in moved.items():
        every = lines.loc[lines["role"] == role, "name"].nunique()
        said = [
            f"{_named(names, every, group, titles)} {way}" for way, names in ways.items() if names
        ]
        told.append(f"in {role} {' and '.join(said) or 'none'}")
    whose, bar = "it" if group in (MAIN, STAIN) else "Hist2ST", chance(found, group)  # see `chance`
    why = f"In every section of a role further from the reference than another seed moves {whose} ({bar:.3f}) lie, {'; '.join(told)}."
    enough = [role for role in REPORTED if not too_few(lines[lines["role"] == role])]
    judged = lines[lines["role"].isin(enough)]
    failed = any(names for role in enough for names in moved[role].values())
    verdict = FAILS if failed else HOLDS if judged["difference"].abs().max() <= bar else UNDECIDED
    hindered = (
        []
        if enough or too_few(lines)
        else [f"In {role} {too_few(lines[lines['role'] == role])}" for role in REPORTED]
    )
    return decided(CLAIMED[group], verdict, why, judged if enough else lines, below, hindered)


def _named(names: Sequence[str], every: int, group: str, titles: Mapping[str, str]) -> str:
    """“A”; “B”, or all 8 where these are all."""
    return (
        f"all {every}"
        if every > 1 and len(names) == every
        else "; ".join(f"“{titles[f'{group}:{name}']}”" for name in names)
    )
