"""Sections and predictions as AnnData, laid out as scanpy and squidpy lay out Visium."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float32
from scipy.sparse import csr_matrix

from compendium import __version__
from compendium.data.section import ARRAY_FACTS, NO_LABEL, Section
from compendium.data.sources import catalogue
from compendium.errors import BadInput
from compendium.storage import atomic_file

if TYPE_CHECKING:
    from anndata import AnnData

# Facts of a section that stand in the metadata of its library; see readers/anndata_file.py.
STATED = ("cohort", "technology", "um_per_px", *ARRAY_FACTS, "labels_from", "spot_set")


def to_anndata(
    section: Section,
    predicted: Float32[np.ndarray, "spot gene"] | None = None,
    genes: list[str] | None = None,
    provenance: dict[str, str] | None = None,
) -> "AnnData":
    """Return a section's counts, or predicted expression with the counts as a layer.

    Parameters
    ----------
    section
        Its counts may be missing where `predicted` is given.
    predicted
        Expression of `genes`, which becomes `X`; the counts go to the layer `counts`.
    genes
        Of which genes, by default all of the section.
    provenance
        What `uns["compendium"]` shall state.

    Returns
    -------
    AnnData with float32 `X` (sparse where it holds counts); `obs` with in_tissue (1), array_row,
    array_col, patient, lab, section and label; positions in px of the full image (x right, y down)
    in `obsm["spatial"]`; thumbnail, scale factors, facts and credits in `uns["spatial"][section]`.
    spot_diameter_fullres is that of the printed spot, where Space Ranger states one of 65 µm on
    slides with spots of 55 µm.

    Raises
    ------
    BadInput
        Where there is nothing to export, or a gene was not measured.
    """
    from anndata import AnnData

    if predicted is None and section.counts is None:
        mend = "prepare it with its counts, or export a prediction for it"
        raise BadInput(f"{section.where} has no counts to export; {mend}")
    names = section.genes if genes is None else genes
    if (counts := section.counts) is not None:
        counts = counts.astype(np.float32) if genes is None else csr_matrix(section.matrix(genes))
    return AnnData(
        X=counts if predicted is None else predicted,
        layers={} if predicted is None or counts is None else {"counts": counts},
        obs=_spots(section),
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        obsm={"spatial": section.pixels.astype(np.float64)},
        uns={"spatial": {section.name: _library(section)}}
        | ({"compendium": provenance} if provenance else {}),
    )


def write_h5ad(annotated: "AnnData", path: Path) -> Path:
    """Write an AnnData object to a file that ends in .h5ad, whole or not at all."""
    if path.suffix != ".h5ad" or path.is_dir():
        wrong = "is a folder" if path.is_dir() else "does not end in .h5ad"
        raise BadInput(f"{path} {wrong}; give a file name that ends in .h5ad")
    with atomic_file(path) as aside:
        annotated.write_h5ad(aside, compression="gzip")
    return path


def _spots(section: Section) -> pd.DataFrame:
    """Return one row per spot; text is categorical, and a spot without a label has none.

    `section` equals the id of the library, so that library_key="section" draws several at once.
    """
    column, row = section.grid.T
    texts = {"patient": section.patient, "lab": section.lab, "section": section.name}
    columns = {
        "in_tissue": np.ones(len(section), np.int64),
        "array_row": row,
        "array_col": column,
        **{what: pd.Categorical([text] * len(section)) for what, text in texts.items()},
    }
    if section.labels is not None:
        columns["label"] = pd.Categorical(
            np.where(section.labels == NO_LABEL, None, section.labels)
        )
    return pd.DataFrame(columns, index=pd.Index(section.spots, dtype=object))


def _library(section: Section) -> dict[str, dict[str, Any]]:
    """Return image, scale factors and facts; without an image the scale is 1."""
    image = {} if section.thumbnail is None else {"hires": section.thumbnail}
    cohort = catalogue().get(section.cohort)
    facts = {what: getattr(section, what) for what in STATED} | {
        "sources": json.dumps(section.sources),  # paths cannot be names in an h5ad file
        "digest": section.digest,
        "software_version": f"compendium {__version__}",
    }
    if section.labels_from:
        facts["labels"] = section.labels_line
    if cohort:
        facts |= {"attribution": cohort.attribution, "licence": cohort.licence}
    return {
        "images": image,
        "scalefactors": {
            "tissue_hires_scalef": section.thumbnail_scale if image else 1.0,
            "spot_diameter_fullres": section.spot_um / section.um_per_px,
        },
        "metadata": facts,
    }
