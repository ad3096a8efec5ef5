"""The Space Ranger reader on small made-up output folders."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from compendium.data.download.checksums import blob_id
from compendium.data.readers.visium import is_output, read_positions
from compendium.data.section import load
from space_ranger import NAMED, PITCH_PX, picture, positions, section, write, write_counts

INSIDE = positions().query("in_tissue == 1").set_index("barcode")


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> Path:
    """An output folder that no test changes."""
    return write(tmp_path_factory.mktemp("made_up"))


def test_spots_are_the_barcodes_in_tissue_in_the_order_of_the_counts(made_up):
    found = section(made_up)
    assert list(found.spots) == list(INSIDE.index[::-1])
    assert 10 < len(found) < len(positions())
    assert (found.cohort, found.name, found.patient, found.lab, found.technology) == (
        "mine",
        "S1",
        "A",
        "L1",
        "10x Visium, 55 µm spots",
    )


def test_column_is_x_and_row_is_y(made_up):
    found = section(made_up)
    rows = INSIDE.loc[found.spots]
    assert found.grid.tolist() == rows[["array_col", "array_row"]].to_numpy().tolist()
    assert (
        found.pixels.tolist()
        == rows[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy().tolist()
    )
    assert (found.grid.dtype, found.pixels.dtype) == (np.int32, np.float32)
    assert not np.array_equal(found.grid[:, 0], found.grid[:, 1])


def test_a_patch_is_what_lies_there_in_the_image(made_up):
    found = section(made_up)
    x, y = found.pixels.astype(int).T
    assert np.array_equal(found.stored_tiles[:, 16, 16], picture()[y, x])
    assert np.array_equal(
        found.stored_tiles[3], picture()[y[3] - 16 : y[3] + 16, x[3] - 16 : x[3] + 16]
    )
    assert np.abs(found.stored_tiles[:, 16, 16, :2] * 4.0 - found.pixels).max() < 4, (
        "red tells x, green tells y"
    )
    assert found.thumbnail.shape == (600, 520, 3)


def test_one_planted_spot(tmp_path):
    """Array row 5, column 3 at pixel row 400, column 200: to the right 200, down 400."""
    write(tmp_path)
    table = positions()
    planted = table.index[(table["array_row"] == 5) & (table["array_col"] == 3)][0]
    table.loc[planted, ["pxl_row_in_fullres", "pxl_col_in_fullres"]] = (400, 200)
    table.to_csv(tmp_path / "spatial" / "tissue_positions.csv", index=False)
    found = section(tmp_path)
    (spot,) = np.flatnonzero(found.spots == table.loc[planted, "barcode"])
    assert found.grid[spot].tolist() == [3, 5]
    assert found.pixels[spot].tolist() == [200, 400]
    assert found.stored_tiles[spot, 16, 16].tolist() == [50, 100, 128]


def test_the_scale_is_that_of_the_whole_hexagonal_array(made_up, tmp_path):
    found = section(made_up)
    assert found.um_per_px == pytest.approx(100 / PITCH_PX, rel=2e-3), (
        "not 55 µm over spot_diameter_fullres"
    )
    near = np.linalg.norm(found.pixels[:, None] - found.pixels, axis=2)
    assert np.sort(near, axis=1)[:, 1].mean() * found.um_per_px == pytest.approx(100, abs=1)
    write(tmp_path)
    table = positions()
    table["in_tissue"] *= table["array_row"] == 3  # one row does not span the array, the others do
    table.to_csv(tmp_path / "spatial" / "tissue_positions.csv", index=False)
    assert section(tmp_path).um_per_px == found.um_per_px
    assert 0 < len(section(tmp_path)) < len(found)


@pytest.mark.parametrize("form", ["h5", "mtx", "plain", "genes"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_form_of_counts_and_positions_is_the_same_section(made_up, tmp_path, form, version):
    one, other = section(made_up), section(write(tmp_path, form, version))
    assert list(other.genes) == NAMED, (
        "the second TBCE has a name of its own, the antibody of CD3 is left out"
    )
    assert list(other.spots) == list(one.spots)
    assert np.array_equal(other.counts.toarray(), one.counts.toarray())
    assert (other.counts.dtype, other.counts.has_sorted_indices) == (np.int32, True)
    assert np.array_equal(other.grid, one.grid) and np.array_equal(other.pixels, one.pixels)
    assert other.um_per_px == one.um_per_px


def test_counts_of_all_spots_give_those_in_tissue_and_the_filtered_ones_come_first(
    made_up, tmp_path
):
    found = section(write(tmp_path, kind="raw"))
    assert list(found.spots) == list(section(made_up).spots)
    write(tmp_path, "mtx", seed=1)  # filtered, beside the raw ones
    assert section(tmp_path).counts.sum() != found.counts.sum()
    assert any(path.startswith("filtered_feature_bc_matrix/") for path in section(tmp_path).sources)


def test_counts_of_fewer_spots_than_in_tissue_are_those_spots(tmp_path):
    write(tmp_path)
    some = list(INSIDE.index[[4, 2, 9]])
    write_counts(tmp_path, np.ones((3, 13), int), some, "h5")
    assert list(section(tmp_path).spots) == some


def test_it_says_what_squidpy_says(made_up):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # squidpy's import warns of its own dependencies
        import squidpy
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Variable names are not unique", UserWarning)
        theirs = squidpy.read.visium(made_up, library_id="S1")
    ours = section(made_up)
    assert list(theirs.obs_names) == list(ours.spots)
    assert np.array_equal(theirs.obsm["spatial"], ours.pixels)
    assert np.array_equal(theirs.obs[["array_col", "array_row"]], ours.grid)
    theirs.var_names_make_unique()
    assert list(theirs.var_names) == list(ours.genes)
    assert np.array_equal(theirs.X.toarray(), ours.counts.toarray())


@pytest.mark.parametrize(
    "name",
    [
        "image.tif",
        "image.TIFF",
        "V1_Section_image.tif",
        "image.png",
        "image.jpg",
        "image.jpeg",
        "Image.PNG",
        "V1_IMAGE.tif",
    ],
)
def test_images_of_every_kind(made_up, tmp_path, name):
    found = section(write(tmp_path, image=name))
    assert name in found.sources
    tolerance = 12 if "jp" in name else 0
    assert (
        np.abs(found.stored_tiles.astype(int) - section(made_up).stored_tiles.astype(int)).max()
        <= tolerance
    )


def test_without_an_image_it_is_counts_only(made_up, tmp_path):
    found = section(write(tmp_path, image=""))
    assert found.stored_tiles is None and found.thumbnail is None
    assert np.array_equal(found.pixels, section(made_up).pixels)
    assert not any("hires" in path for path in found.sources)


@pytest.mark.parametrize("image_at", ["outs", "."])
def test_the_folder_above_outs_is_taken_too(made_up, tmp_path, image_at):
    write(tmp_path / "outs")
    (tmp_path / "outs" / "image.tif").rename(tmp_path / image_at / "image.tif")
    assert (
        is_output(tmp_path)
        and is_output(tmp_path / "outs")
        and not is_output(tmp_path / "outs" / "spatial")
    )
    found = section(tmp_path)
    assert np.array_equal(found.stored_tiles, section(made_up).stored_tiles)
    assert "outs/spatial/tissue_positions.csv" in found.sources


def test_sources_are_the_files_read_and_the_section_can_be_stored(made_up, tmp_path):
    found = section(made_up)
    files = (
        "filtered_feature_bc_matrix.h5",
        "spatial/tissue_positions.csv",
        "spatial/scalefactors_json.json",
        "image.tif",
    )
    assert found.sources == {path: blob_id(made_up / path) for path in files}
    found.save(tmp_path / "S1")
    assert np.array_equal(load(tmp_path / "S1").genes, found.genes)


def test_prefixed_file_names_as_they_are_downloaded(made_up, tmp_path):
    write(tmp_path)
    (tmp_path / "filtered_feature_bc_matrix.h5").rename(
        tmp_path / "V1_Section_1_filtered_feature_bc_matrix.h5"
    )
    assert np.array_equal(section(tmp_path).counts.toarray(), section(made_up).counts.toarray())


def test_reading_says_nothing(made_up, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        section(made_up)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", [1, 2])
def test_a_spot_called_na_is_read_like_any_other(tmp_path, version):
    write(tmp_path, counts="plain", version=version)
    first = section(tmp_path).spots[0]
    for path in (
        tmp_path / "filtered_feature_bc_matrix/barcodes.tsv",
        tmp_path
        / "spatial"
        / ("tissue_positions.csv" if version == 2 else "tissue_positions_list.csv"),
    ):
        path.write_text(path.read_text().replace(first, "NA"))
    assert section(tmp_path).spots[0] == "NA"


@pytest.mark.parametrize("version", [1, 2])
def test_a_mark_of_byte_order_before_the_positions_is_no_part_of_them(made_up, tmp_path, version):
    write(tmp_path, version=version)
    path = (
        tmp_path
        / "spatial"
        / ("tissue_positions.csv" if version == 2 else "tissue_positions_list.csv")
    )
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(section(tmp_path).spots) == list(section(made_up).spots)


@pytest.mark.parametrize("version", [1, 2])
def test_positions_under_the_name_of_the_other_version_are_those_that_they_are(
    made_up, tmp_path, version
):
    write(tmp_path, version=version)
    files = [
        tmp_path / "spatial" / name
        for name in ("tissue_positions_list.csv", "tissue_positions.csv")
    ]
    files[version - 1].rename(files[2 - version])
    assert np.array_equal(section(tmp_path).pixels, section(made_up).pixels)


def test_the_scale_is_measured_whatever_resolution_the_image_states(made_up, tmp_path):
    """A TIFF need not state a resolution; scanners and exports often state a screen's."""
    write(tmp_path)
    with Image.open(made_up / "image.tif") as image:
        assert 282 not in image.tag_v2, "the made-up image states none"
        image.save(tmp_path / "image.tif", dpi=(72, 72))
    assert section(tmp_path).um_per_px == section(made_up).um_per_px


def test_positions_have_space_rangers_names_in_both_versions(tmp_path):
    write(tmp_path / "1", version=1)
    write(tmp_path / "2", version=2)
    one = read_positions(tmp_path / "1" / "spatial" / "tissue_positions_list.csv")
    pd.testing.assert_frame_equal(
        one, read_positions(tmp_path / "2" / "spatial" / "tissue_positions.csv")
    )
    pd.testing.assert_frame_equal(one.reset_index(), positions())
