"""Export: anndata and squidpy read the section, and squidpy draws it where the tissue is."""

import dataclasses
import warnings

import numpy as np
import pytest

from compendium.data import synthetic
from compendium.data.export import to_anndata, write_h5ad
from compendium.data.section import Section
from conftest import tiny_section
from raw_files import files_below, real_section, refusal

# What the libraries say of themselves, whatever they are given.
REMARKS = (
    ("is not a valid key", SyntaxWarning),
    ("The method obs_vector is deprecated", FutureWarning),
)


@pytest.fixture(scope="module")
def demo() -> Section:
    return synthetic.make("P1a")


@pytest.fixture
def squidpy():
    """squidpy without a display and without those remarks; no figure stays open."""
    import matplotlib

    matplotlib.use("Agg")
    with warnings.catch_warnings():
        for remark, category in REMARKS:
            warnings.filterwarnings("ignore", f".*{remark}", category)
        import squidpy

        yield squidpy
        matplotlib.pyplot.close("all")


def reopened(annotated, folder):
    import anndata

    return anndata.read_h5ad(write_h5ad(annotated, folder / "section.h5ad"))


def circles(ax) -> tuple[np.ndarray, np.ndarray]:
    """Centres [spot 2] and diameters of the spots on a panel, in its own coordinates."""
    extents = [
        path.get_extents() for collection in ax.collections for path in collection.get_paths()
    ]
    return np.array([(box.x0 + box.x1, box.y0 + box.y1) for box in extents]) / 2, np.array(
        [box.width for box in extents]
    )


def colours_below(image: np.ndarray, centres: np.ndarray, px: float) -> np.ndarray:
    """Mean colour [spot 3] of the drawn image in a square around each centre."""
    corners = np.round(centres - px / 2).astype(int).clip(0)
    return np.array(
        [image[y : y + round(px), x : x + round(px)].mean(axis=(0, 1)) for x, y in corners]
    )


@pytest.mark.parametrize("which", ["synthetic", "real"])
def test_a_file_holds_the_section(which, demo, request, tmp_path):
    section = (
        demo if which == "synthetic" else real_section(request.getfixturevalue("her2st"), "B4")
    )
    read = reopened(to_anndata(section), tmp_path)
    assert (
        read.X.format == "csr"
        and read.X.dtype == np.float32
        and (read.X != section.counts).nnz == 0
    )
    assert (list(read.obs_names), list(read.var_names)) == (
        list(section.spots),
        list(section.genes),
    )
    assert [
        f"{x}x{y}" for x, y in zip(read.obs.array_col, read.obs.array_row, strict=True)
    ] == list(section.spots)
    np.testing.assert_array_equal(read.obsm["spatial"], section.pixels)
    for what, value in (
        ("patient", section.patient),
        ("lab", section.lab),
        ("section", section.name),
        ("in_tissue", 1),
    ):
        assert read.obs[what].unique().tolist() == [value]
    library = read.uns["spatial"][section.name]
    np.testing.assert_array_equal(library["images"]["hires"], section.thumbnail)
    assert library["scalefactors"] == {
        "tissue_hires_scalef": section.thumbnail_scale,
        "spot_diameter_fullres": 100 / section.um_per_px,
    }
    assert ("Andersson et al. 2021" if which == "real" else "not tissue") in library["metadata"][
        "attribution"
    ]
    assert library["metadata"]["technology"] == section.technology


def test_labels_are_categories_and_a_spot_without_one_has_none(demo, tmp_path):
    labels = demo.labels.copy()
    labels[3] = ""
    read = reopened(to_anndata(dataclasses.replace(demo, labels=labels)), tmp_path).obs.label
    assert np.flatnonzero(read.isna()).tolist() == [3]
    assert read.drop(read.index[3]).tolist() == np.delete(labels, 3).tolist()
    assert "" not in read.cat.categories
    assert "label" not in to_anndata(dataclasses.replace(demo, labels=None)).obs


@pytest.mark.parametrize("which", ["synthetic", "real"])
def test_spots_are_drawn_on_their_tissue(which, demo, request, squidpy, tmp_path):
    section = (
        demo if which == "synthetic" else real_section(request.getfixturevalue("her2st"), "B4")
    )
    ax = squidpy.pl.spatial_scatter(
        reopened(to_anndata(section), tmp_path), color=section.genes[0], return_ax=True
    )
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), section.thumbnail)
    centres, diameters = circles(ax)
    np.testing.assert_allclose(centres, section.pixels * section.thumbnail_scale, atol=1e-3)
    np.testing.assert_allclose(
        diameters, 100 / section.um_per_px * section.thumbnail_scale, rtol=1e-3
    )
    patches = section.stored_tiles.mean(axis=(1, 2))
    drawn = colours_below(
        section.thumbnail, centres, section.stored_tiles.shape[1] * section.thumbnail_scale
    )
    assert np.abs(drawn - patches).mean() < 2  # of 255: each spot lies where its patch was cut
    assert (
        np.abs(colours_below(section.thumbnail, centres[:, ::-1], 20) - patches).mean() > 10
    )  # and would not with x and y exchanged


def test_spots_lie_on_tissue_and_the_corners_on_glass(demo):
    library = to_anndata(demo).uns["spatial"]["P1a"]
    image, glass = (
        library["images"]["hires"].astype(float),
        np.array(synthetic.STAINS["lab 1"].background),
    )
    x, y = np.round(
        to_anndata(demo).obsm["spatial"].T * library["scalefactors"]["tissue_hires_scalef"]
    ).astype(int)
    assert np.abs(image[[0, 0, -1, -1], [0, -1, 0, -1]] - glass).max() < 12
    assert (
        np.mean(np.abs(image[y, x] - glass).max(axis=1) > 30) > 0.85
    )  # the others lie on vacuoles, which are as clear as glass


def test_neighbours_in_squidpy_are_those_of_the_array(demo, squidpy, tmp_path):
    read = reopened(to_anndata(demo), tmp_path)
    squidpy.gr.spatial_neighbors_grid(read, n_neighs=4)
    steps = np.abs(demo.grid[:, None] - demo.grid[None]).sum(axis=2)
    np.testing.assert_array_equal(read.obsp["spatial_connectivities"].toarray(), steps == 1)


def test_sections_put_together_keep_their_images(demo, squidpy):
    import anndata

    mirrored = dataclasses.replace(demo, name="P9x", thumbnail=demo.thumbnail[:, ::-1])
    both = anndata.concat(
        [to_anndata(demo), to_anndata(mirrored)], uns_merge="unique", index_unique="-"
    )
    axes = squidpy.pl.spatial_scatter(both, library_key="section", color="patient", return_ax=True)
    for ax, section in zip(axes, (demo, mirrored), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), section.thumbnail)


def test_without_an_image_spots_are_drawn_in_px_of_the_full_image(demo, squidpy, tmp_path):
    counted = dataclasses.replace(demo, stored_tiles=None, thumbnail=None, thumbnail_scale=0.0)
    read = reopened(to_anndata(counted), tmp_path)
    assert read.uns["spatial"]["P1a"]["images"] == {}
    ax = squidpy.pl.spatial_scatter(read, color="label", img=False, return_ax=True)
    centres, diameters = circles(ax)
    assert not ax.images
    np.testing.assert_allclose(centres[: len(demo)], demo.pixels, atol=1e-2)
    np.testing.assert_allclose(diameters[: len(demo)], 100 / demo.um_per_px, rtol=1e-3)


def test_a_prediction_lies_over_its_counts(tmp_path):
    section, genes = tiny_section(), ["G7", "G2"]
    predicted = np.random.default_rng(0).normal(size=(24, 2)).astype(np.float32)
    read = reopened(
        to_anndata(section, predicted, genes, {"run": "0123", "line": "clean"}), tmp_path
    )
    assert list(read.var_names) == genes
    np.testing.assert_array_equal(read.X, predicted)
    np.testing.assert_array_equal(
        read.layers["counts"].toarray(), section.counts.toarray()[:, [7, 2]]
    )
    assert read.uns["compendium"] == {"run": "0123", "line": "clean"}
    unmeasured = to_anndata(section.without_counts(), predicted, genes)
    np.testing.assert_array_equal(unmeasured.X, predicted)
    assert not unmeasured.layers and "compendium" not in unmeasured.uns


def test_some_genes_in_the_order_asked_for():
    some = to_anndata(tiny_section(), genes=["G7", "G2"])
    assert list(some.var_names) == ["G7", "G2"]
    np.testing.assert_array_equal(some.X.toarray(), tiny_section().counts.toarray()[:, [7, 2]])


def test_a_spot_is_drawn_as_wide_as_it_is():
    section = dataclasses.replace(tiny_section(), technology="50 µm spots", spot_um=2.5)
    scale = to_anndata(section).uns["spatial"]["S1"]["scalefactors"]
    assert scale["spot_diameter_fullres"] == pytest.approx(2.5 / 0.7)


def test_what_cannot_be_exported(tmp_path):
    assert "has no counts to export" in refusal(lambda: to_anndata(tiny_section().without_counts()))
    assert "no counts for 1 genes" in refusal(
        lambda: to_anndata(tiny_section(), genes=["G1", "GX"])
    )
    annotated = to_anndata(tiny_section())
    assert "section.csv does not end in .h5ad" in refusal(
        lambda: write_h5ad(annotated, tmp_path / "section.csv")
    )
    (tmp_path / "full.h5ad").mkdir()
    assert "full.h5ad is a folder; " in refusal(
        lambda: write_h5ad(annotated, tmp_path / "full.h5ad")
    )
    assert files_below(tmp_path) == set()


def test_an_earlier_file_survives_a_write_that_fails(tmp_path, monkeypatch):
    path = write_h5ad(to_anndata(tiny_section()), tmp_path / "section.h5ad")
    before = path.read_bytes()

    def fill_the_disk(self, aside, **words):
        aside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anndata.AnnData.write_h5ad", fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        write_h5ad(to_anndata(tiny_section()), path)
    assert (path.read_bytes(), files_below(tmp_path)) == (before, {"section.h5ad"})
