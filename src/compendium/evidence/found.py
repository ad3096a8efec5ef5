"""What a chapter found: small tables and facts, on disk a folder, so that its page can be drawn again where the raw data are not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compendium.disk import sha256, whole_folder
from compendium.errors import BadInput

FACTS = "facts.json"
TIMED = ("seconds", "relative", "stale")  # what depends on how busy the machine was, or on later code; a table that has one of these columns is compared without it


@dataclass(frozen=True)
class Found:
    """Tables by name, `found["scores"]`, and facts as JSON has them.

    facts: at least `device` (what computed it), `protocol`, `data` (digest of the sections), `records` and `stale` (how many were made by other code).
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]


def write(folder: Path, found: Found) -> None:
    """Write tables and facts, whole or not at all; numbers in single precision."""
    with whole_folder(folder) as aside:
        for name, table in found.tables.items():
            table.astype(dict.fromkeys(table.select_dtypes("float64"), "float32")).to_parquet(aside / f"{name}.parquet", index=False, compression="zstd")
        facts = dict(found.facts) | {"tables": {name: sha256(aside / f"{name}.parquet") for name in found.tables}}
        (aside / FACTS).write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(folder: Path) -> Found:
    """What `write` wrote; BadInput where there is nothing, or where a table is not the one that the facts were written with."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tables = {name: _table(folder / f"{name}.parquet", checksum) for name, checksum in facts.pop("tables").items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{folder} holds no tables of a chapter ({error.__class__.__name__}: {' '.join(str(error).split())}); take the folder from one commit") from error
    return Found(tables, facts)


def _table(path: Path, checksum: str) -> pd.DataFrame:
    if sha256(path) != checksum:
        raise ValueError(f"{path.name} is not the table that {FACTS} describes")
    return pd.read_parquet(path)


def differences(found: Found, other: Found) -> dict[str, float]:
    """Table -> largest difference of a number in it, times and marks left out; infinite where rows, columns or words are others."""
    return {name: _apart(found.tables.get(name), other.tables.get(name)) for name in sorted({*found.tables, *other.tables})}


def _apart(one: pd.DataFrame | None, other: pd.DataFrame | None) -> float:
    if one is None or other is None or list(one.columns) != list(other.columns) or len(one) != len(other):
        return np.inf
    columns = [name for name in one.columns if not str(name).startswith(TIMED)]
    numbers = [name for name in columns if pd.api.types.is_float_dtype(one[name])]
    if not one[[name for name in columns if name not in numbers]].astype(str).equals(other[[name for name in columns if name not in numbers]].astype(str)):
        return np.inf
    apart = np.abs(one[numbers].to_numpy(np.float64) - other[numbers].to_numpy(np.float64))
    missing = one[numbers].isna().to_numpy() != other[numbers].isna().to_numpy()
    return np.inf if missing.any() else float(np.nanmax(apart, initial=0.0))


def told(apart: Mapping[str, float]) -> str:
    """In words how far tables are from the kept ones."""
    other = [name for name in apart if apart[name] > 0]
    if not other:
        return "the kept tables are reproduced exactly, times left out"
    worst = max(other, key=lambda name: apart[name])
    size = "has other rows or words" if np.isinf(apart[worst]) else f"differs by up to {apart[worst]:.2g}"
    return f"{len(apart) - len(other)} of {len(apart)} kept tables are reproduced exactly, times left out; {worst} {size}"
