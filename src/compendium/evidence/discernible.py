"""Does a change of images make a discernible difference? What another seed moves is the measure."""

from collections.abc import Mapping, Sequence

import pandas as pd

from compendium.evidence.augmentation import AGAIN, MAIN, OFF, STAIN
from compendium.evidence.transfer import FEWEST

ROLES = ("validation", "test")


def chance(found: pd.DataFrame, group: str) -> float:
    """What another seed moves: the largest distance, over sections, between two fits of a group that differ in nothing else.

    Distilled rows and ridge, which has no seed, are held to the fits of Hist2ST without distillation. found: the table `differences` of augmentation.study.
    """
    again = found[(found["group"] == (MAIN if group == MAIN else STAIN)) & (found["name"] == AGAIN)]
    return float(again["difference"].abs().max())


def beyond(found: pd.DataFrame, group: str, role: str) -> tuple[list[str], list[str]]:
    """Names of the rows of a group that lie above, and below, the reference in every section of a role by more than another seed moves anywhere."""
    bar = chance(found, group)
    lines = found[(found["group"] == group) & (found["role"] == role) & ~found["name"].isin([AGAIN, OFF])].groupby("name", sort=False)["difference"]
    return [name for name, values in lines if values.min() > bar], [name for name, values in lines if values.max() < -bar]


def highest(boxes: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """The row with the highest median in each role, of the rows of one group of the table `boxes`."""
    best = {role: part.loc[part["median"].idxmax()] for role, part in boxes[boxes["name"] != AGAIN].groupby("role", sort=False)}
    return "; ".join(f"in {role} {titles[line['row']]}, {line['median']:.3f}" for role, line in best.items())


def claim(found: pd.DataFrame, group: str, titles: Mapping[str, str], smoke: Sequence[str] = ()) -> str:
    """What a group says of the benchmark's finding that neither augmentation nor stain makes a discernible difference. smoke: titles of its rows below the floor.

    Only roles of at least FEWEST sections decide.
    """
    moved = {role: dict(zip(("above", "below"), beyond(found, group, role), strict=True)) for role in ROLES}
    told = []
    for role, ways in moved.items():
        said = [", ".join(titles[f"{group}:{name}"] for name in names) + f" {way}" for way, names in ways.items() if names]
        told.append(f"in {role} {' and '.join(said) or 'none'}")
    whose = "it" if group in (MAIN, STAIN) else "Hist2ST"  # see `chance`
    stands = f"in every section of a role further from the reference than another seed moves {whose} ({chance(found, group):.3f}) lie, {'; '.join(told)}"
    sections = found.groupby("role")["section"].nunique().reindex(ROLES, fill_value=0)
    enough = list(sections.index[sections >= FEWEST])
    if smoke:
        return f"Cannot be decided here, {', '.join(smoke)} stayed below the floor of a result: {stands}."
    if not enough:
        return f"Cannot be decided here, {' and '.join(f'{count} in {role}' for role, count in sections.items())} are too few sections: {stands}."
    held = not any(names for role in enough for names in moved[role].values())
    return f"{'Nothing here speaks against it' if held else 'Does not hold here'}: {stands}."
