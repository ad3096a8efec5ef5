"""SCTransform's corrected counts as Seurat wrote them: DeepSpaCE's expression.

Analytic Pearson residuals are no substitute for them.
"""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from compendium.data.section import Section, check_once, no_counts
from compendium.errors import BadInput, refusing
from compendium.storage import home, sha256

WRITE_IT = "write it in R: write.csv(as.matrix(x[['SCT']]$counts), file)"


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


def _table(path: Path) -> pd.DataFrame:
    with refusing(ValueError, f"{path} cannot be read as a table", WRITE_IT):  # pandas' own are one
        table = pd.read_csv(_there(path), index_col=0, keep_default_na=False)
    table.index = table.index.astype(str)
    return table


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BadInput(f"no file {path} of corrected counts; {WRITE_IT}, and put it there")
    return path


def _oriented(table: pd.DataFrame, section: Section, path: Path) -> pd.DataFrame:
    """Return spots x genes, whichever way the file has it."""
    both = (table.index, table.columns)
    rows, columns = (np.isin(section.spots, names).sum() for names in both)
    if not rows and not columns:
        wrong = f"named after spots of {section.where}, e.g. {section.spots[0]}"
        raise BadInput(f"{path}: neither rows nor columns are {wrong}; give R check.names = FALSE")
    return table.T if columns > rows else table


def _check(table: pd.DataFrame, section: Section, path: Path) -> None:
    named = {"spot": (table.index, section.spots), "gene": (table.columns, section.genes)}
    for what, (names, known) in named.items():
        check_once(what, names, path)
        if len(strange := names.difference(known)):
            wrong = f"{path}: {len(strange)} {what}s are not of {section.where}, first {strange[0]}"
            raise BadInput(f"{wrong}; give the file of this section, its names as they were")
    if missing := len(section) - len(table):
        wrong = f"{path}: {missing} of the {len(section)} spots of {section.where} are missing"
        raise BadInput(f"{wrong}; correct the counts of all spots")
    values = table.to_numpy()
    if values.dtype.kind not in "iuf" or no_counts(values).any():
        mend = "give the counts layer of the SCT assay, not data or scale.data"
        raise BadInput(f"{path}: values that are no integers of at least 0; {mend}")
