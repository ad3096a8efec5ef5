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
from compendium.errors import BadInput

if TYPE_CHECKING:
    from anndata import AnnData

Counts = tuple[np.ndarray, np.ndarray, csr_matrix]  # spot ids, gene names, int32 counts [spot gene]
TEXT = ("spot", "label")  # columns that are text, whatever stands there
MISSING = ("", "NA", "N/A", "null")  # what a column of numbers may hold in place of one
# Pitches from one array column, and from one array row, to the next.
STEPS = {"square": np.ones(2), "hexagonal": np.array([1 / 2, np.sqrt(3) / 2])}
NEIGHBOUR = 1.25  # nearest distances: what lies nearer than this is a neighbour on the array
INTEGERS = "counts must be non-negative integers; give raw UMI counts"


def _separator(path: Path) -> str:
    return "," if ".csv" in path.suffixes else "\t"


def _kind(path: Path) -> str:
    return "comma" if _separator(path) == "," else "tab"


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line."""
    return " ".join(str(error).split())


def at_most_one(found: list[Path], where: str) -> Path | None:
    """Return the one path, or None; BadInput where there are several."""
    if len(found) > 1:
        names = " and ".join(sorted(path.name for path in found))
        raise BadInput(f"{where}: found {names}; keep the one that belongs to the section")
    return found[0] if found else None


def read_counts(path: Path, where: str) -> Counts:
    """Read a table of integer counts, rows spots and columns genes.

    Read line by line, as a dense table may not fit memory.

    Parameters
    ----------
    path
        .csv has commas, any other table tabs; .gz is unzipped.
    where
        The section as messages name it.

    Raises
    ------
    BadInput
        Where the file is damaged or contains anything but non-negative integers.
    """
    spots, columns, counts = [], [], []
    unzip = gzip.open if path.suffix == ".gz" else open
    try:
        with unzip(path, "rt", encoding="utf-8", newline="") as text:
            lines = csv.reader(text, delimiter=_separator(path))
            genes = np.array(next(lines, [])[1:])
            for spot, *values in filter(None, lines):
                spots.append(spot)
                line = f"{where}: {path.name} line {lines.line_num}"
                at, counted = _counted(values, len(genes), line)
                columns.append(at)
                counts.append(counted)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"{where}: {path} is truncated or damaged ({error}); export or fetch it again"
        ) from error
    if not spots or not len(genes):
        raise BadInput(
            f"{where}: {path} holds no counts ({len(spots)} spots, {len(genes)} genes); it should "
            f"be a {_kind(path)}-separated table, export or fetch it again"
        )
    indptr = np.concatenate([[0], np.cumsum([len(at) for at in columns])]).astype(np.int32)
    parts = (np.concatenate(counts), np.concatenate(columns), indptr)
    return np.array(spots), genes, csr_matrix(parts, shape=(len(spots), len(genes)))


def _counted(values: list[str], expected: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return where one line of counts is not 0, and the counts there as int32."""
    # Most are 0, and reading a number takes time.
    at = np.array([i for i, value in enumerate(values) if value != "0"], dtype=np.int32)
    written = [values[i] for i in at]
    if odd := [value for value in written if "_" in value]:  # numpy takes 1_0 for 10
        raise BadInput(f"{where} holds {odd[0]}: {INTEGERS}")
    try:
        counts = np.array(written, dtype=np.float64)
    except ValueError as error:
        raise BadInput(f"{where}: {error}; counts must be integers") from error
    if len(values) != expected:
        raise BadInput(
            f"{where} has {len(values)} counts for {expected} genes: the file is truncated, or "
            "its header has no cell above the spots; export or fetch it again"
        )
    if (wrong := _no_integers(counts)).any():
        raise BadInput(f"{where} holds {counts[wrong][0]:g}: {INTEGERS}")
    return at[counts > 0], counts[counts > 0].astype(np.int32)


def _no_integers(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # what no int32 can hold is found in the comparison
        return (values.astype(np.int32) != values) | (values < 0)


def open_annotated(read: Callable[[Path], "AnnData"], path: Path, where: str) -> "AnnData":
    """Open a file that scanpy or anndata reads by `read`; BadInput where it is damaged."""
    with warnings.catch_warnings():
        # Repeated names are made unique by `read` or refused by the Section.
        warnings.filterwarnings("ignore", ".* names are not unique", UserWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # what the libraries call in each other
        try:
            return read(path)
        except (MemoryError, ImportError):
            raise
        except Exception as error:  # noqa: BLE001  # scanpy, h5py and scipy raise their own kinds
            raise BadInput(
                f"{where}: {path} cannot be read ({one_line(error)}); it is truncated, damaged "
                "or of another format, export or copy it again"
            ) from error


def annotated_counts(adata: "AnnData", where: str) -> Counts:
    """Return the counts of an AnnData object, of the layer `counts` or else of X.

    Raises
    ------
    BadInput
        Where there are none, or values that are no non-negative integers.
    """
    layer = "layers['counts']" if "counts" in adata.layers else "X"
    values = adata.layers["counts"] if "counts" in adata.layers else adata.X
    if values is None or not adata.n_obs or not adata.n_vars:
        raise BadInput(
            f"{where} holds no counts ({adata.n_obs} spots, {adata.n_vars} genes); "
            "give raw UMI counts of gene expression"
        )
    counts = csr_matrix(values)
    if counts.dtype == bool:
        raise BadInput(f"{where} holds True and False in {layer}: {INTEGERS}")
    counts.sum_duplicates()
    spots, genes = text(adata.obs_names), text(adata.var_names)
    if (wrong := np.flatnonzero(_no_integers(counts.data))).size:
        at = wrong[0]
        spot = spots[np.searchsorted(counts.indptr, at, side="right") - 1]
        raise BadInput(
            f"{where} holds {counts.data[at]:.8g} in {layer} (spot {spot}, gene "
            f"{genes[counts.indices[at]]}): {INTEGERS}, in X or in layers['counts']"
        )
    parts = (array.astype(np.int32) for array in (counts.data, counts.indices, counts.indptr))
    counts = csr_matrix(tuple(parts), shape=counts.shape)
    counts.eliminate_zeros()
    return spots, genes, counts


def text(values: pd.Series | pd.Index) -> np.ndarray:
    """Return text of pandas as an array of numpy's, "" where there is none.

    to_numpy(str) of a pandas 3 column that lacks a value would keep one letter of each.
    """
    return np.array([str(value) for value in values.fillna("")], dtype=str)


def read_table(path: Path, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Read a table of spots, separated as `read_counts` says.

    Parameters
    ----------
    columns
        What the table must have; spot and label are the text that stands there, be it NA.

    Raises
    ------
    BadInput
        Where the file is no such table or lacks a column.
    """
    numbers = dict.fromkeys((column for column in columns if column not in TEXT), MISSING)
    form = {"sep": _separator(path), "dtype": dict.fromkeys(TEXT, object)}
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=numbers, **form)
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise BadInput(
            f"{where}: {path} is no {_kind(path)}-separated table ({one_line(error)}); "
            "export or fetch it again"
        ) from error
    if lacking := [column for column in columns if column not in table.columns]:
        raise BadInput(
            f"{where}: {path} lacks the column {lacking[0]}; it should be a "
            f"{_kind(path)}-separated table with {', '.join(columns)}"
        )
    return table


def check_numbers(table: pd.DataFrame, path: Path | str, where: str) -> None:
    """Refuse positions that are no numbers, or that lie on no slide (and in no int32)."""
    for column in table.columns:
        bad = table[column][~(pd.to_numeric(table[column], errors="coerce").abs() <= MAX_PIXELS)]
        if len(bad):
            raise BadInput(
                f"{where}: {path} holds {str(bad.iloc[0])!r} as {column}; positions must be "
                f"numbers within {MAX_PIXELS:,}, correct the table or fetch it again"
            )


def array_positions(table: pd.DataFrame, path: Path | str, where: str) -> np.ndarray:
    """Return two columns of a table as array positions (x, y), int32 [spot 2].

    Raises
    ------
    BadInput
        Where a position is negative or between two places, or two spots have the same one.
    """
    grid = table.to_numpy(float)
    wrong = (grid != np.round(grid)) | (grid < 0)
    if wrong.any():
        raise BadInput(
            f"{where}: {path} holds the array position {grid[wrong][0]:g}; "
            f"{' and '.join(table.columns)} count the places of the array, give integers from 0"
        )
    if (twice := table.duplicated()).any():
        x, y = grid[twice][0]
        raise BadInput(
            f"{where}: the array position {x:g}, {y:g} ({', '.join(table.columns)}) stands twice "
            f"in {path}; a place of the array has one spot, correct the table"
        )
    return grid.astype(np.int32)


def in_order(table: pd.DataFrame, spots: np.ndarray, path: Path, where: str) -> pd.DataFrame:
    """Return the rows of a table, indexed by spot, in the order of the counted spots.

    Further rows are left out; BadInput where a spot has no row, or two.
    """
    if len(twice := table.index[table.index.duplicated()]):
        raise BadInput(
            f"{where}: spot {twice[0]} stands twice in {path}; keep one row of each spot"
        )
    unique, times = np.unique(spots, return_counts=True)
    if len(unique) < len(spots):
        raise BadInput(
            f"{where}: spot {unique[times > 1][0]} stands {times.max()} times in the counts; "
            "keep one row of each spot"
        )
    if unplaced := [spot for spot in spots if spot not in table.index]:
        raise BadInput(
            f"{where}: {len(unplaced)} counted spots have no row in {path}, first {unplaced[0]}; "
            "counts and spot table must be of one section"
        )
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


def check_array(array: str, pixels: np.ndarray, where: str) -> None:
    """Refuse spots with six neighbours on an array that is stated to be square."""
    if array == "square" and array_of(pixels) == "hexagonal":
        raise BadInput(
            f"{where}: the spots lie on a hexagonal array, and array is square; "
            "state array: hexagonal"
        )


def array_steps(grid: np.ndarray, pixels: np.ndarray, where: str) -> np.ndarray:
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
        raise BadInput(f"{where}: {_off_the_array(steps)}")
    if np.linalg.det(steps) < 0:
        raise BadInput(
            f"{where}: the spots lie mirrored in the image: x and y of the array or of the pixels "
            "are swapped, or the image is mirrored; correct the positions"
        )
    return steps


def check_upright(grid: np.ndarray, pixels: np.ndarray, where: str) -> None:
    """Refuse swapped or mirrored positions wherever the spots span the array."""
    if np.linalg.matrix_rank(grid - grid[0]) == 2:
        array_steps(grid, pixels, where)


def _off_the_array(steps: np.ndarray) -> str:
    lengths = " and ".join(f"{length:.1f}" for length in np.linalg.norm(steps, axis=1))
    return (
        f"the spots do not lie on the array: its steps would be {lengths} px along x and y, "
        "so µm per px cannot be measured; correct their positions"
    )


def um_per_px(pitch_um: float, grid: np.ndarray, pixels: np.ndarray, where: str) -> float:
    """Measure µm per px on spots of a square array, or of one made square (see STEPS).

    Parameters
    ----------
    pitch_um
        Distance of neighbouring places.
    grid, pixels
        Places in pitches, and positions in px [spot 2].
    """
    steps = array_steps(grid, pixels, where)
    pitch = float(np.sqrt(np.linalg.det(steps)))
    if np.linalg.norm(steps, axis=1).max() > 1.1 * pitch:
        raise BadInput(f"{where}: {_off_the_array(steps)}")
    return pitch_um / pitch
