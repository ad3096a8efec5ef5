"""Small made-up Space Ranger output folders, in every form that its versions have."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.io import mmwrite
from scipy.sparse import csc_matrix

from compendium.data.readers import visium
from compendium.data.section import Section
from compendium.data.sources import SectionSource, cohort
from raw_files import panel_genes

ROWS, COLS = 8, 14  # of the array; every second place of a row is a spot
PITCH_PX, TURN = 60.0, np.deg2rad(3)  # the array lies turned in the image
WIDTH, HEIGHT, HIRES_SCALE = 520, 600, 0.25
GENES = [*panel_genes()[:10], "TBCE", "TBCE", "CD3"]  # TBCE names two genes of the human reference
KINDS = ["Gene Expression"] * 12 + ["Antibody Capture"]
NAMED = [*GENES[:11], "TBCE-1"]  # what is read of them
WORDS = ("Invasive cancer + stroma", "Stroma", "DCIS", "Necrosis", "")  # of a pathologist


def section(folder: Path) -> Section:
    """The section that is read of such a folder, with patches of 32 px."""
    return visium.read(
        folder,
        SectionSource(
            cohort="mine",
            name="S1",
            patient="A",
            lab="L1",
            technology="10x Visium, 55 µm spots",
            files={},
        ),
        32,
    )


def positions() -> pd.DataFrame:
    """Every spot of the made-up slide: barcode, in_tissue, array and pixel row and column."""
    places = [(row, col) for row in range(ROWS) for col in range(row % 2, COLS, 2)]
    um = np.array([(col / 2, row * np.sqrt(3) / 2) for row, col in places])  # (x, y) in pitches
    turn = np.array([[np.cos(TURN), np.sin(TURN)], [-np.sin(TURN), np.cos(TURN)]])
    x, y = np.round(um @ turn * PITCH_PX + (40, 90)).T
    inside = [int(1 <= row <= ROWS - 2 and 2 <= col <= COLS - 3) for row, col in places]
    barcodes = [f"{''.join('ACGT'[i // 4**k % 4] for k in range(6))}-1" for i in range(len(places))]
    row, col = np.transpose(places)
    return pd.DataFrame(
        {
            "barcode": barcodes,
            "in_tissue": inside,
            "array_row": row,
            "array_col": col,
            "pxl_row_in_fullres": y.astype(int),
            "pxl_col_in_fullres": x.astype(int),
        }
    )


def picture() -> np.ndarray:
    """An image whose colour says where: red is x / 4, green is y / 4."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x // 4, y // 4, np.full_like(x, 128)], axis=-1).astype(np.uint8)


def write(
    folder: Path,
    counts: str = "h5",
    version: int = 2,
    image: str = "image.tif",
    kind: str = "filtered",
    seed: int = 0,
) -> Path:
    """A Space Ranger output.

    counts: h5, mtx (zipped), plain (unzipped) or genes (as old as genes.tsv). kind: filtered,
    of the spots in tissue, or raw.
    """
    spatial = folder / "spatial"
    spatial.mkdir(parents=True, exist_ok=True)
    table = positions()
    table.to_csv(
        spatial / ("tissue_positions.csv" if version == 2 else "tissue_positions_list.csv"),
        index=False,
        header=version == 2,
    )
    (spatial / "scalefactors_json.json").write_text(
        json.dumps({"tissue_hires_scalef": HIRES_SCALE, "spot_diameter_fullres": 39.0})
    )
    small = Image.fromarray(picture()).resize(
        (round(WIDTH * HIRES_SCALE), round(HEIGHT * HIRES_SCALE))
    )
    small.save(spatial / "tissue_hires_image.png")
    small.save(spatial / "tissue_lowres_image.png")
    if image:
        Image.fromarray(picture()).save(
            folder / image,
            **({"quality": 95} if image.endswith("g") and "png" not in image else {}),
        )
    barcodes = table["barcode"][(table["in_tissue"] == 1) | (kind == "raw")].to_numpy()[
        ::-1
    ]  # not in the order of the positions
    values = np.random.default_rng(seed).poisson(
        np.geomspace(0.4, 12, len(GENES)), (len(barcodes), len(GENES))
    )
    write_counts(folder, values, list(barcodes), counts, kind)
    return folder


def write_tenx(root: Path, name: str = "block1") -> Path:
    """The files of a 10x section as they lie once fetched and unpacked.

    There is a prefix before each name, spatial/ among them.
    """
    (matrix, _, image) = (root / path for path in cohort("tenx").section(name).files)
    write(matrix.parent, image=image.name, version=1)
    (matrix.parent / "filtered_feature_bc_matrix.h5").rename(matrix)
    return root


def write_wu(root: Path, name: str = "CID4290", lacking: int = 5, image: str = "tif") -> Path:
    """The files of a section of Wu et al. as their archives are unpacked.

    Features have names alone; the filtered counts lack the `lacking` last spots in tissue.
    """
    made = write(root / "made", "mtx", 1, f"{name}.{image}" if image else "", "raw")
    raw, filtered = (
        root / "raw_count_matrices" / f"{name}_raw_feature_bc_matrix",
        root / "filtered_count_matrices" / f"{name}_filtered_count_matrix",
    )
    for source, target in (
        ("raw_feature_bc_matrix", raw),
        ("spatial", root / "spatial" / f"{name}_spatial"),
    ):
        shutil.copytree(made / source, target)
    inside = positions().query("in_tissue == 1")["barcode"].tolist()
    kept, values = (
        inside[: len(inside) - lacking],
        np.random.default_rng(1).poisson(3, (len(inside) - lacking, len(GENES))),
    )
    write_counts(root / "made", values, kept, "mtx")
    shutil.copytree(made / "filtered_feature_bc_matrix", filtered)
    (filtered / "features.tsv.gz").write_bytes(
        gzip.compress("\n".join([*GENES, ""]).encode(), mtime=0)
    )
    for folder in ("metadata", "images"):
        (root / folder).mkdir(exist_ok=True)
    lines = [f"{barcode},{name},{WORDS[i % len(WORDS)]}" for i, barcode in enumerate(kept)]
    (root / "metadata" / f"{name}_metadata.csv").write_text(
        "\n".join([",patientid,Classification", *lines, ""])
    )
    if image:
        shutil.copyfile(made / f"{name}.{image}", root / "images" / f"{name}.{image}")
    shutil.rmtree(made)
    return root


def write_counts(
    folder: Path, values: np.ndarray, barcodes: list[str], form: str, kind: str = "filtered"
) -> None:
    """Counts [spot feature] in one of the forms of `write`; other forms of them are removed."""
    kept = [
        feature
        for feature in range(len(GENES))
        if form != "genes" or KINDS[feature] == "Gene Expression"
    ]  # the old form has genes only
    matrix, name = csc_matrix(values.T[kept]), f"{kind}_feature_bc_matrix"
    if form == "h5":
        write_h5(folder / f"{name}.h5", matrix, barcodes)
        return
    (folder / name).mkdir(exist_ok=True)
    mmwrite(folder / name / "matrix.mtx", matrix)
    lines = [
        "\t".join([f"ENSG{i:05}", GENES[i], KINDS[i]][: 2 if form == "genes" else 3]) for i in kept
    ]
    (folder / name / ("genes.tsv" if form == "genes" else "features.tsv")).write_text(
        "\n".join([*lines, ""])
    )
    (folder / name / "barcodes.tsv").write_text("\n".join([*barcodes, ""]))
    for path in [*(folder / name).iterdir()] if form == "mtx" else []:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()


def write_h5(path: Path, matrix: csc_matrix, barcodes: list[str]) -> None:
    """A feature-barcode matrix as Space Ranger writes it."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["library_ids"] = np.array([b"made-up"])
        group = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            values = getattr(matrix, part)
            group[part] = (
                values.astype(np.int32) if part == "data" and values.dtype.kind == "i" else values
            )
        group["shape"], group["barcodes"] = np.array(matrix.shape), np.array(barcodes, "S")
        features = {
            "id": [f"ENSG{i:05}" for i in range(len(GENES))],
            "name": GENES,
            "feature_type": KINDS,
            "genome": ["GRCh38"] * len(GENES),
        }
        for word, texts in features.items():
            group[f"features/{word}"] = np.array(texts, "S")
        group["features/_all_tag_keys"] = np.array([b"genome"])
