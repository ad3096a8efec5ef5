"""The notebooks of the chapters, found by the chapters' names."""

from pathlib import Path

from compendium.book.notebook import profiles
from compendium.errors import BadInput


def chapters(root: Path | None = None) -> dict[str, Path]:
    """Name -> notebook of every chapter, in their order: 02_id_loocv.ipynb is id-loocv."""
    found = sorted(((root or profiles.root()) / "notebooks").glob("[0-9]*_*.ipynb"))
    return {path.stem.split("_", 1)[1].replace("_", "-"): path for path in found}


def find(name: str, root: Path | None = None) -> Path:
    """The notebook of a chapter."""
    known = chapters(root)
    if name not in known:
        raise BadInput(f"unknown chapter {name} (known: {', '.join(known) or 'none'})")
    return known[name]
