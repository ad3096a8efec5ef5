"""SCTransform's corrected counts as Seurat wrote them: DeepSpaCE's expression.

Analytic Pearson residuals are no substitute for them.
"""

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


WRITE_IT = "write it in R: write.csv(as.matrix(x[['SCT']]$counts), file)"


def corrected(section: Section) -> Section:
    """Return the section with its corrected counts, from the cohort's raw files."""
    return with_corrected_counts(section, place(section))


def place(section: Section) -> Path:
    """Return where a section's corrected counts are looked for."""
    return home() / "raw" / section.cohort / "seurat" / f"{section.name}.csv"


def checksum(section: Section) -> str:
    """Return the sha256 of the file of a section's corrected counts."""
    return sha256(_there(place(section)))


def with_corrected_counts(section: Section, path: Path) -> Section:
    """Return the section with the counts and genes of a CSV, the counts of Seurat's SCT assay.

    SCTransform leaves out rare genes and corrects each section by itself, so that what sections
    share is what all their files have.

    Parameters
    ----------
    path
        Genes x spots, or spots x genes if the header says so; every spot of the section and no
        other, genes that are among the section's.

    Raises
    ------
    BadInput
        Where the file is missing or of something else.
    """
    table = _oriented(_table(path), section, path)
    _check(table, section, path)
    values, check = table.loc[section.spots].to_numpy(), sha256(path)
    return dataclasses.replace(
        section,
        genes=table.columns.to_numpy(dtype=str),
        counts=csr_matrix(values.astype(np.int32)),
        sources=section.sources | {path.name: check},
        digest=hashlib.sha256(f"{section.digest} {check}".encode()).hexdigest(),
    )


def _table(path: Path) -> "DataFrame":
    import pandas as pd

    try:
        table = pd.read_csv(_there(path), index_col=0, keep_default_na=False)
    except (ValueError, OSError) as error:  # pandas' own errors are among the first
        raise BadInput(
            f"{path} cannot be read as a table ({' '.join(str(error).split())}); {WRITE_IT}"
        ) from error
    table.index = table.index.astype(str)
    return table


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(f"no file {path} of corrected counts; {WRITE_IT}, and put it there")
    return path


def _oriented(table: "DataFrame", section: Section, path: Path) -> "DataFrame":
    """Return spots x genes, whichever way the file has it."""
    rows, columns = (
        int(np.isin(section.spots, names).sum()) for names in (table.index, table.columns)
    )
    if not rows and not columns:
        raise BadInput(
            f"{path}: neither rows nor columns are named after spots of {section.where}, e.g. "
            f"{section.spots[0]}; keep R from renaming them (check.names = FALSE)"
        )
    return table.T if columns > rows else table


def _check(table: "DataFrame", section: Section, path: Path) -> None:
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
                f"{path}: {len(strange)} {what}s are not of {section.where}, first {strange[0]}; "
                "give the file of this section, its names as they were"
            )
    if len(table) < len(section):
        raise BadInput(
            f"{path}: {len(section) - len(table)} of the {len(section)} spots of {section.where} "
            "are missing; correct the counts of all spots"
        )
    values = table.to_numpy()
    numeric = values.dtype.kind in "iuf"
    if (
        not numeric
        or not (np.isfinite(values) & (values >= 0) & (values == np.round(values))).all()
    ):
        raise BadInput(
            f"{path}: values that are no integers of at least 0; "
            "give the counts layer of the SCT assay, not data or scale.data"
        )
