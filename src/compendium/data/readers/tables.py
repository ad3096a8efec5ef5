"""What the readers share: tables of counts and spots, AnnData files, the scale of an array."""

import csv
import gzip
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from compendium.data.readers.slides import MAX_PIXELS
from compendium.data.section import check_once, fault_of, no_counts
from compendium.errors import BadInput, refusing

if TYPE_CHECKING:
    from anndata import AnnData

Counts = tuple[np.ndarray, np.ndarray, csr_matrix]  # spot ids, gene names, int32 counts [spot gene]
TEXT = ("spot", "label", "Classification")  # columns that are text, whatever stands there
MISSING = ("", "NA", "N/A", "null")  # what a column of numbers may hold in place of one
# Pitches from one array column, and from one array row, to the next.
STEPS = {"square": np.ones(2), "hexagonal": np.array([1 / 2, np.sqrt(3) / 2])}
NEIGHBOUR = 1.25  # nearest distances: what lies nearer than this is a neighbour on the array
INTEGERS = "counts must be non-negative integers; give raw UMI counts"
AGAIN = "export or fetch it again"
CUT_OFF = (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error)
NO_TABLE = (ValueError, OSError)  # pandas' own errors are among the first


def _separated(path: Path) -> tuple[str, str]:
    """Return what separates the cells of a table, and how messages name it."""
    return (",", "comma") if ".csv" in path.suffixes else ("\t", "tab")


def at_most_one(found: list[Path]) -> Path | None:
    """Return the one path, or None; BadInput where there are several."""
    if len(found) > 1:
        names = " and ".join(sorted(path.name for path in found))
        raise BadInput(f"found {names}; keep the one that belongs to the section")
    return found[0] if found else None


def read_counts(path: Path) -> Counts:
    """Read a table of integer counts, rows spots and columns genes, or an h5ad file.

    A table is read line by line, as a dense one may not fit memory.

    Parameters
    ----------
    path
        .csv has commas, any other table tabs; .gz is unzipped.

    Raises
    ------
    BadInput
        Where the file is damaged or contains anything but non-negative integers.
    """
    if path.suffix == ".h5ad":
        return annotated_counts(annotated_file(path), path.name)
    separator, kind = _separated(path)
    unzip = gzip.open if path.suffix == ".gz" else open
    spots, rows = [], []
    with (
        refusing(CUT_OFF, f"{path} is truncated or damaged", AGAIN),
        unzip(path, "rt", encoding="utf-8", newline="") as text,
    ):
        lines = csv.reader(text, delimiter=separator)
        genes = np.array(next(lines, [])[1:])
        for spot, *values in filter(None, lines):
            spots.append(spot)
            rows.append(_counted(values, f"{path.name} line {lines.line_num}", spot, genes))
    if not spots or not len(genes):
        mend = f"it should be a {kind}-separated table, {AGAIN}"
        raise BadInput(f"{path} holds no counts ({len(spots)} spots, {len(genes)} genes); {mend}")
    at, counts = zip(*rows, strict=True)
    indptr = np.cumsum([0, *map(len, at)], dtype=np.int32)
    parts = (np.concatenate(counts), np.concatenate(at), indptr)
    return np.array(spots), genes, csr_matrix(parts, shape=(len(spots), len(genes)))


def _counted(
    values: list[str], line: str, spot: str, genes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where one line of counts is not 0, and the counts there as int32."""
    # Most are 0, and reading a number takes time.
    at = np.array([i for i, value in enumerate(values) if value != "0"], dtype=np.int32)
    written = np.array([values[i] for i in at], dtype=object)
    counts = pd.to_numeric(written, errors="coerce").astype(np.float64)
    if len(values) != len(genes):
        mend = f"the file is truncated, or its header has no cell above the spots; {AGAIN}"
        raise BadInput(f"{line} has {len(values)} counts for {len(genes)} genes: {mend}")
    if (wrong := np.flatnonzero(no_counts(counts))).size:
        first = wrong[0]
        what = f"{written[first]!r}, which is {fault_of(counts[first])}"
        raise BadInput(f"{line} holds {what} (spot {spot}, gene {genes[at[first]]}): {INTEGERS}")
    return at[counts > 0], counts[counts > 0].astype(np.int32)


def annotated_file(path: Path, read: Callable[[Path], "AnnData"] | None = None) -> "AnnData":
    """Open an h5ad file, or one that scanpy reads by `read`; BadInput where it is damaged."""
    from anndata import read_h5ad

    # scanpy, h5py and scipy raise their own kinds of errors
    mend = "it is truncated, damaged or of another format, export or copy it again"
    with warnings.catch_warnings(), refusing(Exception, f"{path} cannot be read", mend):
        # Repeated names are made unique by `read` or refused by the Section.
        warnings.filterwarnings("ignore", ".* names are not unique", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # what the libraries call in each other
        return (read or read_h5ad)(path)


def annotated_counts(adata: "AnnData", what: str) -> Counts:
    """Return the counts of an AnnData object, of the layer `counts` or else of X.

    Parameters
    ----------
    what
        How messages name the object or its file.

    Raises
    ------
    BadInput
        Where there are none, or values that are no non-negative integers.
    """
    layer = "layers['counts']" if "counts" in adata.layers else "X"
    values = adata.layers["counts"] if "counts" in adata.layers else adata.X
    if values is None or not adata.n_obs or not adata.n_vars:
        wrong = f"{what} holds no counts ({adata.n_obs} spots, {adata.n_vars} genes)"
        raise BadInput(f"{wrong}; give raw UMI counts of gene expression")
    counts = csr_matrix(values)
    if counts.dtype == bool:
        raise BadInput(f"{what} holds True and False in {layer}: {INTEGERS}")
    counts.sum_duplicates()
    spots, genes = text(adata.obs_names), text(adata.var_names)
    if (wrong := np.flatnonzero(no_counts(counts.data))).size:
        at = wrong[0]
        spot = spots[np.searchsorted(counts.indptr, at, side="right") - 1]
        value = f"{counts.data[at]:.8g} in {layer}, which is {fault_of(counts.data[at])}"
        place = f"spot {spot}, gene {genes[counts.indices[at]]}"
        raise BadInput(f"{what} holds {value} ({place}): {INTEGERS}")
    parts = (array.astype(np.int32) for array in (counts.data, counts.indices, counts.indptr))
    counts = csr_matrix(tuple(parts), shape=counts.shape)
    counts.eliminate_zeros()
    return spots, genes, counts


def text(values: pd.Series | pd.Index) -> np.ndarray:
    """Return text of pandas as an array of numpy's, "" where there is none.

    to_numpy(str) of a pandas 3 column that lacks a value would keep one letter of each.
    """
    return np.array([str(value) for value in values.fillna("")], dtype=str)


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a table of spots, separated as `read_counts` says.

    Parameters
    ----------
    columns
        What the table must have; those of TEXT are the text that stands there, be it NA.

    Raises
    ------
    BadInput
        Where the file is no such table or lacks a column.
    """
    separator, kind = _separated(path)
    numbers = dict.fromkeys((column for column in columns if column not in TEXT), MISSING)
    form = {"sep": separator, "dtype": dict.fromkeys(TEXT, object)}
    with refusing(NO_TABLE, f"{path} is no {kind}-separated table", AGAIN):
        table = pd.read_csv(path, keep_default_na=False, na_values=numbers, **form)
    if lacking := [column for column in columns if column not in table.columns]:
        mend = f"it should be a {kind}-separated table with {', '.join(columns)}"
        raise BadInput(f"{path} lacks the column {lacking[0]}; {mend}")
    return table


def check_numbers(table: pd.DataFrame, path: Path | str) -> None:
    """Refuse positions that are no numbers, or that lie on no slide (and in no int32)."""
    for column in table.columns:
        bad = table[column][~(pd.to_numeric(table[column], errors="coerce").abs() <= MAX_PIXELS)]
        if len(bad):
            mend = f"positions are numbers within {MAX_PIXELS:,}; correct the table or fetch it"
            raise BadInput(f"{path} holds {str(bad.iloc[0])!r} as {column}; {mend}")


def array_positions(table: pd.DataFrame, path: Path | str) -> np.ndarray:
    """Return two columns of a table as array positions (x, y), int32 [spot 2].

    Raises
    ------
    BadInput
        Where a position is negative or between two places, or two spots have the same one.
    """
    grid = table.to_numpy(float)
    if (wrong := (grid != np.round(grid)) | (grid < 0)).any():
        mend = f"{' and '.join(table.columns)} count the places of the array, give integers from 0"
        raise BadInput(f"{path} holds the array position {grid[wrong][0]:g}; {mend}")
    if (twice := table.duplicated()).any():
        place = f"{', '.join(f'{at:g}' for at in grid[twice][0])} ({', '.join(table.columns)})"
        raise BadInput(f"the array position {place} stands twice in {path}; keep one spot of it")
    return grid.astype(np.int32)


def in_order(table: pd.DataFrame, spots: np.ndarray, path: Path) -> pd.DataFrame:
    """Return the rows of a table, indexed by spot, in the order of the counted spots.

    Further rows are left out; BadInput where a spot has no row, or two.
    """
    check_once("spot", table.index, path)
    check_once("spot", spots, "the counts")
    if unplaced := [spot for spot in spots if spot not in table.index]:
        wrong = f"{len(unplaced)} counted spots have no row in {path}, first {unplaced[0]}"
        raise BadInput(f"{wrong}; counts and spot table must be of one section")
    return table.loc[list(spots)]


def array_of(pixels: np.ndarray) -> str:
    """Return the array on which spots lie: "hexagonal" where most have more than 4 neighbours."""
    near = _near(pixels)
    hexagonal = len(near) and np.quantile((near > 0).sum(axis=1), 0.75) > 4
    return "hexagonal" if hexagonal else "square"


def pitch_px(pixels: np.ndarray) -> float:
    """Return the mean distance of neighbouring spots in px."""
    near = _near(pixels)
    return float(near[near > 0].mean()) if (near > 0).any() else 1.0


def _near(pixels: np.ndarray) -> np.ndarray:
    """Return the distances of each spot's neighbours, 0 where it has less than six."""
    distance = cKDTree(pixels).query(pixels, k=7)[0][:, 1:]
    nearest = np.median(distance[:, 0])
    near = np.isfinite(distance) & (distance < NEIGHBOUR * nearest)
    return np.where(near, distance, 0)


def check_array(array: str, pixels: np.ndarray) -> None:
    """Refuse spots with six neighbours on an array that is stated to be square."""
    if array == "square" and array_of(pixels) == "hexagonal":
        mend = "state array: hexagonal"
        raise BadInput(f"the spots lie on a hexagonal array, and array is square; {mend}")


def array_steps(grid: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Fit the step along each direction of the array by least squares.

    Returns
    -------
    Pixels (x, y) of one step [direction 2].

    Raises
    ------
    BadInput
        Where the spots lie on no array, or mirrored: in every upright image x goes right of where
        y goes down.
    """
    design = np.column_stack([grid, np.ones(len(grid))]).astype(float)
    steps = np.linalg.lstsq(design, pixels.astype(float), rcond=None)[0][:2]
    if not abs(np.linalg.det(steps)) > 1:
        raise _off_the_array(steps)
    if np.linalg.det(steps) < 0:
        mend = "x and y of array or pixels are swapped, or the image is; correct the positions"
        raise BadInput(f"the spots lie mirrored in the image: {mend}")
    return steps


def _off_the_array(steps: np.ndarray) -> BadInput:
    lengths = " and ".join(f"{length:.1f}" for length in np.linalg.norm(steps, axis=1))
    wrong = f"its steps would be {lengths} px along x and y, so µm per px cannot be measured"
    return BadInput(f"the spots do not lie on the array: {wrong}; correct their positions")


def measured(pitch_um: float, grid: np.ndarray, pixels: np.ndarray) -> float:
    """Measure µm per px on spots of a square array, or of one made square (see STEPS).

    Parameters
    ----------
    pitch_um
        Distance of neighbouring places.
    grid, pixels
        Places in pitches, and positions in px [spot 2].
    """
    steps = array_steps(grid, pixels)
    pitch = float(np.sqrt(np.linalg.det(steps)))
    if np.linalg.norm(steps, axis=1).max() > 1.1 * pitch:
        raise _off_the_array(steps)
    return pitch_um / pitch


def um_per_px(stated: float, pitch_um: float, grid: np.ndarray, pixels: np.ndarray) -> float:
    """Return µm per px as stated, or else measured.

    Parameters
    ----------
    stated
        µm per px, or 0 where it is not stated.
    pitch_um, grid, pixels
        As in `measured`; a pitch of 0 is not stated.

    Raises
    ------
    BadInput
        Where neither is stated, or the spots lie on no array, or mirrored.
    """
    if stated:
        if np.linalg.matrix_rank(grid - grid[0]) == 2:  # else swapped positions cannot be told
            array_steps(grid, pixels)
        return stated
    if pitch_um:
        return measured(pitch_um, grid, pixels)
    mend = "give um_per_px or spot_pitch_um, in cohort.yaml um_per_px or pitch_um"
    raise BadInput(f"the scale of its image is not stated; {mend}")
