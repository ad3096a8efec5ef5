"""Titles of augmentation families and stain maps, and tables of what each does."""

from collections.abc import Collection

import pandas as pd

from compendium.images.augment import families as augment
from compendium.images.stain import store as stain

TITLES = {
    "reinhard": "Reinhard",
    "macenko": "Macenko",
    "vahadane": "Vahadane",
    "hed-lighter": "HED, lighter",
    "hed-light": "HED, light",
    "hed-strong": "HED, strong",
    "randstainna": "RandStainNA",
    "randstainna-laplace": "RandStainNA, Laplace",
    "randstainna-visium": "RandStainNA, Visium",
}
"""Titles of stain maps; those of families are in their classes."""
TINTED = {
    "Reinhard": "brightened, a trace of tint left",
    "Macenko": "stays if no darker than the threshold",
    "Vahadane": "nearly white",
    "HED": "takes the factor; if darker than the threshold, the offset too",
    "RandStainNA": "stays if no darker than the threshold",
}
"""What a method makes of tinted background; white stays white in all."""


def stain_maps(compared: Collection[str] = ()) -> pd.DataFrame:
    """Return one row a stain map.

    Parameters
    ----------
    compared
        Names of the maps that a chapter compares.

    Returns
    -------
    Columns: stain map, name, changes (which tiles), tinted background, parameters, compared.
    """
    return pd.DataFrame(
        [
            {
                "stain map": TITLES[row["stain"]],
                "name": row["stain"],
                "changes": row["changes"],
                "tinted background": TINTED[row["method"]],
                "parameters": row["parameters"],
                "compared": row["stain"] in compared,
            }
            for row in stain.table()
        ]
    )


def families(compared: Collection[str] = ()) -> pd.DataFrame:
    """Return one row an augmentation family and operation.

    Parameters
    ----------
    compared
        Names of the families that a chapter compares.

    Returns
    -------
    Columns: family, name, operation, parameters, source, compared.
    """
    table = pd.DataFrame(augment.table()).rename(columns={"family": "name", "title": "family"})
    columns = ["family", "name", "operation", "parameters", "source"]
    return table[columns].assign(compared=table["name"].isin(list(compared)))
