"""The HER2+ reader on a small made-up folder; test_her2st_real.py has the published files."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.data.download.checksums import blob_id
from compendium.data.readers.her2st import read, read_spots
from compendium.data.readers.tables import measured, read_counts
from compendium.data.section import load
from compendium.data.sources import cohort
from raw_files import (
    LABELS,
    PITCH,
    UNCOUNTED,
    change_cell,
    change_lines,
    files_below,
    panel_genes,
    raw_path,
    refusal,
    spot_table,
    write_raw,
)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> Path:
    """Raw files of B1 (with labels) and C2; read only."""
    return write_raw(tmp_path_factory.mktemp("raw"), ("B1", "C2"))


@pytest.fixture
def raw(tmp_path) -> Path:
    """Raw files of B1 that a test may damage."""
    return write_raw(tmp_path, ("B1",))


def test_spots_are_the_count_rows_in_their_order(made_up):
    section = read(made_up, "C2", 64)
    lines = gzip.decompress(raw_path(made_up, "C2", "counts").read_bytes()).decode().splitlines()
    assert list(section.spots) == [line.split("\t")[0] for line in lines[1:]]
    assert UNCOUNTED not in section.spots
    assert list(section.genes) == lines[0].split("\t")[1:] == list(panel_genes())
    assert np.array_equal(
        section.counts.toarray(),
        [[int(count) for count in line.split("\t")[1:]] for line in lines[1:]],
    )
    assert section.counts.dtype == np.int32


def test_positions_follow_the_spots_not_the_rows_of_the_spot_table(made_up):
    section = read(made_up, "C2", 64)
    assert [f"{x}x{y}" for x, y in section.grid] == list(section.spots)
    assert np.allclose(section.pixels, (section.grid - 1) * PITCH + (0.7, 0.3), atol=1e-3)
    assert section.um_per_px == pytest.approx(200 / PITCH, rel=1e-6)


def test_facts_come_from_the_catalogue_and_sources_are_the_files_read(made_up):
    section = read(made_up, "C2", 64)
    facts = cohort("her2st").section("C2")
    assert (section.cohort, section.name, section.patient) == ("her2st", "C2", "C")
    assert (section.lab, section.technology) == (facts.lab, facts.technology)
    paths = [
        str(raw_path(made_up, "C2", kind).relative_to(made_up))
        for kind in ("counts", "image", "spots")
    ]
    assert section.sources == {path: blob_id(made_up / path) for path in paths}
    assert len(read(made_up, "B1", 64).sources) == 4


def test_patches_are_cut_from_the_image_around_the_spots(made_up):
    section = read(made_up, "C2", 64)
    with Image.open(raw_path(made_up, "C2", "image")) as image:
        whole = np.asarray(image)
    x, y = np.floor(section.pixels).astype(int).T
    assert section.stored_tiles.shape == (25, 64, 64, 3)
    assert np.array_equal(section.stored_tiles[:, 32, 32], whole[y, x])
    assert np.array_equal(
        section.stored_tiles[7], whole[y[7] - 32 : y[7] + 32, x[7] - 32 : x[7] + 32]
    )
    assert section.thumbnail.shape == (560, 640, 3)
    assert section.thumbnail_scale == pytest.approx(640 / 1200)


def test_a_section_without_image_is_counts_only(raw):
    with_image = read(raw, "B1", 64)
    raw_path(raw, "B1", "image").unlink()
    section = read(raw, "B1", 64)
    assert section.stored_tiles is None
    assert section.thumbnail is None
    assert (section.counts != with_image.counts).nnz == 0
    assert not any("ST-imgs" in path for path in section.sources)
    assert "B1 has no image" in refusal(lambda: section.tiles(32))


def test_labels_are_joined_on_the_rounded_position_and_empty_where_none(made_up, raw):
    section = read(made_up, "B1", 64)
    assert list(section.labels) == [LABELS[i % 3] for i in range(24)] + [""]
    assert read(made_up, "C2", 64).labels is None
    raw_path(raw, "B1", "labels").unlink()
    assert read(raw, "B1", 64).labels is None


def test_a_written_section_is_the_one_that_was_read(made_up, tmp_path):
    section = read(made_up, "B1", 64)
    section.save(tmp_path / "B1")
    stored = load(tmp_path / "B1")
    assert np.array_equal(stored.stored_tiles, section.stored_tiles)
    assert np.array_equal(stored.labels, section.labels)
    assert (stored.counts != section.counts).nnz == 0


@pytest.mark.parametrize("value", ["1.5", "-3", "nan", "inf", "1e12", "-0.5", "many", ""])
def test_anything_but_a_count_is_refused_with_its_line(raw, value):
    change_cell(raw_path(raw, "B1", "counts"), 4, 9, value)
    message = refusal(lambda: read(raw, "B1", 64))
    assert message.startswith("B1.tsv.gz line 5")
    assert "integers" in message
    assert f"holds {value!r}, which is" in message


def test_counts_of_one_gene_are_read(tmp_path):
    (tmp_path / "c.tsv.gz").write_bytes(gzip.compress(b"\tFN1\n2x2\t0\n3x2\t7"))
    spots, genes, counts = read_counts(tmp_path / "c.tsv.gz")
    assert (list(spots), list(genes), counts.toarray().tolist()) == (
        ["2x2", "3x2"],
        ["FN1"],
        [[0], [7]],
    )


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b""), gzip.compress(b"\tFN1\tCD24\n"), gzip.compress(b"\n")],
    ids=["no bytes", "no text", "no rows", "no genes"],
)
def test_a_table_without_counts_is_refused(tmp_path, content):
    (tmp_path / "c.tsv.gz").write_bytes(content)
    message = refusal(lambda: read_counts(tmp_path / "c.tsv.gz"))
    assert str(tmp_path / "c.tsv.gz") in message


@pytest.mark.parametrize(
    "content",
    [
        b"\tFN1\n2x2\t3\n",
        gzip.compress(b"\tFN1\n" + b"2x2\t3\n" * 50)[:-9],
        gzip.compress(b"\tFN1\n\xff\xfe\t3\n"),
    ],
    ids=["plain text", "cut", "no text"],
)
def test_counts_that_are_no_whole_gzipped_text_are_refused(tmp_path, content):
    (tmp_path / "c.tsv.gz").write_bytes(content)
    assert "truncated or damaged" in refusal(lambda: read_counts(tmp_path / "c.tsv.gz"))


def test_every_cut_of_a_counts_file_is_noticed(raw):
    path = raw_path(raw, "B1", "counts")
    whole = path.read_bytes()
    for share in np.linspace(0, 0.999, 40):
        path.write_bytes(whole[: int(share * len(whole))])
        assert str(path) in refusal(lambda: read_counts(path))


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "t.tsv").write_text(text)
    return tmp_path / "t.tsv"


XY = [(2, 2), (3, 2), (2, 3)]
IDS = np.array(["3x2", "2x2"])


def test_the_spot_table_is_put_in_the_order_of_the_spots(tmp_path):
    found = read_spots(table(tmp_path, spot_table(XY)), IDS)
    assert list(found.index) == list(IDS)
    assert found[["x", "y"]].to_numpy().tolist() == [[3, 2], [2, 2]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (spot_table([*XY, (2, 2)]), ("spot 2x2 stands 2 times",)),
        (spot_table([(2, 2)]), ("1 counted spots have no row", "first 3x2")),
        (spot_table(XY).replace("pixel_y", "row"), ("lacks the column pixel_y",)),
        (spot_table(XY).replace("\t", ","), ("lacks the column x",)),
        (spot_table(XY).replace("300.70", "far right"), ("'far right' as pixel_x", "numbers")),
        (spot_table(XY).replace("300.70", "NA"), ("'nan' as pixel_x",)),
        (spot_table(XY).replace("3\t2\t", "3\t\t", 1), ("'nan' as y",)),
        (spot_table(XY).replace("\n3\t", "\nthree\t", 1), ("'three' as x",)),
        (spot_table(XY) + "9\t9\t9\t9\t9\t9\t1\tand\tmore\n", ("no tab-separated table", "line 5")),
        ("", ("no tab-separated table", "No columns")),
    ],
)
def test_a_malformed_spot_table_is_refused(tmp_path, text, words):
    message = refusal(lambda: read_spots(table(tmp_path, text), IDS))
    assert str(tmp_path / "t.tsv") in message
    assert all(word in message for word in words)


def test_bytes_that_are_no_text_are_no_spot_table(tmp_path):
    (tmp_path / "t.tsv").write_bytes(b"x\ty\n\xff\xfe\t3\n")
    assert "no tab-separated table" in refusal(lambda: read_spots(tmp_path / "t.tsv", IDS))


def test_a_missing_folder_or_file_names_the_fetch(tmp_path, raw):
    message = refusal(lambda: read(tmp_path / "nowhere", "B4", 64))
    assert str(tmp_path / "nowhere") in message
    assert "compendium fetch her2st" in message
    raw_path(raw, "B1", "spots").unlink()
    assert "no spots file" in refusal(lambda: read(raw, "B1", 64))


def test_pitch_does_not_depend_on_which_spots_are_there_or_on_the_slide_standing_askew():
    rng = np.random.default_rng(0)
    grid = rng.permutation([(x, y) for x in range(12) for y in range(15)])[:40].astype(np.int32)
    turned = grid @ (
        291.5 * np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    ) + (500, 700)
    assert measured(200.0, grid, turned) == pytest.approx(200 / 291.5)


def test_reading_changes_nothing_in_the_raw_folder(raw):
    before = {path: (raw / path).read_bytes() for path in files_below(raw)}
    read(raw, "B1", 64)
    assert {path: (raw / path).read_bytes() for path in files_below(raw)} == before


def test_the_uncounted_spot_may_lie_anywhere(raw):
    change_lines(
        raw_path(raw, "B1", "spots"),
        lambda lines: [
            line if not line.startswith("30\t30") else "30\t30\t30\t30\t-900\t1e6\t1"
            for line in lines
        ],
    )
    assert len(read(raw, "B1", 64)) == 25
