"""Titles of augmentation families and stain maps, and tables of what each does."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from compendium.images.augment import families as augment
from compendium.images.stain import store as stain
from compendium.texts import checked, exactly, read_yaml


def read_texts(file: Path) -> dict[str, dict[str, str]]:
    """Read the texts on stain maps.

    Raises
    ------
    BadInput
        Unless each map has a title, each method a background, and nothing else has one.
    """
    methods = (type(method).__name__ for method in stain.STAINS.values())
    parts = {
        "titles": exactly(dict.fromkeys(stain.STAINS, str)),
        "tinted background": exactly(dict.fromkeys(methods, str)),
    }
    mend = "give each stain map a title, each of their methods a background, and no other"
    return checked(exactly(parts), read_yaml(file), file, mend)


TEXTS = read_texts(Path(__file__).with_suffix(".yaml"))
TITLES = TEXTS["titles"]
"""Stain map -> its title."""


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
    table = pd.DataFrame(stain.table()).rename(columns={"stain": "name"})
    table["stain map"] = table["name"].map(TITLES)
    table["tinted background"] = table["method"].map(TEXTS["tinted background"])
    table["compared"] = table["name"].isin(list(compared))
    return table[["stain map", "name", "changes", "tinted background", "parameters", "compared"]]


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
