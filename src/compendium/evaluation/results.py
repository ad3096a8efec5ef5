"""Results of a chapter: small tables and facts, on disk one folder, so that its page can be drawn
again where the raw data are not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from compendium.errors import BadInput
from compendium.storage import atomic_folder, sha256

FACTS = "facts.json"
TOLERANCE = 0.1
"""Largest `Difference.share` expected on another CPU or with other threads, where rounding differs
and training amplifies it (0.02 measured for chapter 3, one thread against two)."""
DECIMALS = 4
"""Of numbers in a table with a line for each gene, which then takes a third of the room."""
PACKED = {"compression": "zstd", "compression_level": 19}
TIMED = ("seconds", "relative")
"""Columns that depend on how busy the machine was; tables are compared without them."""


@dataclass(frozen=True)
class Results:
    """Tables of a chapter by name, and facts.

    Parameters
    ----------
    tables
        Table by name; `results["scores"]` is short for `results.tables["scores"]`.
    facts
        As JSON has them: at least device, protocol, data (cohort and digest of the sections),
        records (number of fits) and stages (their versions, see `compendium.versions`).
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]


def write(folder: Path, results: Results) -> None:
    """Write tables and facts, all or nothing.

    Numbers are in single precision; in tables with a column `gene` they are rounded to 4 decimals.
    """
    with atomic_folder(folder) as aside:
        for name, table in results.tables.items():
            _single(table).to_parquet(aside / f"{name}.parquet", index=False, **PACKED)
        checksums = {name: sha256(aside / f"{name}.parquet") for name in results.tables}
        text = json.dumps(dict(results.facts) | {"tables": checksums}, indent=1, allow_nan=False)
        (aside / FACTS).write_text(text + "\n", encoding="utf-8")


def _single(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is written."""
    single = table.astype(dict.fromkeys(table.select_dtypes("float64"), "float32"))
    return single.round(DECIMALS) if "gene" in single else single


def read(folder: Path) -> Results:
    """Read what `write` wrote.

    Raises
    ------
    BadInput
        If a file is missing, or a table is not the one that the facts were written with.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stated = facts.pop("tables").items()
        tables = {name: _table(folder / f"{name}.parquet", checksum) for name, checksum in stated}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error.__class__.__name__}: {' '.join(str(error).split())}"
        raise BadInput(
            f"{folder} holds no tables of a chapter ({reason}); take the folder from one commit"
        ) from error
    return Results(tables, facts)


def _table(path: Path, checksum: str) -> pd.DataFrame:
    if sha256(path) != checksum:
        raise ValueError(f"{path.name} is not the table that {FACTS} describes")
    return pd.read_parquet(path)


class Difference(NamedTuple):
    """Distance of a table from another; infinite where rows, columns or texts differ.

    Parameters
    ----------
    largest
        Largest absolute difference of a number.
    share
        Mean absolute difference of the column that differs most, divided by the root mean square
        of that column.
    """

    largest: float
    share: float


OTHER = Difference(np.inf, np.inf)


def differences(results: Results, reference: Results) -> dict[str, Difference]:
    """Return the distance of each table from that of a reference, times left out."""
    return {
        name: _difference(results.tables.get(name), reference.tables.get(name))
        for name in sorted({*results.tables, *reference.tables})
    }


def _difference(one: pd.DataFrame | None, other: pd.DataFrame | None) -> Difference:
    if one is None or other is None or list(one) != list(other) or len(one) != len(other):
        return OTHER
    columns = [name for name in one.columns if not str(name).startswith(TIMED)]
    one, other = one[columns], other[columns]
    numbers = list(other.select_dtypes("number"))
    texts = [name for name in columns if name not in numbers]
    same_texts = one[texts].astype(str).equals(other[texts].astype(str))
    one, other = one[numbers].astype(np.float64), other[numbers].astype(np.float64)
    if not same_texts or not (one.isna().to_numpy() == other.isna().to_numpy()).all():
        return OTHER
    apart, size = (one - other).abs(), np.sqrt((other**2).mean())
    share = (apart.mean() / size.where(size > 0, 1.0)).fillna(0.0)
    largest = float(np.nanmax(apart.to_numpy(), initial=0.0))
    return Difference(largest, float(share.max()) if numbers else 0.0)


def summarise_differences(found: Mapping[str, Difference]) -> str:
    """Return a line on how far tables are from the reference tables, times left out."""
    moved = {name: each for name, each in found.items() if each.largest > 0}
    if not moved:
        return "all tables are equal, times left out"
    parts = [f"{len(found) - len(moved)} of {len(found)} tables are equal, times left out"]
    near = {name: each for name, each in moved.items() if each != OTHER}
    if near:
        worst = max(near, key=lambda name: near[name].share)
        within = "within" if near[worst].share <= TOLERANCE else "beyond"
        parts.append(
            f"{worst} differs by up to {near[worst].largest:.2g}, on average by "
            f"{near[worst].share:.0%} of its size, {within} the tolerance of {TOLERANCE:.0%} "
            "for other processors and numbers of threads"
        )
    if others := [name for name in moved if name not in near]:
        parts.append(f"other rows or texts: {', '.join(others)}")
    return "; ".join(parts)
