"""Reader of the HER2+ breast tumour cohort (Andersson et al. 2021) in the layout of its public repository."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from compendium.data import slides
from compendium.data.section import NO_LABEL, Section
from compendium.data.sources import blob_id, cohort
from compendium.errors import BadInput

PITCH_UM = 200.0  # centre-to-centre distance of the spots of the legacy array (Ståhl et al. 2016)
LABELS = ("invasive cancer", "connective tissue", "adipose tissue", "immune infiltrate", "cancer in situ", "breast glands", "undetermined")


def read(root: Path, name: str, px: int) -> Section:
    """One section of the cohort from its raw files under `root`; without an image file it is counts-only.

    Spots are the rows of the count matrix; `px` is the side of the stored patches in pixels of the full image.
    """
    facts = cohort("her2st").section(name)
    where = f"her2st section {name}"
    files = _present(root, facts.files, where)
    spots, genes, counts = read_counts(root / files["counts"], where)
    table = read_spots(root / files["spots"], spots, where)
    pixels = table[["pixel_x", "pixel_y"]].to_numpy(np.float32)
    grid = table[["x", "y"]].to_numpy(np.int32)
    image = {}
    if "image" in files:
        slide = slides.read_slide(root / files["image"])
        image = {"patches": slides.cut_patches(slide.image, pixels, px, where), "thumbnail": slide.thumbnail, "thumbnail_scale": slide.scale}
    return Section(
        cohort="her2st", name=name, patient=facts.patient, lab=facts.lab, technology=facts.technology, genes=genes, spots=spots,
        grid=grid, pixels=pixels, um_per_px=PITCH_UM / spot_pitch(grid, pixels), counts=counts,
        labels=read_labels(root / files["labels"], spots, where) if "labels" in files else None,
        sources={files[kind]: blob_id(root / files[kind]) for kind in sorted(files)}, **image,
    )


def counted(root: Path) -> list[str]:
    """Names of the sections whose count table lies under `root`."""
    listed = cohort("her2st").sections
    return [name for name, facts in listed.items() if any("/ST-cnts/" in path and (root / path).exists() for path in facts.files)]


def _present(root: Path, catalogued: dict[str, str], where: str) -> dict[str, str]:
    """Kind of file -> relative path, for the catalogued files that lie under `root`; counts and spots must."""
    kinds = {"ST-cnts": "counts", "ST-spotfiles": "spots", "ST-imgs": "image", "ST-pat": "labels"}
    files = {kind: path for path in catalogued for part, kind in kinds.items() if f"/{part}/" in f"/{path}" and (root / path).exists()}
    for kind in ("counts", "spots"):
        if kind not in files:
            raise BadInput(f"{where}: no {kind} file under {root}; run compendium fetch her2st --from FOLDER first")
    return files


def read_counts(path: Path, where: str) -> tuple[np.ndarray, np.ndarray, csr_matrix]:
    """Spot ids, gene names and integer counts [spot gene] of a gzipped tab-separated table (rows spots, columns genes)."""
    spots, rows = [], []
    try:
        with gzip.open(path, "rt") as lines:
            genes = np.array(lines.readline().rstrip("\n").split("\t")[1:])
            for number, line in enumerate(lines, start=2):
                spot, _, values = line.partition("\t")
                spots.append(spot)
                rows.append(csr_matrix(_integers(values, len(genes), f"{where}: {path.name} line {number}")))
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise BadInput(f"{where}: {path} is truncated or damaged ({error}); fetch it again") from error
    if not rows or not len(genes):
        raise BadInput(f"{where}: {path} holds no counts; fetch it again")
    indptr = np.concatenate([[0], np.cumsum([row.nnz for row in rows])]).astype(np.int32)
    stacked = (np.concatenate([row.data for row in rows]), np.concatenate([row.indices for row in rows]), indptr)
    return np.array(spots), genes, csr_matrix(stacked, shape=(len(rows), len(genes)))


def _integers(values: str, expected: int, where: str) -> np.ndarray:
    """One line of counts as int32; anything else than `expected` non-negative integers is an error."""
    try:
        line = np.array(values.split("\t"), dtype=np.float64)
    except ValueError as error:
        raise BadInput(f"{where}: {error}; counts must be integers") from error
    if len(line) != expected:
        raise BadInput(f"{where} has {len(line)} counts for {expected} genes: the file is truncated or damaged; fetch it again")
    with np.errstate(invalid="ignore"):  # what no integer can hold is found in the comparison
        counts = line.astype(np.int32)
    if not np.array_equal(counts, line) or counts.min() < 0:
        bad = line[(counts != line) | (line < 0)][0]
        raise BadInput(f"{where} holds {bad:g}: counts must be non-negative integers; give raw UMI counts")
    return counts


def read_spots(path: Path, spots: np.ndarray, where: str) -> pd.DataFrame:
    """Rows of the spot table (x, y, pixel_x, pixel_y, ...) in the order of the counted spots."""
    table = _table(path, ("x", "y", "pixel_x", "pixel_y"), where)
    _check_numbers(table[["x", "y", "pixel_x", "pixel_y"]], path, where)
    table.index = table["x"].astype(str) + "x" + table["y"].astype(str)
    twice = table.index[table.index.duplicated()]
    if len(twice):
        raise BadInput(f"{where}: spot {twice[0]} stands twice in {path}; keep one row of each spot")
    unplaced = [spot for spot in spots if spot not in table.index]
    if unplaced:
        raise BadInput(f"{where}: {len(unplaced)} counted spots have no row in {path}, first {unplaced[0]}; counts and spot table must be of one section")
    return table.loc[list(spots)]


def read_labels(path: Path, spots: np.ndarray, where: str) -> np.ndarray:
    """The pathologist's class of each spot ("" where none); joined on the rounded array position."""
    table = _table(path, ("x", "y", "label"), where).dropna(subset=["x", "y"])
    _check_numbers(table[["x", "y"]], path, where)
    unknown = sorted(set(table["label"].astype(str)) - set(LABELS))
    if unknown:
        raise BadInput(f"{where}: label {unknown[0]!r} in {path} is none of {', '.join(LABELS)}; correct the table")
    position = table[["x", "y"]].round().astype(int).astype(str)
    by_spot = dict(zip(position["x"] + "x" + position["y"], table["label"], strict=True))
    return np.array([by_spot.get(spot, NO_LABEL) for spot in spots])


def _table(path: Path, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """A tab-separated table that has the named columns."""
    try:
        table = pd.read_csv(path, sep="\t")
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors, some of them with a line break
        raise BadInput(f"{where}: {path} is no tab-separated table ({' '.join(str(error).split())}); fetch it again") from error
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise BadInput(f"{where}: {path} lacks the column {lacking[0]}; it should be a tab-separated table with {', '.join(columns)}")
    return table


def _check_numbers(table: pd.DataFrame, path: Path, where: str) -> None:
    for column in table.columns:
        bad = table[column][~np.isfinite(pd.to_numeric(table[column], errors="coerce"))]
        if len(bad):
            raise BadInput(f"{where}: {path} holds {str(bad.iloc[0])!r} as {column}; positions must be numbers, correct the table or fetch it again")


def spot_pitch(grid: np.ndarray, pixels: np.ndarray) -> float:
    """Pixels from one array position to the next: the least-squares map of array to image, as one length."""
    design = np.column_stack([grid, np.ones(len(grid))]).astype(float)
    (across, down, _), *_ = np.linalg.lstsq(design, pixels.astype(float), rcond=None)
    return float(np.sqrt(abs(np.linalg.det([across, down]))))
