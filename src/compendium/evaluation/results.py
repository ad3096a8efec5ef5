"""What a chapter found: small tables and facts, on disk a folder, so that its page can be drawn again where the raw data are not."""

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
TOLERANCE = 0.1  # of Apart.share on another type of CPU or with other threads, where rounding is other and training carries it on; one thread instead of two: 0.02 in chapter 3
TIMED = (
    "seconds",
    "relative",
)  # what depends on how busy the machine was, or on later code; a table that has one of these columns is compared without it


@dataclass(frozen=True)
class Results:
    """Tables by name, `found["scores"]`, and facts as JSON has them.

    facts: at least `device` (what computed it), `protocol`, `data` (digest of the sections), `records` (how many fits) and `stages` (versions of their stages, see compendium.versions).
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]


def write(folder: Path, found: Results) -> None:
    """Write tables and facts, whole or not at all; numbers in single precision."""
    with atomic_folder(folder) as aside:
        for name, table in found.tables.items():
            table.astype(dict.fromkeys(table.select_dtypes("float64"), "float32")).to_parquet(
                aside / f"{name}.parquet", index=False, compression="zstd"
            )
        facts = dict(found.facts) | {
            "tables": {name: sha256(aside / f"{name}.parquet") for name in found.tables}
        }
        (aside / FACTS).write_text(
            json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )


def read(folder: Path) -> Results:
    """What `write` wrote; BadInput where there is nothing, or where a table is not the one that the facts were written with."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tables = {
            name: _table(folder / f"{name}.parquet", checksum)
            for name, checksum in facts.pop("tables").items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{folder} holds no tables of a chapter ({error.__class__.__name__}: {' '.join(str(error).split())}); take the folder from one commit"
        ) from error
    return Results(tables, facts)


def _table(path: Path, checksum: str) -> pd.DataFrame:
    if sha256(path) != checksum:
        raise ValueError(f"{path.name} is not the table that {FACTS} describes")
    return pd.read_parquet(path)


class Apart(NamedTuple):
    """How far a table lies from another, times left out; infinitely where rows, columns or words are others.

    largest: of all differences of a number. share: mean difference of the column that differs most, as a share of the root mean square of that column.
    """

    largest: float
    share: float


OTHER = Apart(np.inf, np.inf)


def differences(found: Results, kept: Results) -> dict[str, Apart]:
    """Table -> how far it lies from the kept one."""
    return {
        name: _apart(found.tables.get(name), kept.tables.get(name))
        for name in sorted({*found.tables, *kept.tables})
    }


def _apart(one: pd.DataFrame | None, kept: pd.DataFrame | None) -> Apart:
    if (
        one is None
        or kept is None
        or list(one.columns) != list(kept.columns)
        or len(one) != len(kept)
    ):
        return OTHER
    columns = [name for name in one.columns if not str(name).startswith(TIMED)]
    numbers = [
        name
        for name in columns
        if pd.api.types.is_numeric_dtype(kept[name]) and not pd.api.types.is_bool_dtype(kept[name])
    ]
    words = [name for name in columns if name not in numbers]
    if (
        not one[words].astype(str).equals(kept[words].astype(str))
        or (one[numbers].isna().to_numpy() != kept[numbers].isna().to_numpy()).any()
    ):
        return OTHER
    own, other = one[numbers].astype(np.float64), kept[numbers].astype(np.float64)
    apart, size = (own - other).abs(), np.sqrt((other**2).mean())
    return Apart(
        float(np.nanmax(apart.to_numpy(), initial=0.0)),
        float((apart.mean() / size.where(size > 0, 1.0)).fillna(0.0).max()) if numbers else 0.0,
    )


def told(apart: Mapping[str, Apart]) -> str:
    """In words how far tables are from the kept ones, and whether that is within TOLERANCE; what has other rows or words, which may follow from a threshold, is named."""
    moved = {name: each for name, each in apart.items() if each.largest > 0}
    if not moved:
        return "the kept tables are reproduced exactly, times left out"
    said = [
        f"{len(apart) - len(moved)} of {len(apart)} kept tables are reproduced exactly, times left out"
    ]
    near = {name: each for name, each in moved.items() if each != OTHER}
    if near:
        worst = max(near, key=lambda name: near[name].share)
        held = f"{'within' if near[worst].share <= TOLERANCE else 'beyond'} the tolerance of {TOLERANCE:.0%} for other processors and numbers of threads"
        said.append(
            f"{worst} differs by up to {near[worst].largest:.2g}, on average by {near[worst].share:.0%} of its size, {held}"
        )
    if others := [name for name in moved if name not in near]:
        said.append(
            f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} other rows or words"
        )
    return "; ".join(said)
