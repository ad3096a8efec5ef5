"""The authors' own out-of-distribution scores, by their labels and by the names of the sections."""

import pandas as pd

from compendium.data.partition import INSIDE, OUTSIDE, ROLES
from compendium.data.splits import PUBLISHED_OOD
from compendium.evaluation.published import read


def authors_scores() -> pd.DataFrame:
    """Return the authors' out-of-distribution rows of data/published/scores.csv.

    Returns
    -------
    Columns: method, section, labelled (role in their table), role (of the section's name in the
    partition that the article describes), median, mean, q25, q75.
    """
    table = read()
    table = table[table["source"].str.endswith("OOD_all.csv")].reset_index(drop=True)
    roles = {name: role for role, names in zip(ROLES, PUBLISHED_OOD, strict=True) for name in names}
    labelled, role = table["role"].str.partition(" ")[0], table["section"].map(roles)
    columns = ["method", "section", "labelled", "role", "median", "mean", "q25", "q75"]
    return table.assign(labelled=labelled, role=role)[columns]


def by_role(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the authors' scores over the sections of a role.

    Parameters
    ----------
    scores
        Those of `authors_scores`.

    Returns
    -------
    One row a method and way to take the role ("as labelled", "by name"): method, sections, and the
    mean over sections of the section medians and means in validation and in test.
    """
    ways = {"as labelled": scores["labelled"], "by name": scores["role"]}
    both = pd.concat([scores.assign(sections=way, role=roles) for way, roles in ways.items()])
    wide = both.pivot_table(["median", "mean"], ["method", "sections"], "role")
    order = [(value, role) for value in ("median", "mean") for role in (INSIDE, OUTSIDE)]
    return wide[order].set_axis([f"{role}, {value}" for value, role in order], axis=1).reset_index()
