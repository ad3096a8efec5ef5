"""Compare today's arrays with the stored ones, and renew those whose version was raised.

`make golden` calls it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compendium.errors import BadInput
from stages import Key, compute, current, keys

HERE = Path(__file__).parent
# Absolute and relative, above what Pythons, threads and instruction sets differ by; of a method
# where it is named, else of the stage.
TOLERANCE = {
    "features": 1e-4,
    "stain": 1e-4,
    "inputs": 1e-5,
    "panel": 1e-5,
    "matching": 1e-5,
    "fit": 1e-4,
    "scores": 1e-4,
    "method": 1e-4,
    "method hist2st-gat": 5e-3,
}
PIXEL = 1  # of 255, of an image

Arrays = dict[str, np.ndarray]
Versions = dict[str, dict[str, int]]


def stored(folder: Path = HERE) -> tuple[Arrays, Versions]:
    """Arrays as they were computed, and the versions that made them."""
    if not (folder / "stages.npz").exists():
        return {}, {}
    with np.load(folder / "stages.npz", allow_pickle=False) as arrays:
        return dict(arrays), json.loads((folder / "versions.json").read_text())


def raised(key: Key, then: Mapping[str, int]) -> bool:
    """Whether a version that decides the key is higher than the one that made it."""
    return any(version > then.get(owner, version) for owner, version in current(key).items())


def alike(key: Key, old: np.ndarray, new: np.ndarray) -> bool:
    """Whether two arrays are equal within the tolerance of the key's stage."""
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    if new.dtype == np.uint8:
        return bool(np.abs(old.astype(int) - new).max(initial=0) <= PIXEL)
    tolerance = TOLERANCE.get(key.owner) or TOLERANCE[key.owner.split()[0]]
    return np.allclose(new, old, rtol=tolerance, atol=tolerance, equal_nan=True)


def moved(
    known: Mapping[str, Key], arrays: Arrays, made: Versions, found: Arrays
) -> dict[str, str]:
    """Keys whose numbers moved although no version that decides them was raised.

    Each has the line that says which to raise.
    """
    wrong = {
        name: known[name]
        for name in known
        if name in arrays
        and name in found
        and not raised(known[name], made[name])
        and not alike(known[name], arrays[name], found[name])
    }
    owners = {key.owner for key in wrong.values()}
    return {
        name: f"{name} moved: raise "
        f"{_place(next(owner for owner in key.owners if owner in owners))}, then make golden"
        for name, key in wrong.items()
    }


def _place(owner: str) -> str:
    """Where the version of an owner is raised."""
    stage, _, method = owner.partition(" ")
    return (
        f"version in the Recipe of method {method}"
        if method
        else f"{stage.upper()} in compendium/versions.py"
    )


def renew(folder: Path, known: Mapping[str, Key], found: Arrays) -> list[str]:
    """Store today's arrays of keys that are new or whose version was raised.

    Keys that are gone are forgotten; returned are the names of all these.

    Raises
    ------
    BadInput
        Where another key moved; nothing is written then.
    """
    arrays, made = stored(folder)
    if wrong := moved(known, arrays, made, found):
        raise BadInput("; ".join(wrong.values()))
    renewed = [name for name in known if name not in arrays or raised(known[name], made[name])]
    gone = [name for name in arrays if name not in known]
    if renewed or gone:
        kept = {name: found[name] if name in renewed else arrays[name] for name in known}
        now = {name: current(key) if name in renewed else made[name] for name, key in known.items()}
        np.savez_compressed(folder / "stages.npz", **kept)
        lines = ",\n".join(f'"{name}": {json.dumps(now[name])}' for name in sorted(now))
        (folder / "versions.json").write_text(f"{{\n{lines}\n}}\n")
    return renewed + gone


def main() -> int:
    """Renew the arrays beside this file; status 2 and one line where one moved unannounced."""
    try:
        changed = renew(HERE, keys(), compute())
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(changed)} keys renewed: {', '.join(changed)}" if changed else "nothing to renew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
