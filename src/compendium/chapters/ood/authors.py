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
    table = table[table["source"].str.endswith("OOD_all.csv")]
    roles = {name: role for role, names in zip(ROLES, PUBLISHED_OOD, strict=True) for name in names}
    labelled = table["role"].str.partition(" ")[0]
    columns = ["method", "section", "labelled", "role", "median", "mean", "q25", "q75"]
    return table.assign(labelled=labelled, role=table["section"].map(roles))[columns].reset_index(
        drop=True
    )


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
    lines = []
    for method, part in scores.groupby("method"):
        for way, column in (("as labelled", "labelled"), ("by name", "role")):
            means = part.groupby(column)[["median", "mean"]].mean()
            values = {
                f"{role}, {value}": means.loc[role, value]
                for value in ("median", "mean")
                for role in (INSIDE, OUTSIDE)
            }
            lines.append({"method": method, "sections": way} | values)
    return pd.DataFrame(lines)
