"""Reader of one Space Ranger output (10x Genomics Visium), with the image that it was run on."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.io import mmread
from scipy.sparse import csr_matrix

from compendium.data.download.checksums import blob_id
from compendium.data.readers import slides, tables
from compendium.data.section import ARRAYS, SPACE_RANGER, Section
from compendium.data.sources import SectionSource
from compendium.errors import BadInput, refusing

if TYPE_CHECKING:
    from anndata import AnnData

PITCH_UM = ARRAYS["hexagonal"][1]
GRID, PIXELS = ["array_col", "array_row"], ["pxl_col_in_fullres", "pxl_row_in_fullres"]  # x, y
COLUMNS = ("barcode", "in_tissue", *GRID[::-1], *PIXELS[::-1])
COUNTS = tuple(
    f"*{kind}_feature_bc_matrix{end}" for kind in ("filtered", "raw") for end in (".h5", "")
)  # the first that is there
FACTORS, HIRES, HD = "scalefactors_json.json", "tissue_hires_image.png", "tissue_positions.parquet"
SCALE = "tissue_hires_scalef"  # a key of FACTORS
MTX = (("matrix.mtx",), ("features.tsv", "genes.tsv"), ("barcodes.tsv",))  # each perhaps zipped
GENES = "Gene Expression"
IMAGES = (".tif", ".tiff", ".jpg", ".jpeg", ".png")
SCANS = (*IMAGES, ".svs", ".ndpi")  # that somebody may take for the image of the section
COPY_AGAIN = "copy spatial/ from the Space Ranger output again"


def is_output(folder: Path) -> bool:
    """Return whether a folder is a Space Ranger output, or the folder above its outs/."""
    return (_outs(folder) / "spatial").is_dir()


def _outs(folder: Path) -> Path:
    return folder / "outs" if (folder / "outs" / "spatial").is_dir() else folder


def read(folder: Path, source: SectionSource, px: int) -> Section:
    """Read the section of a Space Ranger output folder; see `read_files`.

    The image lies beside spatial/ or beside outs/; without one the section is counts-only.
    """
    base = _outs(folder)
    image = find_image(path for each in {folder, base} for path in each.iterdir())
    return read_files(folder, _counts(base), base / "spatial", image, source, px)


def read_files(
    root: Path, counts_at: Path, spatial: Path, image: Path | None, source: SectionSource, px: int
) -> Section:
    """Read the section of the files of a Space Ranger output.

    Parameters
    ----------
    root
        Folder above all files.
    counts_at, spatial, image
        The matrix (.h5 or an mtx folder), the folder of positions, and the image or None.
    source
        Name, patient, laboratory and technology.
    px
        Side of the stored tiles in px of the full-resolution image.

    Returns
    -------
    Section with the barcodes of the counts that lie in tissue, in the order of the counts; grid is
    (array_col, array_row).

    Raises
    ------
    BadInput
        Where a file is missing, damaged or of another section.
    """
    path = _positions(spatial)
    positions = read_positions(path)
    barcodes, genes, counts = read_counts(counts_at)
    table = tables.in_order(positions, barcodes, path)
    inside = table["in_tissue"].to_numpy() == 1
    if not inside.any():
        wrong = f"{path} puts none of the {len(barcodes)} spots of {counts_at.name} in tissue"
        raise BadInput(f"{wrong}; detect the tissue again in Space Ranger or Loupe")
    pixels = table.loc[inside, PIXELS].to_numpy(np.float32)
    scale = read_hires_scale(spatial / FACTORS)
    fields = _image(image, spatial / HIRES, scale, pixels, px) if image else {}
    read = [*_files(counts_at), path, spatial / FACTORS, *([image] if image else [])]
    steps = positions[GRID].to_numpy(np.int32) * tables.STEPS["hexagonal"]
    return Section(
        **replace(source, array="hexagonal").section_facts(),
        genes=genes,
        spots=barcodes[inside],
        grid=table.loc[inside, GRID].to_numpy(np.int32),
        pixels=pixels,
        counts=counts[inside],
        um_per_px=tables.measured(PITCH_UM, steps, positions[PIXELS].to_numpy(np.float32)),
        sources={str(path.relative_to(root)): blob_id(path) for path in read},
        **fields,
    )


def _counts(base: Path) -> Path:
    """Return the matrix: of the spots in tissue before that of all, .h5 before the mtx folder."""
    for pattern in COUNTS:
        found = [path for path in base.glob(pattern) if path.is_dir() != pattern.endswith(".h5")]
        if matrix := tables.at_most_one(found):
            return matrix
    mend = "put filtered_feature_bc_matrix.h5, or its folder unpacked, beside spatial/"
    raise BadInput(f"no counts under {base}; {mend}")


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]


def _positions(spatial: Path) -> Path:
    found = [spatial / name for name in SPACE_RANGER if (spatial / name).is_file()]
    if path := tables.at_most_one(found):
        return path
    if (spatial / HD).is_file():
        wrong = f"{spatial / HD} is of Visium HD, which has bins and no spots, and is not read"
        raise BadInput(f"{wrong}; give the output of a Visium slide with spots")
    mend = f"put Space Ranger's {' or '.join(SPACE_RANGER)} there"
    raise BadInput(f"no spot positions under {spatial}; {mend}")


def find_image(paths: Iterable[Path], name: str = "image") -> Path | None:
    """Return the slide image among the paths, or None where nothing could be one.

    Parameters
    ----------
    name
        It is called NAME.* or *_NAME.* (TIFF, JPEG or PNG).

    Raises
    ------
    BadInput
        Where there are several, only images under other names, or a folder of the name.
    """
    listed = sorted(path for path in {*paths} if path.suffix.lower() in SCANS)
    ending = f"_{name}".lower()
    named = [path for path in listed if f"_{path.stem}".lower().endswith(ending)]
    found = tables.at_most_one([path for path in named if path.suffix.lower() in IMAGES])
    if listed and not found:
        mend = f"give the slide as {name}.tif, .jpg or .png, and put other pictures elsewhere"
        raise BadInput(f"{listed[0]} would be left out; {mend}")
    if found and not found.is_file():
        raise BadInput(f"{found} is no file; put the image itself there")
    return found


def read_hires_scale(path: Path) -> float:
    """Return tissue_hires_scalef: pixels of the hires copy per pixel of the full image."""
    if not path.is_file():
        raise BadInput(f"there is no {path}; {COPY_AGAIN}")
    with refusing((OSError, ValueError), f"{path} holds no scale factors in JSON", COPY_AGAIN):
        factors = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(factors, dict) or SCALE not in factors:
        raise BadInput(f"{path} lacks {SCALE}; {COPY_AGAIN}")
    with refusing((ValueError, TypeError), f"{path} gives no number as {SCALE}", COPY_AGAIN):
        scale = float(factors[SCALE])
    if not 0 < scale <= 1:
        mend = f"it is above 0 and at most 1; {COPY_AGAIN}"
        raise BadInput(f"{path} gives {scale:g} as {SCALE}; {mend}")
    return scale


def read_positions(path: Path) -> pd.DataFrame:
    """Read the position of every spot of the slide, in tissue or not, by barcode.

    The columns are Space Ranger's, which older versions do not write down.
    """
    form = {"dtype": {0: str, "barcode": str}, "encoding": "utf-8-sig", "keep_default_na": False}
    with refusing(tables.NO_TABLE, f"{path} is no table of positions", COPY_AGAIN):
        with path.open(encoding="utf-8-sig") as file:
            headed = file.readline().startswith("barcode")
        table = pd.read_csv(path, header=0 if headed else None, **form)
    if table.shape[1] != len(COLUMNS) or (headed and tuple(table.columns) != COLUMNS):
        found = ", ".join(map(str, table.columns)) if headed else "without a header"
        right = f"positions have the {len(COLUMNS)} columns {', '.join(COLUMNS)}"
        raise BadInput(f"{path} has {table.shape[1]} columns ({found}), but {right}; copy it again")
    table = table.set_axis(COLUMNS, axis=1).set_index("barcode")
    tables.check_numbers(table, path)
    tables.array_positions(table[GRID], path)
    if len(odd := table.loc[~table["in_tissue"].isin((0, 1)), "in_tissue"]):
        raise BadInput(f"{path} holds {odd.iloc[0]} as in_tissue, which is 0 or 1; copy it again")
    return table


def read_counts(path: Path) -> tables.Counts:
    """Read barcodes, gene names and counts [spot gene] of an .h5 matrix or an mtx folder.

    Features other than gene expression are left out. A name that several genes have stays with the
    first; the next are called NAME-1, NAME-2 …, as anndata's var_names_make_unique does.
    """
    return tables.annotated_counts(tables.annotated_file(path, _matrix), str(path))


def _matrix(path: Path) -> "AnnData":
    import scanpy

    table = scanpy.read_10x_h5(path) if path.is_file() else _mtx(path)
    table.var_names_make_unique()
    return table


def _mtx(folder: Path) -> "AnnData":
    """Read the three files of a matrix.

    scanpy.read_10x_mtx does not read features by name alone, as Wu et al. publish them. Features
    are id, name and kind; as old as genes.tsv they have no kind.
    """
    from anndata import AnnData

    matrix, features, barcodes = (_zipped_or_not(folder, names) for names in MTX)
    form = {"sep": "\t", "header": None, "dtype": str, "quoting": csv.QUOTE_NONE}
    listed, spots = (
        pd.read_csv(path, keep_default_na=False, **form) for path in (features, barcodes)
    )
    counted = csr_matrix(mmread(matrix).T)
    if counted.shape != (len(spots), len(listed)):
        found = f"{matrix.name} counts {counted.shape[1]} features of {counted.shape[0]} barcodes"
        named = f"{features.name} and {barcodes.name} list {len(listed)} and {len(spots)}"
        raise ValueError(f"{found}, of which {named}")
    names = (spots[0], listed[min(1, listed.shape[1] - 1)])
    obs, var = (pd.DataFrame(index=each.to_numpy(object)) for each in names)
    table = AnnData(counted, obs=obs, var=var)
    return table[:, (listed[2] == GENES).to_numpy()].copy() if 2 in listed else table


def _zipped_or_not(folder: Path, names: tuple[str, ...]) -> Path:
    candidates = (folder / f"{name}{end}" for name in names for end in (".gz", ""))
    if found := next(filter(Path.is_file, candidates), None):
        return found
    raise FileNotFoundError(f"no {names[0]}.gz in it")


def _image(path: Path, hires: Path, scale: float, pixels: np.ndarray, px: int) -> dict[str, Any]:
    """Return the image fields of a Section.

    The size of the image is checked against Space Ranger's own small copy, as positions are pixels
    of the image that it was run on.
    """
    slide = slides.read_slide(path)
    if hires.is_file():
        size = np.array(slide.image.shape[1::-1])
        small = np.array(slides.read_slide(hires).image.shape[1::-1])
        if (abs(size * scale - small) > 2).any():  # the copy is rounded to whole pixels
            has, ran = (
                " x ".join(f"{side:.0f}" for side in each) for each in (size, small / scale)
            )
            run = f"Space Ranger was run on about {ran} px ({hires.name} by its scale factor)"
            raise BadInput(f"{path.name} has {has} px, but {run}; give that image")
    return slides.section_fields(slide, pixels, px)
