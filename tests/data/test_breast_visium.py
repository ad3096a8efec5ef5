"""The published Visium cohorts, read from small made-up files that lie as the public ones do."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.__main__ import main
from compendium.data.prepare import folder, open_sections, prepare
from compendium.data.section import load
from compendium.data.sources import cohort
from raw_files import change_lines, files_below, refusal
from space_ranger import GENES, NAMED, WORDS, picture, positions, write_tenx, write_wu

GROUPS = {word: group for group, words in cohort("wu").classes.items() for word in words}

INSIDE = positions().query("in_tissue == 1")["barcode"].tolist()
MATRIX, METADATA = (
    "filtered_count_matrices/CID4290_filtered_count_matrix",
    "metadata/CID4290_metadata.csv",
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """Files of one section of Wu et al. that no test changes."""
    return write_wu(tmp_path_factory.mktemp("wu"))


@pytest.fixture
def raw(pristine, tmp_path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(pristine, tmp_path / "raw")


def section(raw: Path, spots: str = ""):
    return prepare("wu", tile_px=32, raw=raw, spots=spots)[0]


def test_wu_is_prepared_from_the_folders_of_its_archives(pristine, home):
    found = section(pristine)
    assert (found.cohort, found.name, found.patient, found.spot_set) == (
        "wu",
        "CID4290",
        "CID4290",
        "filtered",
    )
    assert found.technology == cohort("wu").technology
    assert list(found.spots) == INSIDE[:-5]
    assert list(found.genes) == [*GENES[:11], "TBCE-1", "CD3"], (
        "features by name alone are all taken for genes"
    )
    assert np.array_equal(found.stored_tiles[3, 16, 16, :2], (found.pixels[3] // 4).astype(int))
    assert {*found.sources} == {
        *(f"{MATRIX}/{part}.gz" for part in ("barcodes.tsv", "features.tsv", "matrix.mtx")),
        METADATA,
        "images/CID4290.tif",
        "spatial/CID4290_spatial/tissue_positions_list.csv",
        "spatial/CID4290_spatial/scalefactors_json.json",
    }


def test_labels_are_the_pathologists_in_classes_joined_by_barcode(raw, home):
    change_lines(
        raw / METADATA, lambda lines: [lines[0], *reversed(lines[1:]), "NOWHERE-1,CID4290,Stroma"]
    )
    found = section(raw)
    assert list(found.labels) == [GROUPS.get(WORDS[i % len(WORDS)], "") for i in range(len(found))]
    unfiltered = section(raw, "unfiltered")
    assert dict(zip(unfiltered.spots, unfiltered.labels, strict=True)) == dict.fromkeys(
        INSIDE, ""
    ) | dict(zip(found.spots, found.labels, strict=True))


def test_a_cancer_in_situ_is_one_and_what_is_no_tissue_has_no_class():
    assert {*GROUPS.values()} == {
        "invasive cancer",
        "cancer in situ",
        "stroma",
        "lymphocyte",
        "normal",
    }
    assert GROUPS["DCIS"] == "cancer in situ" and not {"Artefact", "Uncertain", "Necrosis"} & set(
        GROUPS
    )


def test_the_two_sets_of_spots_are_words_and_the_section_says_which_it_has(pristine, home):
    filtered, unfiltered = section(pristine), section(pristine, "unfiltered")
    assert list(unfiltered.spots) == INSIDE[::-1]
    assert (len(filtered), len(unfiltered)) == (len(INSIDE) - 5, len(INSIDE))
    assert load(folder("wu", "CID4290")).spot_set == unfiltered.spot_set == "unfiltered"
    assert filtered.digest != unfiltered.digest
    assert list(unfiltered.genes) == NAMED


@pytest.mark.parametrize(
    ("given", "said"), [((), "filtered spots"), (("--spots", "unfiltered"), "unfiltered spots")]
)
def test_the_command_says_which_spots_it_prepared(given, said, pristine, home, capsys):
    assert main(["prepare", "wu", "--from", str(pristine), "--tile-px", "32", *given]) == 0
    line = next(
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("<Section wu/CID4290")
    )
    assert line.endswith(f"> {said}")


def test_a_section_may_lie_in_a_folder_of_its_own(pristine, tmp_path, home):
    mine = tmp_path / "CID4290"
    shutil.copytree(pristine / MATRIX, mine / "filtered_count_matrix")
    shutil.copytree(pristine / "spatial" / "CID4290_spatial", mine / "spatial")
    shutil.copyfile(pristine / METADATA, mine / "metadata.csv")
    shutil.copyfile(pristine / "images" / "CID4290.tif", mine / "image.tif")
    one, other = section(pristine), section(tmp_path)
    for part in ("spots", "genes", "grid", "pixels", "labels", "stored_tiles", "thumbnail"):
        assert np.array_equal(getattr(one, part), getattr(other, part)), part
    assert np.array_equal(one.counts.toarray(), other.counts.toarray())


def test_without_image_or_metadata_it_is_counts_only_and_without_labels(raw, home):
    shutil.rmtree(raw / "images")
    shutil.rmtree(raw / "metadata")
    assert section(raw).stored_tiles is None
    assert section(raw).labels is None


def test_only_sections_whose_counts_are_there_are_prepared(pristine, raw, home):
    write_wu(raw, "CID4465")
    assert [each.name for each in prepare("wu", tile_px=32, raw=raw)] == ["CID4290", "CID4465"]
    assert [each.labels is None for each in open_sections("wu", ["CID4465"])] == [False]


def test_tenx_is_prepared_as_it_is_fetched(tmp_path, home):
    write_tenx(write_tenx(tmp_path), "FFPE")
    found = prepare("tenx", tile_px=32, raw=tmp_path)
    assert [(each.name, each.patient, each.spot_set) for each in found] == [
        ("block1", "BlockA", ""),
        ("FFPE", "FFPE", ""),
    ]
    assert found[1].technology == "10x Visium, 55 µm spots, FFPE"
    assert list(found[0].spots) == INSIDE[::-1]
    assert found[0].stored_tiles.shape == (len(INSIDE), 32, 32, 3)
    assert any(path.endswith("_filtered_feature_bc_matrix.h5") for path in found[0].sources)


def without(name: str):
    return lambda raw: shutil.rmtree(raw / name)


def rewritten(old: str, new: str):
    return lambda raw: (raw / METADATA).write_text((raw / METADATA).read_text().replace(old, new))


def twice(raw: Path) -> None:
    change_lines(raw / METADATA, lambda lines: [*lines, lines[1]])


def smaller(raw: Path) -> None:
    Image.fromarray(picture()[:300, :260]).save(raw / "images" / "CID4290.tif")
    (raw / "spatial" / "CID4290_spatial" / "tissue_hires_image.png").unlink()


def features(count: int):
    return lambda raw: change_lines(raw / MATRIX / "features.tsv.gz", lambda lines: lines[:count])


REFUSED = {
    "no counts": (
        without("filtered_count_matrices"),
        (
            "one folder of filtered counts",
            "filtered_count_matrices/CID4290_*, is nothing; run compendium fetch wu",
        ),
    ),
    "no spatial": (
        without("spatial"),
        ("one folder of spatial positions", "spatial/CID4290_spatial, is nothing; run"),
    ),
    "two matrices": (
        lambda raw: shutil.copytree(raw / MATRIX, raw / MATRIX / "again"),
        ("CID4290_*, is ", "CID4290_filtered_count_matrix and ", "/again;"),
    ),
    "no column": (rewritten("Classification", "Class"), ("lacks the column Classification",)),
    "a gene in the metadata": (
        rewritten("patientid", GENES[2]),
        (f"{GENES[2]} is a column of", "and a gene of the counts", "take the column out"),
    ),
    "a spot twice": (twice, (f"spot {INSIDE[0]} stands 2 times",)),
    "metadata of another section": (rewritten("-1", "-2"), ("have no spot in common",)),
    "metadata that is none": (
        lambda raw: (raw / METADATA).write_bytes(b""),
        ("is no comma-separated table",),
    ),
    "a scan in another format": (
        lambda raw: (raw / "images/CID4290.tif").rename(raw / "images/CID4290.svs"),
        ("CID4290.svs would be left out", "CID4290.tif"),
    ),
    "two images": (
        lambda raw: shutil.copyfile(raw / "images/CID4290.tif", raw / "images/CID4290.png"),
        ("found CID4290.png and CID4290.tif; keep the one that belongs",),
    ),
    "an image smaller than the spots' extent": (
        smaller,
        ("spots lie outside the image of 260 x 300 px",),
    ),
    "too few features": (
        features(9),
        (
            "counts 13 features of 25 barcodes",
            "of which features.tsv.gz and barcodes.tsv.gz list 9 and 25",
        ),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_one_line_and_nothing_is_written(raw, home, what):
    damage, words = REFUSED[what]
    damage(raw)
    message = refusal(lambda: prepare("wu", ["CID4290"], tile_px=32, raw=raw))
    assert "CID4290" in message
    assert [word for word in words if word not in message] == []
    assert files_below(home) == set()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda raw: section(raw, "all"), ("unknown --spots all; known: filtered, unfiltered",)),
        (
            lambda raw: prepare("tenx", raw=raw, spots="unfiltered"),
            ("cohort tenx has one set of spots; leave out --spots",),
        ),
        (
            lambda raw: prepare("tenx", ["block2"], raw=raw),
            ("tenx section block2: there is no", "compendium fetch tenx --sections block2"),
        ),
        (
            lambda raw: prepare("wu", raw=raw / "nowhere"),
            ("wu section 1142243F: where one folder of filtered counts", "is nothing"),
        ),
    ],
)
def test_words_and_files_that_are_not_there(pristine, home, ask, words):
    message = refusal(lambda: ask(pristine))
    assert [word for word in words if word not in message] == []
