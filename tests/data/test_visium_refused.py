"""Space Ranger output folders that cannot be used: one line each."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.data.readers import slides
from raw_files import change_lines, refusal
from space_ranger import picture, positions, section, write, write_counts

INSIDE = positions().query("in_tissue == 1").set_index("barcode")


@pytest.fixture
def raw(tmp_path) -> Path:
    """An output folder that a test may damage."""
    return write(tmp_path)


def positions_file(raw: Path) -> Path:
    return raw / "spatial" / "tissue_positions.csv"


def cell(row: int, column: int, value: str) -> Callable[[Path], None]:
    def change(lines: list[str]) -> list[str]:
        cells = lines[row].split(",")
        cells[column] = value
        return [*lines[:row], ",".join(cells), *lines[row + 1 :]]

    return lambda raw: change_lines(positions_file(raw), change)


def lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    return lambda raw: change_lines(positions_file(raw), change)


def factors(text: str) -> Callable[[Path], None]:
    return lambda raw: (raw / "spatial" / "scalefactors_json.json").write_text(text)


def counted(
    values: np.ndarray | None = None, barcodes: list[str] | None = None, form: str = "h5"
) -> Callable[[Path], None]:
    ones = np.ones((len(barcodes) if barcodes else len(INSIDE), 13), int)
    return lambda raw: write_counts(
        raw, ones if values is None else values, barcodes or list(INSIDE.index), form
    )


def cut(name: str, left: int) -> Callable[[Path], None]:
    return lambda raw: (raw / name).write_bytes((raw / name).read_bytes()[:left])


def gone(*names: str) -> Callable[[Path], None]:
    return lambda raw: [(raw / name).unlink() for name in names]


def downscaled(raw: Path) -> None:
    Image.fromarray(picture()).resize((260, 300)).save(raw / "image.tif")


def no_array(raw: Path) -> None:
    table = positions()
    table["pxl_col_in_fullres"] = table["pxl_row_in_fullres"]
    table.to_csv(positions_file(raw), index=False)


def swapped(raw: Path) -> None:
    positions().rename(columns={"array_row": "array_col", "array_col": "array_row"})[
        positions().columns
    ].to_csv(positions_file(raw), index=False)


def exchanged(raw: Path) -> None:
    table = positions()
    table[["pxl_row_in_fullres", "pxl_col_in_fullres"]] = table[
        ["pxl_col_in_fullres", "pxl_row_in_fullres"]
    ].to_numpy()
    table.to_csv(positions_file(raw), index=False)


def only_antibodies(raw: Path) -> None:
    import h5py

    with h5py.File(raw / "filtered_feature_bc_matrix.h5", "a") as file:
        del file["matrix/features/feature_type"]
        file["matrix/features/feature_type"] = np.array(["Antibody Capture"] * 13, "S")


def without_dataset(raw: Path) -> None:
    import h5py

    with h5py.File(raw / "filtered_feature_bc_matrix.h5", "a") as file:
        del file["matrix/indptr"]


def mtx_without_features(raw: Path) -> None:
    gone("filtered_feature_bc_matrix.h5")(raw)
    counted(form="mtx")(raw)
    gone("filtered_feature_bc_matrix/features.tsv.gz")(raw)


def cut_mtx(raw: Path) -> None:
    gone("filtered_feature_bc_matrix.h5")(raw)
    counted(form="mtx")(raw)
    cut("filtered_feature_bc_matrix/matrix.mtx.gz", 300)(raw)


def mtx_cut_to(name: str, count: int) -> Callable[[Path], None]:
    def damage(raw: Path) -> None:
        gone("filtered_feature_bc_matrix.h5")(raw)
        counted(form="mtx")(raw)
        change_lines(raw / "filtered_feature_bc_matrix" / name, lambda lines: lines[:count])

    return damage


def image_folder(raw: Path) -> None:
    gone("image.tif")(raw)
    (raw / "image.tif").mkdir()


HALF = np.full((len(INSIDE), 13), 0.5)


def visium_hd(raw: Path) -> None:
    positions_file(raw).rename(raw / "spatial" / "tissue_positions.parquet")


def both_versions(raw: Path) -> None:
    positions().to_csv(raw / "spatial" / "tissue_positions_list.csv", index=False, header=False)


REFUSED = {
    "positions of Visium HD": (
        visium_hd,
        (
            "tissue_positions.parquet",
            "is of Visium HD",
            "give the output of a Visium slide with spots",
        ),
    ),
    "positions of both versions": (
        both_versions,
        (
            "tissue_positions.csv and tissue_positions_list.csv",
            "keep the one",
        ),
    ),
    "no positions": (
        gone("spatial/tissue_positions.csv"),
        ("no spot positions under", "tissue_positions.csv or tissue_positions_list.csv"),
    ),
    "positions of five columns": (
        lines(lambda rows: [row.rsplit(",", 1)[0] for row in rows]),
        ("has 5 columns", "barcode, in_tissue, array_row"),
    ),
    "headless positions of seven": (
        lines(lambda rows: [f"{row},1" for row in rows[1:]]),
        ("has 7 columns (without a header)",),
    ),
    "columns in another order": (
        lines(lambda rows: [rows[0].replace("pxl_row", "pxl_x"), *rows[1:]]),
        ("pxl_x_in_fullres", "positions have the 6 columns"),
    ),
    "ragged positions": (
        lines(lambda rows: [*rows, "A,1,1,1,1,1,1,1"]),
        ("no table of positions", "saw 8"),
    ),
    "empty positions": (cut("spatial/tissue_positions.csv", 0), ("no table of positions",)),
    "a position that is no number": (
        cell(3, 5, "right"),
        ("'right' as pxl_col_in_fullres", "numbers"),
    ),
    "a position that is missing": (cell(3, 4, ""), ("'' as pxl_row_in_fullres",)),
    "an array position between places": (
        cell(3, 2, "1.5"),
        ("array position 1.5", "integers from 0"),
    ),
    "two spots on one place": (
        cell(2, 3, "0"),
        ("array position 0, 0 (array_col, array_row) stands twice",),
    ),
    "an array position beyond any array": (
        cell(3, 2, "99999999999"),
        ("'99999999999' as array_row",),
    ),
    "in_tissue beyond 0 and 1": (cell(3, 1, "2"), ("holds 2 as in_tissue",)),
    "the same barcode twice": (
        lines(lambda rows: [*rows, rows[9]]),
        ("stands twice in", "tissue_positions.csv"),
    ),
    "counts without a position": (
        lines(lambda rows: [*rows[:-40]]),
        ("counted spots have no row in", "of one section"),
    ),
    "counts of another slide": (
        counted(barcodes=["AAAA-1", "CCCC-1"]),
        ("2 counted spots have no row", "first AAAA-1"),
    ),
    "no spot in tissue": (
        lines(lambda rows: [rows[0], *(row.replace(",1,", ",0,", 1) for row in rows[1:])]),
        ("puts none of the 30 spots",),
    ),
    "positions in one line": (
        no_array,
        ("do not lie on the array", "µm per px cannot be measured"),
    ),
    "array rows and columns swapped": (swapped, ("spots lie mirrored in the image",)),
    "pixel columns exchanged": (exchanged, ("spots lie mirrored in the image",)),
    "no scale factors": (
        gone("spatial/scalefactors_json.json"),
        ("there is no ", "scalefactors_json.json; copy spatial/"),
    ),
    "scale factors that are no JSON": (factors("{'tissue"), ("holds no scale factors in JSON",)),
    "scale factors without the one": (
        factors("{}"),
        ("scalefactors_json.json lacks tissue_hires_scalef; copy spatial/",),
    ),
    "scale factors in a list": (factors("[1]"), ("lacks tissue_hires_scalef",)),
    "a scale factor that is a word": (
        factors('{"tissue_hires_scalef": "wide"}'),
        ("gives no number as tissue_hires_scalef", "wide"),
    ),
    "a scale factor that is empty": (
        factors('{"tissue_hires_scalef": null}'),
        ("gives no number as tissue_hires_scalef",),
    ),
    "a scale factor of nought": (
        factors(json.dumps({"tissue_hires_scalef": 0})),
        ("gives 0 as tissue_hires_scalef",),
    ),
    "a scale factor that is no number": (
        factors('{"tissue_hires_scalef": NaN}'),
        ("gives nan as tissue_hires_scalef",),
    ),
    "no counts": (
        gone("filtered_feature_bc_matrix.h5"),
        ("no counts under", "filtered_feature_bc_matrix.h5"),
    ),
    "truncated h5": (
        cut("filtered_feature_bc_matrix.h5", 3000),
        ("filtered_feature_bc_matrix.h5 cannot be read", "truncated"),
    ),
    "h5 that is none": (cut("filtered_feature_bc_matrix.h5", 3), ("cannot be read",)),
    "h5 without a dataset": (
        without_dataset,
        ("cannot be read", "missing one or more required datasets"),
    ),
    "no gene expression": (only_antibodies, ("holds no counts (30 spots, 0 genes)",)),
    "truncated mtx": (cut_mtx, ("filtered_feature_bc_matrix cannot be read",)),
    "mtx without features": (
        mtx_without_features,
        ("filtered_feature_bc_matrix cannot be read", "features.tsv.gz"),
    ),
    "mtx with too few features": (
        mtx_cut_to("features.tsv.gz", 9),
        ("matrix.mtx.gz counts 13 features of 30 barcodes", "list 9 and 30"),
    ),
    "mtx with too few barcodes": (
        mtx_cut_to("barcodes.tsv.gz", 29),
        ("of which features.tsv.gz and barcodes.tsv.gz list 13 and 29",),
    ),
    "an image that is a folder": (
        image_folder,
        ("image.tif is no file; put the image itself there",),
    ),
    "normalised counts": (counted(HALF), ("holds 0.5", "raw UMI counts")),
    "negative counts": (counted(np.full((len(INSIDE), 13), -3)), ("holds -3", "non-negative")),
    "the same barcode counted twice": (
        counted(barcodes=[*INSIDE.index[:3], INSIDE.index[0]]),
        ("stands 2 times",),
    ),
    "two matrices": (
        lambda raw: (raw / "other_filtered_feature_bc_matrix.h5").write_bytes(b""),
        ("other_filtered_feature_bc_matrix.h5; ", "keep the one"),
    ),
    "two images": (
        lambda raw: (raw / "B_image.png").write_bytes(b""),
        ("found B_image.png and image.tif; ",),
    ),
    "an image that is none": (cut("image.tif", 50), ("image.tif cannot be read",)),
    "a downscaled image": (
        downscaled,
        (
            "image.tif has 260 x 300 px",
            "Space Ranger was run on about 520 x 600 px",
            "give that image",
        ),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_line(raw, what):
    damage, words = REFUSED[what]
    damage(raw)
    message = refusal(lambda: section(raw))
    assert [word for word in words if word not in message] == []


def test_a_downscaled_image_without_the_hires_copy_ends_at_the_spots_outside(raw):
    downscaled(raw)
    (raw / "spatial" / "tissue_hires_image.png").unlink()
    assert "spots lie outside the image of 260 x 300 px" in refusal(lambda: section(raw))


def test_the_size_of_a_full_image_may_be_off_by_the_rounding_of_its_copy(raw):
    Image.fromarray(picture()[:-6, :-6]).save(raw / "image.tif")
    assert len(section(raw)) == len(INSIDE)


def test_an_image_beyond_the_bound_is_not_decoded(raw, monkeypatch):
    monkeypatch.setattr(slides, "MAX_PIXELS", 520 * 600 - 1)
    assert "520 x 600 px, more than the bound" in refusal(lambda: section(raw))
