"""Titles of augmentation families and stain maps, and tables of what each does."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd
import yaml

from compendium.images.augment import families as augment
from compendium.images.stain import store as stain

TEXTS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
TITLES: dict[str, str] = TEXTS["titles"]
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
