"""AnnData: a section and its AnnData are each other's inverse, and foreign files are read as is."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.sparse import csr_matrix

from compendium.data import synthetic
from compendium.data.export import to_anndata, write_h5ad
from compendium.data.prepare import open_sections, prepare
from compendium.data.readers import anndata_file, tables, visium
from compendium.data.section import Section
from compendium.data.sources import SectionSource
from conftest import tiny_section
from raw_files import files_below, refusal
from space_ranger import picture, section, write

FIELDS = [field.name for field in dataclasses.fields(Section) if field.name != "digest"]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A Space Ranger output."""
    return write(tmp_path_factory.mktemp("output"))


@pytest.fixture(scope="module")
def slide(output) -> Section:
    return section(output)


def differing(one: Section, other: Section, ignored: tuple[str, ...] = ()) -> list[str]:
    def equal(left, right) -> bool:
        if isinstance(left, csr_matrix):
            return left.dtype == right.dtype and (left != right).nnz == 0
        if isinstance(left, np.ndarray):
            return left.dtype == right.dtype and np.array_equal(left, right)
        return left == right

    pairs = {name: (getattr(one, name), getattr(other, name)) for name in FIELDS}
    return [name for name, pair in pairs.items() if name not in ignored and not equal(*pair)]


@pytest.mark.parametrize("stored", [False, True])
def test_what_comes_back_is_the_section(slide, stored, tmp_path):
    import anndata

    tiny = dataclasses.replace(
        tiny_section(labelled=True),
        labels_from="S9",
        spot_set="filtered",
        sources={"a/b.csv": "12"},
        spot_um=2.5,
    )
    for one in (tiny, synthetic.make("P1a", 32), slide):
        adata = one.to_anndata()
        if stored:
            adata = anndata.read_h5ad(write_h5ad(adata, tmp_path / f"{one.name}.h5ad"))
        back = Section.from_anndata(adata)
        assert differing(one, back, ("stored_tiles",)) == []
        assert back.stored_tiles is None


def test_the_digest_comes_back_with_the_image(slide, output, tmp_path):
    for image in (output / "image.tif", picture()):
        back = Section.from_anndata(slide.to_anndata(), image, tile_px=32)
        assert differing(slide, back) == []
        assert back.save(tmp_path / "a").digest == slide.save(tmp_path / "b").digest


def test_a_prediction_comes_back_as_its_counts():
    tiny, genes = tiny_section(), ["G7", "G2"]
    back = Section.from_anndata(to_anndata(tiny, np.full((24, 2), 0.5, np.float32), genes))
    assert list(back.genes) == genes
    np.testing.assert_array_equal(back.counts.toarray(), tiny.counts.toarray()[:, [7, 2]])


def foreign(slide: Section):
    """An AnnData object as others write it: bare positions, labels and counts in a layer."""
    from anndata import AnnData

    counts = slide.counts.astype(np.float64)
    adata = AnnData(
        csr_matrix(np.log1p(counts.toarray())),
        obs=pd.DataFrame({"tissue": ["a", None] * (len(slide) // 2)}, index=slide.spots),
        var=pd.DataFrame(index=slide.genes),
        layers={"counts": counts},
    )
    adata.obsm["spatial"] = pd.DataFrame(slide.pixels, index=slide.spots, columns=["x", "y"])
    return adata


def test_a_foreign_object_needs_positions_only(slide):
    back = Section.from_anndata(
        foreign(slide), picture(), 32, "tissue", cohort="mine", name="S1", patient="A"
    )
    assert (back.array, back.spot_um, back.spot_pitch_um) == ("hexagonal", 55, 100)
    assert back.um_per_px == pytest.approx(slide.um_per_px, rel=1e-3)
    assert back.labels.tolist() == ["a", ""] * (len(slide) // 2)
    np.testing.assert_array_equal(back.stored_tiles, slide.stored_tiles)
    np.testing.assert_array_equal(back.counts.toarray(), slide.counts.toarray())
    shift = slide.grid - back.grid
    assert (shift == shift[0]).all() and shift[0].sum() % 2 == 0


def test_places_are_found_on_a_square_array():
    one = synthetic.make("P1a", 16)
    found = anndata_file.grid_of(one.pixels, "square")
    np.testing.assert_array_equal(found, one.grid - one.grid.min(axis=0))
    assert tables.array_of(one.pixels) == "square"


def test_places_that_are_not_on_an_array_are_refused():
    spots = np.random.default_rng(0).uniform(0, 900, (60, 2)).astype(np.float32)
    for array in ("square", "hexagonal"):
        assert "no upright" in refusal(lambda kind=array: anndata_file.grid_of(spots, kind))


def test_spots_outside_the_tissue_are_left_out(slide):
    adata = slide.to_anndata()
    adata.obs["in_tissue"] = [0, *[1] * (len(slide) - 1)]
    assert list(Section.from_anndata(adata).spots) == list(slide.spots[1:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.obsm.pop("spatial"), ("obsm lacks spatial",)),
        (lambda a: a.obsm.update(spatial=a.obsm["spatial"][:, ::-1]), ("lie mirrored",)),
        (lambda a: a.obsm.update(spatial=a.obsm["spatial"] * np.nan), ("'nan' as x",)),
        (lambda a: a.uns.pop("spatial"), ("scale of its image is not stated",)),
        (lambda a: a.uns["spatial"].update(S2={}), ("contains 2 sections, S1 and S2",)),
        (
            lambda a: a.layers.update(counts=a.X.toarray() + 0.5),
            ("spot 0x0, gene G0", "layers['counts']", "non-negative integers"),
        ),
    ],
)
def test_what_cannot_be_read_as_a_section(change, words):
    adata = tiny_section().to_anndata()
    change(adata)
    message = refusal(lambda: Section.from_anndata(adata))
    assert [word for word in words if word not in message] == []


FACTS = "title: T\ntechnology: 10x Spatial Gene Expression\narray: hexagonal\nsections:\n"


def test_a_folder_with_an_h5ad_is_prepared_as_it_is(slide, tmp_path, home):
    mine = tmp_path / "mine"
    (mine / "S1").mkdir(parents=True)
    foreign(slide).write_h5ad(mine / "S1" / "adata.h5ad")
    Image.fromarray(picture()).save(mine / "S1" / "image.png")
    write_h5ad(tiny_section().to_anndata(), mine / "S1" / "tiny.h5ad")
    (mine / "cohort.yaml").write_text(
        FACTS + "  S1: {patient: A, label_column: tissue}\n  S2: {patient: B, array: square}\n"
    )
    message = refusal(lambda: prepare("mine", ["S1"], 32, raw=mine))
    assert "found adata.h5ad and tiny.h5ad; keep the one" in message
    shutil.move(mine / "S1" / "tiny.h5ad", (mine / "S2").mkdir() or mine / "S2" / "tiny.h5ad")
    prepare("mine", None, 32, raw=mine)
    one, two = open_sections("mine")
    assert (one.patient, one.array, one.labels[0]) == ("A", "hexagonal", "a")
    np.testing.assert_array_equal(one.stored_tiles, slide.stored_tiles)
    assert set(one.sources) == {"adata.h5ad", "image.png"}
    assert (two.patient, two.array, two.um_per_px, two.stored_tiles) == ("B", "square", 0.7, None)


def test_a_hexagonal_array_must_be_stated(slide, tmp_path, home):
    (tmp_path / "S1").mkdir()
    foreign(slide).write_h5ad(tmp_path / "S1" / "adata.h5ad")
    (tmp_path / "cohort.yaml").write_text(
        FACTS.replace("array: hexagonal\n", "um_per_px: 2\n") + "  S1: {patient: A}\n"
    )
    message = refusal(lambda: prepare("mine", raw=tmp_path))
    assert "mine section S1" in message and "state array: hexagonal" in message
    assert files_below(home) == set()


def test_a_source_states_the_fields_of_its_section(output):
    source = SectionSource("c", "S1", "A", "L", "T", {}, array="hexagonal", spot_um=50, pitch_um=9)
    read = visium.read(output, source, 32)
    assert (read.spot_um, read.spot_pitch_um) == (50, 100)
