"""Reader of one Space Ranger output (10x Genomics Visium): counts, spot positions, scale factors and the image that Space Ranger was run on."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.io import mmread
from scipy.sparse import csr_matrix

from compendium.data.download.checksums import blob_id
from compendium.data.readers import slides
from compendium.data.readers.tables import (
    Counts,
    array_positions,
    check_numbers,
    from_scverse,
    in_order,
    um_per_px,
)
from compendium.data.section import Section
from compendium.data.sources import SectionSource
from compendium.errors import BadInput

if TYPE_CHECKING:
    from anndata import AnnData

PITCH_UM = 100.0  # centre-to-centre distance of neighbouring spots (10x Genomics); the array is hexagonal, so each has six of them
HEXAGONAL = np.array(
    [1 / 2, np.sqrt(3) / 2]
)  # pitches from one array column, and from one array row, to the next
POSITIONS = (
    "tissue_positions.csv",
    "tissue_positions_list.csv",
)  # of Space Ranger 2 and later; of earlier versions, without a header
COLUMNS = (
    "barcode",
    "in_tissue",
    "array_row",
    "array_col",
    "pxl_row_in_fullres",
    "pxl_col_in_fullres",
)
COUNTS = tuple(
    f"*{kind}_feature_bc_matrix{end}" for kind in ("filtered", "raw") for end in (".h5", "")
)  # the first that is there
FACTORS, HIRES, HD = "scalefactors_json.json", "tissue_hires_image.png", "tissue_positions.parquet"
MTX = (("matrix.mtx",), ("features.tsv", "genes.tsv"), ("barcodes.tsv",))  # each perhaps zipped
GENES = "Gene Expression"
IMAGES = (".tif", ".tiff", ".jpg", ".jpeg", ".png")
SCANS = (*IMAGES, ".svs", ".ndpi")  # that somebody may take for the image of the section


@dataclass(frozen=True)
class Files:
    """Where the files of one output lie: the count matrix (.h5 or an mtx folder), the folder spatial/, the image (None: counts only), all below `root`."""

    root: Path
    counts: Path
    spatial: Path
    image: Path | None


def is_output(folder: Path) -> bool:
    """Whether a folder is a Space Ranger output, or the folder above its outs/."""
    return (_outs(folder) / "spatial").is_dir()


def _outs(folder: Path) -> Path:
    return folder / "outs" if (folder / "outs" / "spatial").is_dir() else folder


def read(folder: Path, cohort_name: str, facts: SectionSource, px: int) -> Section:
    """The section of a Space Ranger output folder, whose files `read_files` reads; without an image beside spatial/ it is counts-only."""
    base, where = _outs(folder), f"{cohort_name} section {facts.name}"
    image = find_image((path for each in (folder, base) for path in each.iterdir()), where)
    return read_files(
        Files(folder, _counts(base, where), base / "spatial", image), cohort_name, facts, px
    )


def read_files(files: Files, cohort_name: str, facts: SectionSource, px: int) -> Section:
    """The section of the files of a Space Ranger output.

    Spots are the barcodes of the counts that lie in tissue, in the order of the counts. grid is (array_col, array_row); pixels are (x right, y down), that is
    (pxl_col_in_fullres, pxl_row_in_fullres). `px` is the side of the stored patches in pixels of the full-resolution image.
    """
    where = f"{cohort_name} section {facts.name}"
    positions_path = _positions(files.spatial, where)
    positions = read_positions(positions_path, where)
    barcodes, genes, counts = read_counts(files.counts, where)
    counted = in_order(positions, barcodes, positions_path, where)
    inside = counted["in_tissue"].to_numpy() == 1
    if not inside.any():
        raise BadInput(
            f"{where}: {positions_path} puts none of the {len(barcodes)} spots of {files.counts.name} in tissue; detect the tissue again in Space Ranger or Loupe"
        )
    table, barcodes, counts = counted[inside], barcodes[inside], counts[inside]
    scale = read_hires_scale(files.spatial / FACTORS, where)
    read = [
        *_files(files.counts),
        positions_path,
        files.spatial / FACTORS,
        *([files.image] if files.image else []),
    ]
    return Section(
        cohort=cohort_name,
        name=facts.name,
        patient=facts.patient,
        lab=facts.lab,
        technology=facts.technology,
        genes=genes,
        spots=barcodes,
        grid=_grid(table),
        pixels=_pixels(table),
        um_per_px=um_per_px(PITCH_UM, _grid(positions) * HEXAGONAL, _pixels(positions), where),
        counts=counts,
        sources={str(path.relative_to(files.root)): blob_id(path) for path in read},
        **(
            _image(files.image, files.spatial / HIRES, scale, _pixels(table), px, where)
            if files.image
            else {}
        ),
    )


def _grid(positions: pd.DataFrame) -> np.ndarray:
    return positions[["array_col", "array_row"]].to_numpy(np.int32)


def _pixels(positions: pd.DataFrame) -> np.ndarray:
    return positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(np.float32)


def _counts(base: Path, where: str) -> Path:
    """The count matrix: of the spots in tissue before that of all, .h5 before the mtx folder."""
    for pattern in COUNTS:
        if found := _at_most_one(
            [path for path in base.glob(pattern) if path.is_dir() != pattern.endswith(".h5")], where
        ):
            return found
    raise BadInput(
        f"{where}: no counts under {base}; put filtered_feature_bc_matrix.h5, or the unpacked folder filtered_feature_bc_matrix, beside spatial/"
    )


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]


def _positions(spatial: Path, where: str) -> Path:
    if found := _at_most_one(
        [spatial / name for name in POSITIONS if (spatial / name).is_file()], where
    ):
        return found
    if (spatial / HD).is_file():
        raise BadInput(
            f"{where}: {spatial / HD} is of Visium HD, which has bins and no spots, and is not read; give the output of a Visium slide with spots"
        )
    raise BadInput(
        f"{where}: no spot positions under {spatial}; put Space Ranger's {' or '.join(POSITIONS)} there"
    )


def find_image(paths: Iterable[Path], where: str, name: str = "image") -> Path | None:
    """The slide image among the paths, called image.* or *_image.* (TIFF, JPEG or PNG), or so with another `name`; None where there is nothing that could be one."""
    listed = [path for path in {*paths} if path.suffix.lower() in SCANS]
    found = _at_most_one(
        [
            path
            for path in listed
            if path.suffix.lower() in IMAGES
            and f"_{path.stem}".lower().endswith(f"_{name}".lower())
        ],
        where,
    )
    for path in sorted(listed) if not found else []:
        raise BadInput(
            f"{where}: {path} would be left out; give the slide as {name}.tif, {name}.jpg or {name}.png (export other formats), and put other pictures elsewhere"
        )
    if found and not found.is_file():
        raise BadInput(f"{where}: {found} is no file; put the image itself there")
    return found


def _at_most_one(found: list[Path], where: str) -> Path | None:
    if len(found) > 1:
        raise BadInput(
            f"{where}: {' and '.join(sorted(path.name for path in found))} are {len(found)} answers to one question; keep the one that belongs to the section"
        )
    return found[0] if found else None


def read_hires_scale(path: Path, where: str) -> float:
    """Pixels of Space Ranger's hires copy per pixel of the full image: tissue_hires_scalef of its scale factors."""
    cure = "copy spatial/ from the Space Ranger output again"
    try:
        scale = float(json.loads(path.read_text(encoding="utf-8"))["tissue_hires_scalef"])
    except FileNotFoundError as error:
        raise BadInput(f"{where}: there is no {path}; {cure}") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadInput(
            f"{where}: {path} holds no scale factors in JSON ({type(error).__name__}: {error}); {cure}"
        ) from error
    if not 0 < scale <= 1:
        raise BadInput(
            f"{where}: {path} gives {scale:g} as tissue_hires_scalef, hires pixels per pixel of the full image, which is above 0 and at most 1; {cure}"
        )
    return scale


def read_positions(path: Path, where: str) -> pd.DataFrame:
    """Position of every spot of the slide, in tissue or not, by barcode; the columns are Space Ranger's, which older versions do not write down."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            headed = file.readline().startswith("barcode")
        table = pd.read_csv(
            path,
            header=0 if headed else None,
            dtype={0: str, "barcode": str},
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except (ValueError, OSError) as error:
        raise BadInput(
            f"{where}: {path} is no table of positions ({' '.join(str(error).split())}); copy spatial/ from the Space Ranger output again"
        ) from error
    if table.shape[1] != len(COLUMNS) or (headed and tuple(table.columns) != COLUMNS):
        found = ", ".join(map(str, table.columns)) if headed else "without a header"
        raise BadInput(
            f"{where}: {path} has {table.shape[1]} columns ({found}), but positions have the {len(COLUMNS)} columns {', '.join(COLUMNS)}; copy it again"
        )
    table = table.set_axis(COLUMNS, axis=1).set_index("barcode")
    check_numbers(table, path, where)
    array_positions(table[["array_col", "array_row"]], path, where)
    if not table["in_tissue"].isin((0, 1)).all():
        raise BadInput(
            f"{where}: {path} holds {table.loc[~table['in_tissue'].isin((0, 1)), 'in_tissue'].iloc[0]} as in_tissue, which is 0 or 1; copy it again"
        )
    return table


def read_counts(path: Path, where: str) -> Counts:
    """Barcodes, gene names and counts [spot gene] of an .h5 matrix or of an mtx folder, by scanpy and anndata. Features other than gene expression are left out.

    A name that several genes have stays with the first; the next are called NAME-1, NAME-2 …, as anndata's var_names_make_unique does.
    """
    return from_scverse(_matrix, path, where)


def _matrix(path: Path) -> "AnnData":
    import scanpy

    table = scanpy.read_10x_h5(path) if path.is_file() else _mtx(path)
    table.var_names_make_unique()
    return table


def _mtx(folder: Path) -> "AnnData":
    """The three files of a matrix. Features are id, name and kind; as old as genes.tsv they have no kind, and some publishers give the name alone."""
    from anndata import AnnData

    matrix, features, barcodes = (_zipped_or_not(folder, names) for names in MTX)
    listed, spots = (
        pd.read_csv(
            path, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE
        )
        for path in (features, barcodes)
    )
    counted = csr_matrix(mmread(matrix).T)
    if counted.shape != (len(spots), len(listed)):
        told = f"{matrix.name} counts {counted.shape[1]} features of {counted.shape[0]} barcodes"
        raise ValueError(
            f"{told}, of which {features.name} and {barcodes.name} list {len(listed)} and {len(spots)}"
        )
    obs, var = (
        pd.DataFrame(index=names.to_numpy(object))
        for names in (spots[0], listed[min(1, listed.shape[1] - 1)])
    )
    table = AnnData(counted, obs=obs, var=var)
    return table[:, (listed[2] == GENES).to_numpy()].copy() if 2 in listed else table


def _zipped_or_not(folder: Path, names: tuple[str, ...]) -> Path:
    found = [
        folder / f"{name}{end}"
        for name in names
        for end in (".gz", "")
        if (folder / f"{name}{end}").is_file()
    ]
    if not found:
        raise FileNotFoundError(f"no {names[0]}.gz in it")
    return found[0]


def _image(
    path: Path, hires: Path, scale: float, pixels: np.ndarray, px: int, where: str
) -> dict[str, Any]:
    """What a Section holds of its image, if that is the one whose pixels the positions are: its size is checked against Space Ranger's own small copy."""
    slide = slides.read_slide(path)
    if hires.is_file():
        given, implied = (
            np.array(image.shape[1::-1]) for image in (slide.image, slides.read_slide(hires).image)
        )
        if (abs(given * scale - implied) > 2).any():  # the copy is rounded to whole pixels
            was = " x ".join(f"{side / scale:.0f}" for side in implied)
            raise BadInput(
                f"{where}: {path.name} has {given[0]} x {given[1]} px, but Space Ranger was run on about {was} px ({hires.name} by its scale factor); give that image"
            )
    return slides.section_fields(slide, pixels, px, where)
