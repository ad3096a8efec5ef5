"""What becomes of the benchmark's claims about another laboratory: decided by the numbers of a study, and what the authors' own table says when its labels are mended."""

import numpy as np
import pandas as pd

from compendium.data.partition import INSIDE, OUTSIDE, ROLES
from compendium.data.splits import PUBLISHED_OOD
from compendium.evaluation.published import read
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, PATIENTS, UNDECIDED, Claim, decided


def claims(found: Results) -> dict[str, Claim]:
    """The claims of chapter 3, from the tables `rows` and `parts` of ood.study; controls and what is below the floor decide nothing."""
    rows, parts = found["rows"], found["parts"]
    judged = rows[rows["result"] & ~rows["control"]].dropna(subset=[INSIDE, OUTSIDE])
    asked = {
        "alike": ("Most methods score alike in and out of distribution", _alike),
        "most": ("Hist2ST falls most", _most),
        "highest": ("STimage has the highest median out of distribution", _highest),
    }
    hindered, tested = _hindrances(parts, judged), parts[parts["role"] == OUTSIDE]
    return {
        key: decided(
            claim, *(judge(judged) if len(judged) else (UNDECIDED, "")), tested, hindered=hindered
        )
        for key, (claim, judge) in asked.items()
    }


def _hindrances(parts: pd.DataFrame, judged: pd.DataFrame) -> list[str]:
    """Why nothing can be decided, besides too few test sections, in sentences; none where something can."""
    tested, others = parts[parts["role"] == OUTSIDE], parts[parts["role"] != OUTSIDE]
    told = (
        ["The test is not of another laboratory."]
        if set(tested["lab"]) & set(others["lab"])
        else []
    )
    inside = parts[parts["role"] == INSIDE]
    if inside["patient"].nunique() < PATIENTS:
        told.append(
            f"Validation is of {inside['patient'].nunique()} patient, who may differ from all others: {', '.join(inside['section'])}."
        )
    if len(judged) < 2:
        told.append(
            f"Methods besides the controls that reach the floor of a result: {len(judged)}."
        )
    return told


def _alike(judged: pd.DataFrame) -> tuple[str, str]:
    fell, rose = (judged["title"][judged[way]].tolist() for way in ("fell", "rose"))
    told = f"In {len(fell)} of {len(judged)} every test section lies below every validation section{': ' if fell else ''}{', '.join(fell)}; in {len(rose)} above."
    return HOLDS if 2 * (len(fell) + len(rose)) < len(judged) else FAILS, told


def _most(judged: pd.DataFrame) -> tuple[str, str]:
    drop = judged.set_index("method")["drop"]
    if "hist2st" not in drop:
        return UNDECIDED, "Hist2ST does not reach the floor here, or was not asked for."
    others = drop.drop("hist2st")
    if others.empty:
        return (
            UNDECIDED,
            f"Hist2ST {_moved(drop['hist2st'])}; there is no other row to set it beside.",
        )
    told = f"Hist2ST {_moved(drop['hist2st'])}; of the others {judged.set_index('method')['title'][others.idxmax()]} falls most: it {_moved(others.max())}."
    return HOLDS if drop["hist2st"] > max(others.max(), 0) else FAILS, told


def _moved(drop: float | np.floating) -> str:
    return f"{'gains' if drop < 0 else 'loses'} {abs(drop):.3f}"


def _highest(judged: pd.DataFrame) -> tuple[str, str]:
    outside = judged.set_index("method")[OUTSIDE]
    best = outside.idxmax()
    told = f"The highest is {judged.set_index('method')['title'][best]} with {outside[best]:.3f}."
    if "stimage" not in outside:
        return UNDECIDED, f"STimage does not reach the floor here, or was not asked for. {told}"
    return HOLDS if best == "stimage" else FAILS, told


def published() -> pd.DataFrame:
    """The authors' out-of-distribution rows (data/published/scores.csv): [method, section, labelled, role, median, mean, q25, q75].

    labelled: the role as their table has it; role: by the name of the section and the partition that the article describes.
    """
    table = read()
    table = table[table["source"].str.endswith("OOD_all.csv")]
    roles = {name: role for role, names in zip(ROLES, PUBLISHED_OOD, strict=True) for name in names}
    labelled = table["role"].str.partition(" ")[0]
    return table.assign(labelled=labelled, role=table["section"].map(roles))[
        ["method", "section", "labelled", "role", "median", "mean", "q25", "q75"]
    ].reset_index(drop=True)


def mended(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a method, of `published`: means over sections of the section medians and means, in validation and test, as labelled and by the section's name."""
    lines = {}
    for how in ("labelled", "role"):
        for value in ("median", "mean"):
            wide = rows.groupby(["method", how], sort=False)[value].mean().unstack(how)
            lines |= {(INSIDE, value, how): wide[INSIDE], (OUTSIDE, value, how): wide[OUTSIDE]}
    return pd.DataFrame(lines)


def mended_words(table: pd.DataFrame) -> str:
    """Who is highest in test, by mean and by median, as labelled and by the section's name; which rows the labels move."""
    moved = [
        name
        for name in table.index
        if not np.allclose(
            table.loc[name].xs("labelled", level=2), table.loc[name].xs("role", level=2)
        )
    ]
    told = []
    for how, said in (("labelled", "as labelled"), ("role", "by the section's name")):
        ways = [
            f"{_first(table[(OUTSIDE, value, how)])} by section {value}s"
            for value in ("median", "mean")
        ]
        told.append(f"{said} {' and '.join(ways)}")
    return f"Rows whose label contradicts their section: {', '.join(moved) or 'none'}. Highest in test: {'; '.join(told)}."


def _first(values: pd.Series) -> str:
    return f"{values.idxmax()} ({values.max():.3f})"
