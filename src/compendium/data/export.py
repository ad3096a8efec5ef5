"""Sections and predictions as AnnData, laid out as scanpy and squidpy lay out Visium, so that both draw them on their image."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float32
from scipy.sparse import csr_matrix

from compendium import __version__
from compendium.data.section import NO_LABEL, Section
from compendium.data.sources import catalogue
from compendium.errors import BadInput
from compendium.storage import atomic_file

if TYPE_CHECKING:
    from anndata import AnnData


def to_anndata(
    section: Section,
    predicted: Float32[np.ndarray, "spot gene"] | None = None,
    genes: list[str] | None = None,
    provenance: dict[str, str] | None = None,
) -> "AnnData":
    """A section's counts (of all its genes, or of `genes`); or predicted expression of `genes`, with their counts in the layer `counts`.

    X: float32, sparse where it holds counts. obs: in_tissue (1: a Section holds no other spots), array_row, array_col, patient, lab, section and label.
    obsm["spatial"]: position (x right, y down) in px of the full image. uns["spatial"][section]: thumbnail, scale factors and credits;
    uns["compendium"]: `provenance`, where there is some. spot_diameter_fullres is that of the printed spot, where Space Ranger states one of 65 µm on
    slides with spots of 55 µm. The diameter of the fiducials is left out: a Section does not know it, and neither library reads it.
    """
    from anndata import AnnData

    if predicted is None and section.counts is None:
        raise BadInput(
            f"{section.cohort} section {section.name} has no counts to export; prepare it with its counts, or export a prediction for it"
        )
    counts = None if section.counts is None else _counts(section, genes)
    layers = {} if predicted is None or counts is None else {"counts": counts}
    names = section.genes if genes is None else genes
    return AnnData(
        X=counts if predicted is None else predicted,
        layers=layers,
        obs=_spots(section),
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        obsm={"spatial": section.pixels.astype(np.float64)},
        uns={"spatial": {section.name: _library(section)}}
        | ({"compendium": provenance} if provenance else {}),
    )


def write_h5ad(annotated: "AnnData", path: Path) -> Path:
    """Write what `to_anndata` made to a file that ends in .h5ad, whole or not at all."""
    if path.suffix != ".h5ad" or path.is_dir():
        wrong = "it is a folder" if path.is_dir() else "its name does not end in .h5ad"
        raise BadInput(
            f"{path} cannot be the exported file: {wrong}; give a file name that ends in .h5ad"
        )
    with atomic_file(path) as aside:
        annotated.write_h5ad(aside, compression="gzip")
    return path


def _counts(section: Section, genes: list[str] | None) -> csr_matrix:
    return section.counts.astype(np.float32) if genes is None else csr_matrix(section.matrix(genes))


def _spots(section: Section) -> pd.DataFrame:
    """One row a spot. Text is categorical, as the libraries colour it; a spot without a label has none."""
    facts = {
        "in_tissue": np.ones(len(section), dtype=np.int64),
        "array_row": section.grid[:, 1],
        "array_col": section.grid[:, 0],
    }
    facts |= {
        what: pd.Categorical([getattr(section, what)] * len(section)) for what in ("patient", "lab")
    }
    facts["section"] = pd.Categorical(
        [section.name] * len(section)
    )  # equals the library's id: library_key="section" draws several sections at once
    if section.labels is not None:
        facts["label"] = pd.Categorical(np.where(section.labels == NO_LABEL, None, section.labels))
    return pd.DataFrame(facts, index=pd.Index(section.spots, dtype=object))


def _library(section: Section) -> dict[str, dict[str, Any]]:
    """Image, scale factors and facts of a section. Without an image the scale is 1: what is drawn, is drawn in px of the full image."""
    image = {} if section.thumbnail is None else {"hires": section.thumbnail}
    cohort = catalogue().get(section.cohort)
    facts = {
        "cohort": section.cohort,
        "technology": section.technology,
        "um_per_px": section.um_per_px,
        "spot_diameter_um": section.spot_um,
    }
    facts |= {"labels": section.labels_line} if section.labels_from else {}
    credit = {"attribution": cohort.attribution, "licence": cohort.licence} if cohort else {}
    return {
        "images": image,
        "scalefactors": {
            "tissue_hires_scalef": section.thumbnail_scale if image else 1.0,
            "spot_diameter_fullres": section.spot_um / section.um_per_px,
        },
        "metadata": facts
        | credit
        | {"digest": section.digest, "software_version": f"compendium {__version__}"},
    }
