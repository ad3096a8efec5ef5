"""The catalogue of cohorts and the fetch from a local folder."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from compendium.data import sources
from compendium.errors import BadInput

SPOTS = "data/ST-spotfiles/C2_selection.tsv"
LABELS = "data/ST-pat/lbl/C1_labeled_coordinates.tsv"
README = "data/ST-pat/lbl/README"
FEW = (SPOTS, LABELS, README)


@pytest.fixture
def few(her2st: Path, tmp_path: Path) -> Path:
    """A folder with three real files of the cohort in their places, and one that is none of its."""
    folder = tmp_path / "clone"
    for path in FEW:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(her2st / path, folder / path)
    (folder / "notes.txt").write_text("not catalogued")
    return folder


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()


def test_her2st_has_36_sections_of_8_patients_and_154_files():
    her2st = sources.cohort("her2st")
    assert len(her2st.sections) == 36
    assert {name: section.patient for name, section in her2st.sections.items()} == {name: name[0] for name in her2st.sections}
    assert len({section.patient for section in her2st.sections.values()}) == 8
    files = her2st.catalogued()
    assert len(files) == 154 == len(set(files.values()))
    assert all(re.fullmatch("[0-9a-f]{40}", blob) for blob in files.values())
    kinds = ("/ST-cnts/", "/ST-imgs/", "/ST-spotfiles/", "/ST-cluster/")
    assert all(sum(kind in f"/{path}" for path in section.files) == 1 for section in her2st.sections.values() for kind in kinds)
    assert her2st.shared_genes == "her2_common_11871"


def test_every_id_is_the_recorded_one(shared: Path):
    recorded = dict(reversed(line.split()) for line in (shared / "facts" / "her2st-blobs.txt").read_text().splitlines())
    assert sources.cohort("her2st").catalogued() == recorded


def test_block_a_is_one_donor_and_no_visium_checksum_is_invented():
    tenx, wu = sources.cohort("tenx"), sources.cohort("wu")
    assert tenx.section("block1").patient == tenx.section("block2").patient != tenx.section("FFPE").patient
    assert "FFPE" in tenx.section("FFPE").technology
    assert len({section.patient for section in wu.sections.values()}) == 6 == len(wu.sections)
    assert {*tenx.catalogued().values(), *wu.catalogued().values()} == {None}


def test_every_cohort_says_whom_to_credit():
    for name, cohort in sources.catalogue().items():
        assert cohort.name == name and cohort.title and cohort.technology and cohort.licence and cohort.attribution
        assert cohort.generator or (cohort.address and cohort.citation)
        assert cohort.sections and all(section.name == key and section.patient and section.lab and section.technology for key, section in cohort.sections.items())


def test_every_citation_is_in_the_references():
    references = (Path(sources.__file__).parents[3] / "book" / "references.bib").read_text()
    keys = set(re.findall(r"^@\w+\{([^,]+),", references, re.MULTILINE))
    assert {cohort.citation for cohort in sources.catalogue().values()} - {""} <= keys


def test_demo_lists_the_sections_of_its_generator():
    from compendium.data import synthetic

    demo = sources.cohort("demo")
    assert [(section.name, section.patient, section.lab) for section in demo.sections.values()] == [(place.name, place.patient, place.lab) for place in synthetic.SECTIONS]


def test_blob_id_is_gits(tmp_path: Path):
    path = tmp_path / "file"
    for content in (b"", b"spot\tgene\n" * 100_000):
        path.write_bytes(content)
        assert sources.blob_id(path) == subprocess.check_output(["git", "hash-object", "--no-filters", path], text=True).strip()


def test_fetch_verifies_copies_and_lists_the_absent(few: Path, home: Path):
    report = sources.fetch_from("her2st", few, sections=[])
    assert set(report.verified) == set(report.copied) == set(FEW)
    assert len(report.absent) == 151 and "data/ST-cnts/A1.tsv.gz" in report.absent and not set(FEW) & set(report.absent)
    raw = sources.raw_folder("her2st")
    assert raw == home / "raw" / "her2st"
    assert files_below(raw) == set(FEW)
    assert all((raw / path).read_bytes() == (few / path).read_bytes() for path in FEW)


def test_a_second_fetch_copies_nothing_and_a_damaged_copy_is_mended(few: Path, home: Path):
    sources.fetch_from("her2st", few)
    assert sources.fetch_from("her2st", few).copied == ()
    (sources.raw_folder("her2st") / README).write_text("damaged")
    assert sources.fetch_from("her2st", few).copied == (README,)
    assert sources.fetch_from("her2st", sources.raw_folder("her2st")).copied == ()


def test_fetch_of_named_sections_takes_only_their_files(few: Path, tmp_path: Path):
    report = sources.fetch_from("her2st", few, sections=["C1", "C2"], raw=tmp_path / "raw")
    assert files_below(tmp_path / "raw") == set(report.copied) == {SPOTS, LABELS}
    assert "data/ST-cnts/C2.tsv.gz" in report.absent and len(report.absent) == 7


def test_a_wrong_byte_names_both_ids_and_nothing_is_copied(few: Path, home: Path):
    content = bytearray((few / LABELS).read_bytes())
    content[100] ^= 1
    (few / LABELS).write_bytes(content)
    with pytest.raises(BadInput) as error:
        sources.fetch_from("her2st", few)
    message = str(error.value)
    assert LABELS in message and "9aee8bc660ae5f2ba6795625ff50d1cefafd4abc" in message and sources.blob_id(few / LABELS) in message
    assert "\n" not in message
    assert not files_below(home)


def test_a_truncated_file_is_a_wrong_file(few: Path, home: Path):
    (few / SPOTS).write_bytes((few / SPOTS).read_bytes()[:-1])
    with pytest.raises(BadInput, match="expected git blob ae0147fd6fc7e81e3a1bc23e35a7c86274357f79, found"):
        sources.fetch_from("her2st", few)
    assert not files_below(home)


@pytest.mark.parametrize(
    ("cohort", "sections", "message"),
    [
        ("her2", None, "unknown cohort: her2; did you mean her2st"),
        ("atlas", None, "unknown cohort: atlas; known: demo, her2st, tenx, wu"),
        ("her2st", ["C2", "C9"], "unknown section of her2st: C9; known: A1, A2"),
        ("wu", ["CID4491"], "unknown section of wu: CID4491; did you mean CID44971"),
        ("her2st", ["D2"], "none of the 4 files of her2st lies in .*give the folder that holds data/ST-cnts/D2.tsv.gz"),
        ("wu", ["CID4290"], "cohort wu have no known checksums yet"),
        ("wu", None, "cohort wu have no known checksums yet.*zenodo"),
        ("demo", None, "demo is generated.*compendium prepare demo"),
    ],
)
def test_bad_fetches_end_in_one_line(few: Path, home: Path, cohort: str, sections: list[str] | None, message: str):
    with pytest.raises(BadInput, match=message) as error:
        sources.fetch_from(cohort, few, sections)
    assert "\n" not in str(error.value)
    assert not files_below(home)


def test_missing_and_empty_folders(tmp_path: Path, home: Path):
    with pytest.raises(BadInput, match="nowhere is no folder.*85df741"):
        sources.fetch_from("her2st", tmp_path / "nowhere")
    with pytest.raises(BadInput, match="none of the 154 files of her2st lies in"):
        sources.fetch_from("her2st", tmp_path)
    with pytest.raises(BadInput, match="not built yet.*85df741.* --from FOLDER"):
        sources.fetch_from("her2st", None)
    assert not files_below(home)
