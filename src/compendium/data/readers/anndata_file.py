"""Reader of AnnData: a section in the layout of scanpy and squidpy, as an object or as h5ad."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int32, UInt8

from compendium.data.download.checksums import blob_id
from compendium.data.export import STATED
from compendium.data.readers import slides, tables
from compendium.data.section import ARRAYS, Section, array_facts
from compendium.data.sources import SectionSource
from compendium.errors import BadInput, about

if TYPE_CHECKING:
    from anndata import AnnData

SlideImage = Path | UInt8[np.ndarray, "height width 3"] | None
GRID = ["array_col", "array_row"]
OFF = 0.3  # pitches: how far a spot may lie from the place that is found for it


def read(path: Path, image: Path | None, source: SectionSource, tile_px: int) -> Section:
    """Read the section of an h5ad file; what its source states takes precedence.

    Parameters
    ----------
    path, image
        The file, and the image that its positions are pixels of, or None.
    source
        Patient, lab, technology, array, scale and the column of labels.
    tile_px
        Side of the stored tiles in px of the image.

    Raises
    ------
    BadInput
        As `Section.from_anndata`.
    """
    adata = tables.annotated_file(path)
    stated = source.section_facts() | {"um_per_px": source.um_per_px}
    stated["sources"] = {file.name: blob_id(file) for file in (path, image) if file}
    if source.array == "square" and not (source.um_per_px or source.pitch_um):
        stated.pop("spot_pitch_um")  # no scale follows from a pitch that nobody stated
    return to_section(adata, image, tile_px, source.label_column, stated)


def to_section(
    adata: "AnnData", image: SlideImage, tile_px: int, label_column: str, stated: dict[str, Any]
) -> Section:
    """Make a section of an AnnData object; see `Section.from_anndata`.

    Parameters
    ----------
    adata
        Counts, positions, and what it states of itself.
    image
        The full-resolution image, its file, or None.
    tile_px
        Side of the stored tiles in px of the image.
    label_column
        Column of `obs` with the tissue classes; it may be absent.
    stated
        Fields of the section that take precedence where they are not empty.
    """
    facts = _facts(adata) | {key: value for key, value in stated.items() if value}
    with about(f"{facts['cohort']} section {facts['name']}"):
        if "in_tissue" in adata.obs:
            adata = adata[adata.obs["in_tissue"].to_numpy() == 1]
        spots, genes, counts = tables.annotated_counts(adata, "AnnData object")
        pixels = _pixels(adata)
        array = facts.setdefault("array", tables.array_of(pixels))
        tables.check_array(array, pixels)
        known = set(GRID) <= {*adata.obs}
        grid = tables.array_positions(adata.obs[GRID], "obs") if known else grid_of(pixels, array)
        pitch_um = facts.get("spot_pitch_um", 0 if array == "square" else ARRAYS[array][1])
        steps = grid * tables.STEPS[array]
        scale = tables.um_per_px(facts.pop("um_per_px", 0), pitch_um, steps, pixels)
        if image is not None:
            slide = slides.read_slide(image) if isinstance(image, Path) else slides.as_slide(image)
            facts |= slides.section_fields(slide, pixels, tile_px)
        if label_column in adata.obs:
            facts["labels"] = tables.text(adata.obs[label_column].astype(object))
        facts |= {
            "genes": genes,
            "spots": spots,
            "counts": counts,
            "grid": grid,
            "pixels": pixels,
            "um_per_px": scale,
        }
        return Section(**(array_facts(array) | facts))


def _facts(adata: "AnnData") -> dict[str, Any]:
    """Return the fields of a Section that an AnnData object states of itself."""
    listed = adata.uns.get("spatial", {})
    libraries = {name: facts for name, facts in listed.items() if isinstance(facts, Mapping)}
    if len(libraries) > 1:
        wrong = f"uns['spatial'] contains {len(libraries)} sections, {' and '.join(libraries)}"
        raise BadInput(f"{wrong}; give one AnnData object per section")
    name, library = next(iter(libraries.items()), ("", {}))
    metadata = library.get("metadata", {})
    facts = {"cohort": "", "name": name, "patient": "", "lab": "", "technology": ""}
    for key in ("patient", "lab"):
        if key in adata.obs and adata.obs[key].nunique() == 1:
            facts[key] = str(adata.obs[key].iloc[0])
    stated = {key: metadata[key] for key in STATED if key in metadata}
    for key, value in stated.items():
        facts[key] = str(value) if isinstance(value, str) else float(value)
    facts["sources"] = json.loads(metadata.get("sources", "{}"))
    thumbnail = library.get("images", {}).get("hires")
    if thumbnail is not None:
        if np.issubdtype(thumbnail.dtype, np.floating):  # scanpy reads PNG as 0 to 1
            thumbnail = np.rint(thumbnail * 255)
        facts["thumbnail"] = thumbnail[..., :3].astype(np.uint8)
        facts["thumbnail_scale"] = float(library["scalefactors"]["tissue_hires_scalef"])
    return facts


def _pixels(adata: "AnnData") -> Float32[np.ndarray, "spot 2"]:
    """Return positions in px, of an array or of a DataFrame."""
    if "spatial" not in adata.obsm:
        raise BadInput("obsm lacks spatial; put positions (x, y) in px there")
    table = pd.DataFrame(np.asarray(adata.obsm["spatial"])[:, :2], columns=["x", "y"])
    tables.check_numbers(table, "obsm['spatial']")
    return table.to_numpy(np.float32)


def grid_of(pixels: Float32[np.ndarray, "spot 2"], array: str) -> Int32[np.ndarray, "spot 2"]:
    """Find the places of spots on an upright array; two columns per spot where it is hexagonal.

    Raises
    ------
    BadInput
        Where the positions lie on no such array.
    """
    steps = tables.STEPS[array] * tables.pitch_px(pixels)
    places = (pixels - pixels.min(axis=0)).astype(float) / steps
    grid = np.rint(places)
    for _ in range(3):
        design = np.column_stack([grid, np.ones(len(grid))])
        fit = np.linalg.lstsq(design, pixels.astype(float), rcond=None)[0]
        grid = np.rint((pixels - fit[2]) @ np.linalg.pinv(fit[:2]))
    off = np.linalg.norm(np.column_stack([grid, np.ones(len(grid))]) @ fit - pixels, axis=1)
    grid = (grid - grid.min(axis=0)).astype(np.int32)
    odd = grid.sum(axis=1) % 2
    if array == "hexagonal" and odd.all():
        grid[:, 0] += 1
    mixed = array == "hexagonal" and 0 < odd.sum() < len(odd)
    if mixed or len(np.unique(grid, axis=0)) < len(grid) or off.max() > OFF * steps[0]:
        mend = "give array_col and array_row in obs"
        raise BadInput(f"obsm['spatial'] lies on no upright {array} array; {mend}")
    return grid
