"""SCTransform's corrected counts as Seurat wrote them: DeepSpaCE's expression, where analytic Pearson residuals will not do."""

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.storage import home, sha256

if TYPE_CHECKING:
    from pandas import DataFrame


def corrected(section: Section) -> Section:
    """The section with its corrected counts, from their place among the cohort's raw files."""
    return with_corrected_counts(section, place(section))


def place(section: Section) -> Path:
    """Where a section's corrected counts are looked for."""
    return home() / "raw" / section.cohort / "seurat" / f"{section.name}.csv"


def checksum(section: Section) -> str:
    """sha256 of the file of a section's corrected counts."""
    return sha256(_there(place(section)))


def with_corrected_counts(section: Section, path: Path) -> Section:
    """The section with the counts and genes of a CSV, the counts layer of Seurat's SCT assay: genes x spots, or spots x genes if the header says so.

    The file names every spot of the section and no other, its genes are among the section's. SCTransform leaves out rare genes and corrects each
    section by itself, so that what sections share is what all their files have.
    """
    table = _oriented(_table(path), section, path)
    _check(table, section, path)
    values = table.loc[section.spots].to_numpy()
    return dataclasses.replace(
        section, genes=table.columns.to_numpy(dtype=str), counts=csr_matrix(values.astype(np.int32)),
        sources=section.sources | {path.name: sha256(path)}, digest=hashlib.sha256(f"{section.digest} {sha256(path)}".encode()).hexdigest(),
    )  # fmt: skip


def _table(path: Path) -> "DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(_there(path), index_col=0, keep_default_na=False)
    except (ValueError, OSError) as error:  # pandas' own errors are among the first
        raise BadInput(
            f"{path} cannot be read as a table ({' '.join(str(error).split())}); write it in R: write.csv(as.matrix(x[['SCT']]$counts), file)"
        ) from error
    table.index = table.index.astype(str)
    return table


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(
            f"no file {path} of corrected counts; write it in R: write.csv(as.matrix(x[['SCT']]$counts), file), and put it there"
        )
    return path


def _oriented(table: "DataFrame", section: Section, path: Path) -> "DataFrame":
    """Spots x genes, whichever way the file has it."""
    rows, columns = (
        int(np.isin(section.spots, names).sum()) for names in (table.index, table.columns)
    )
    if not rows and not columns:
        where = f"{section.cohort} section {section.name}"
        raise BadInput(
            f"{path}: neither rows nor columns are named after spots of {where}, e.g. {section.spots[0]}; keep R from renaming them (check.names = FALSE)"
        )
    return table.T if columns > rows else table


def _check(table: "DataFrame", section: Section, path: Path) -> None:
    """One line for what cannot be the section's corrected counts."""
    where = f"{section.cohort} section {section.name}"
    for what, names, known in (
        ("spot", table.index, section.spots),
        ("gene", table.columns, section.genes),
    ):
        if not names.is_unique:
            raise BadInput(
                f"{path}: {what} {names[names.duplicated()][0]} stands there twice; keep one of it"
            )
        if len(strange := names.difference(known)):
            raise BadInput(
                f"{path}: {len(strange)} {what}s are not of {where}, first {strange[0]}; give the file of this section, its names as they were"
            )
    if len(table) < len(section):
        raise BadInput(
            f"{path}: {len(section) - len(table)} of the {len(section)} spots of {where} are missing; correct the counts of all spots"
        )
    values = table.to_numpy()
    if (
        values.dtype.kind not in "iuf"
        or not (np.isfinite(values) & (values >= 0) & (values == np.round(values))).all()
    ):
        raise BadInput(
            f"{path}: values that are no whole numbers of at least 0; give the counts layer of the SCT assay, not data or scale.data"
        )
