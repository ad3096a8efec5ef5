"""What the readers of measured data share: tables of counts and of spots, the scverse's count files, and the scale of a spot array."""

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

from compendium.data.readers.slides import MAX_PIXELS
from compendium.errors import BadInput

if TYPE_CHECKING:
    from anndata import AnnData

Counts = tuple[np.ndarray, np.ndarray, csr_matrix]  # spot ids, gene names, int32 counts [spot gene]
TEXT = ("spot", "label")  # columns that are text, whatever stands there
MISSING = ("", "NA", "N/A", "null")  # what a column of numbers may hold in place of one


def _separator(path: Path) -> str:
    return "," if ".csv" in path.suffixes else "\t"


def _kind(path: Path) -> str:
    return "comma" if _separator(path) == "," else "tab"


def read_counts(path: Path, where: str) -> Counts:
    """A table of integer counts, rows spots and columns genes: .csv has commas, any other tabs, .gz is unzipped. Read line by line: a dense table of it may not fit memory."""
    spots, columns, counts = [], [], []
    try:
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8", newline=""
        ) as text:
            lines = csv.reader(text, delimiter=_separator(path))
            genes = np.array(next(lines, [])[1:])
            for spot, *values in filter(None, lines):
                spots.append(spot)
                at, seen = _seen(values, len(genes), f"{where}: {path.name} line {lines.line_num}")
                columns.append(at)
                counts.append(seen)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"{where}: {path} is truncated or damaged ({error}); export or fetch it again"
        ) from error
    if not spots or not len(genes):
        raise BadInput(
            f"{where}: {path} holds no counts ({len(spots)} spots, {len(genes)} genes); it should be a {_kind(path)}-separated table, export or fetch it again"
        )
    indptr = np.concatenate([[0], np.cumsum([len(at) for at in columns])]).astype(np.int32)
    return (
        np.array(spots),
        genes,
        csr_matrix(
            (np.concatenate(counts), np.concatenate(columns), indptr),
            shape=(len(spots), len(genes)),
        ),
    )


def _seen(values: list[str], expected: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Where one line of counts is not 0, and the counts there as int32; anything else than `expected` non-negative integers is an error."""
    at = np.array(
        [i for i, value in enumerate(values) if value != "0"], dtype=np.int32
    )  # most are 0, and reading a number takes time
    written = [values[i] for i in at]
    if odd := [value for value in written if "_" in value]:  # numpy takes 1_0 for 10
        raise BadInput(
            f"{where} holds {odd[0]}: counts must be non-negative integers; give raw UMI counts"
        )
    try:
        counts = np.array(written, dtype=np.float64)
    except ValueError as error:
        raise BadInput(f"{where}: {error}; counts must be integers") from error
    if len(values) != expected:
        raise BadInput(
            f"{where} has {len(values)} counts for {expected} genes: the file is truncated, or its header has no cell above the spots; export or fetch it again"
        )
    counts = _whole(counts, where)
    return at[counts > 0], counts[counts > 0]


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    """Counts as int32, if that is what they are."""
    with np.errstate(invalid="ignore"):  # what no integer can hold is found in the comparison
        counts = values.astype(np.int32)
    wrong = (counts != values) | (values < 0)
    if wrong.any():
        raise BadInput(
            f"{where} holds {values[wrong][0]:g}: counts must be non-negative integers; give raw UMI counts"
        )
    return counts


def from_scverse(read: Callable[[Path], "AnnData"], path: Path, where: str) -> Counts:
    """The counts of a file that scanpy or anndata reads; `read` imports what it needs, so that no other reader does."""
    with (
        warnings.catch_warnings()
    ):  # repeated names are made unique by `read` or refused by the Section
        warnings.filterwarnings(
            "ignore", "(Variable|Observation) names are not unique", UserWarning
        )
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of what the libraries call in each other
        try:
            table = read(path)
        except ImportError as error:
            raise BadInput(
                f"{where}: {path.name} is read by {error.name}, which is not installed; run pip install 'compendium[prepare]'"
            ) from error
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # scanpy raises a bare Exception where a dataset is missing, h5py and scipy their own kinds
            raise BadInput(
                f"{where}: {path} cannot be read ({' '.join(str(error).split())}); it is truncated, damaged or of another format, export or copy it again"
            ) from error
    if table.X is None or not table.n_obs or not table.n_vars:
        raise BadInput(
            f"{where}: {path} holds no counts ({table.n_obs} spots, {table.n_vars} genes); give one with raw UMI counts of gene expression"
        )
    counts = csr_matrix(table.X)
    if counts.dtype == bool:
        raise BadInput(
            f"{where}: {path} holds True and False: counts must be non-negative integers; give raw UMI counts"
        )
    counts.sum_duplicates()
    counts = csr_matrix(
        (
            _whole(counts.data, f"{where}: {path.name}"),
            counts.indices.astype(np.int32),
            counts.indptr.astype(np.int32),
        ),
        shape=counts.shape,
    )
    counts.eliminate_zeros()
    return text(table.obs_names), text(table.var_names), counts


def text(values: pd.Series | pd.Index) -> np.ndarray:
    """Text of pandas as numpy's, "" where there is none; to_numpy(str) of a pandas 3 column that lacks a value would keep one letter of each."""
    return np.array([str(value) for value in values.fillna("")], dtype=str)


def read_table(path: Path, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """A table of spots that has the named columns, separated as `read_counts` says; spot and label are the text that stands there, be it NA."""
    numbers = dict.fromkeys((column for column in columns if column not in TEXT), MISSING)
    try:
        table = pd.read_csv(
            path,
            sep=_separator(path),
            dtype=dict.fromkeys(TEXT, object),
            keep_default_na=False,
            na_values=numbers,
        )
    except (
        ValueError,
        OSError,
    ) as error:  # pandas' own errors are ValueErrors, some of them with a line break
        raise BadInput(
            f"{where}: {path} is no {_kind(path)}-separated table ({' '.join(str(error).split())}); export or fetch it again"
        ) from error
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise BadInput(
            f"{where}: {path} lacks the column {lacking[0]}; it should be a {_kind(path)}-separated table with {', '.join(columns)}"
        )
    return table


def check_numbers(table: pd.DataFrame, path: Path, where: str) -> None:
    """Refuse a table of positions that holds anything but numbers, or one that lies on no slide (and in no int32)."""
    for column in table.columns:
        bad = table[column][~(pd.to_numeric(table[column], errors="coerce").abs() <= MAX_PIXELS)]
        if len(bad):
            raise BadInput(
                f"{where}: {path} holds {str(bad.iloc[0])!r} as {column}; positions must be numbers within {MAX_PIXELS:,}, correct the table or fetch it again"
            )


def array_positions(table: pd.DataFrame, path: Path, where: str) -> np.ndarray:
    """Two columns of a table as array positions (x, y) int32 [spot 2]; they index tables of positions, so none is negative or between two places, and none holds two spots."""
    grid = table.to_numpy(float)
    wrong = (grid != np.round(grid)) | (grid < 0)
    if wrong.any():
        raise BadInput(
            f"{where}: {path} holds the array position {grid[wrong][0]:g}; {' and '.join(table.columns)} count the places of the array, give integers from 0"
        )
    if (twice := table.duplicated()).any():
        x, y = grid[twice][0]
        raise BadInput(
            f"{where}: the array position {x:g}, {y:g} ({', '.join(table.columns)}) stands twice in {path}; a place of the array has one spot, correct the table"
        )
    return grid.astype(np.int32)


def in_order(table: pd.DataFrame, spots: np.ndarray, path: Path, where: str) -> pd.DataFrame:
    """The rows of a table, indexed by spot, in the order of the counted spots; further rows are left out."""
    twice = table.index[table.index.duplicated()]
    if len(twice):
        raise BadInput(
            f"{where}: spot {twice[0]} stands twice in {path}; keep one row of each spot"
        )
    unique, times = np.unique(spots, return_counts=True)
    if len(unique) < len(spots):
        raise BadInput(
            f"{where}: spot {unique[times > 1][0]} stands {times.max()} times in the counts; keep one row of each spot"
        )
    unplaced = [spot for spot in spots if spot not in table.index]
    if unplaced:
        raise BadInput(
            f"{where}: {len(unplaced)} counted spots have no row in {path}, first {unplaced[0]}; counts and spot table must be of one section"
        )
    return table.loc[list(spots)]


def array_steps(grid: np.ndarray, pixels: np.ndarray, where: str) -> np.ndarray:
    """Pixels (x, y) of one step along each direction of the array, fitted by least squares [direction 2]; in every upright image x goes right of where y goes down."""
    design = np.column_stack([grid, np.ones(len(grid))]).astype(float)
    steps = np.linalg.lstsq(design, pixels.astype(float), rcond=None)[0][:2]
    if not abs(np.linalg.det(steps)) > 1:
        raise BadInput(f"{where}: {_off_the_array(steps)}")
    if np.linalg.det(steps) < 0:
        raise BadInput(
            f"{where}: the spots lie mirrored in the image: x and y of the array or of the pixels are swapped, or the image is mirrored; correct the positions"
        )
    return steps


def _off_the_array(steps: np.ndarray) -> str:
    lengths = " and ".join(f"{length:.1f}" for length in np.linalg.norm(steps, axis=1))
    return f"the spots do not lie on the array: its steps would be {lengths} px along x and y, so µm per px cannot be measured; correct their positions"


def um_per_px(pitch_um: float, grid: np.ndarray, pixels: np.ndarray, where: str) -> float:
    """µm a pixel, of spots on a square array (or one made square, as visium.py does) whose places are `pitch_um` apart both ways."""
    steps = array_steps(grid, pixels, where)
    pitch = float(np.sqrt(np.linalg.det(steps)))
    if np.linalg.norm(steps, axis=1).max() > 1.1 * pitch:
        raise BadInput(f"{where}: {_off_the_array(steps)}")
    return pitch_um / pitch
