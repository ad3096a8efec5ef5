"""The fetch of a cohort's files, from a folder and from the catalogue's own addresses."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive_files import VISIUM, tar
from catalogued_files import FEW, LABELS, README, SPOTS
from compendium.data import sources
from compendium.data.download.checksums import blob_id
from compendium.data.download.fetch import fetch
from compendium.data.download.http import Patience
from compendium.data.sources import raw_folder
from raw_files import files_below, refusal
from rude_server import RudeServer, serving

AT_ONCE = Patience(backoff=0, attempts=3)


def kept(raw: Path) -> set[str]:
    """What lies in a raw folder, besides the lock."""
    return files_below(raw) - {".lock"}


# From a folder.


@pytest.fixture
def few(catalogued: Path, tmp_path: Path) -> Path:
    """A folder with three files of the cohort in their places, and one that is none of its."""
    folder = tmp_path / "clone"
    for path in FEW:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(catalogued / path, folder / path)
    (folder / "notes.txt").write_text("not catalogued")
    return folder


def test_fetch_verifies_copies_and_lists_the_absent(few: Path, home: Path):
    report = fetch("her2st", few, sections=[])
    assert set(report.verified) == set(report.copied) == set(FEW)
    assert (
        len(report.absent) == 151
        and "data/ST-cnts/A1.tsv.gz" in report.absent
        and not set(FEW) & set(report.absent)
    )
    assert (report.unpublished, report.unpacked) == ((), {})
    raw = raw_folder("her2st")
    assert raw == home / "raw" / "her2st"
    assert files_below(raw) == set(FEW)
    assert all((raw / path).read_bytes() == (few / path).read_bytes() for path in FEW)


def test_a_second_fetch_copies_nothing_and_a_damaged_copy_is_mended(few: Path, home: Path):
    fetch("her2st", few)
    assert fetch("her2st", few).copied == ()
    (raw_folder("her2st") / README).write_text("damaged")
    assert fetch("her2st", few).copied == (README,)
    assert fetch("her2st", raw_folder("her2st")).copied == ()


def test_fetch_of_named_sections_takes_only_their_files(few: Path, tmp_path: Path):
    report = fetch("her2st", str(few), sections=["C1", "C2"], raw=tmp_path / "raw")
    assert files_below(tmp_path / "raw") == set(report.copied) == {SPOTS, LABELS}
    assert "data/ST-cnts/C2.tsv.gz" in report.absent and len(report.absent) == 7


def test_a_wrong_byte_names_both_ids_and_nothing_is_copied(few: Path, home: Path):
    published = blob_id(few / LABELS)
    content = bytearray((few / LABELS).read_bytes())
    content[100] ^= 1
    (few / LABELS).write_bytes(content)
    message = refusal(lambda: fetch("her2st", few))
    assert LABELS in message and published in message and blob_id(few / LABELS) in message
    assert not files_below(home)


def test_a_truncated_file_is_a_wrong_file(few: Path, home: Path):
    published = blob_id(few / SPOTS)
    (few / SPOTS).write_bytes((few / SPOTS).read_bytes()[:-1])
    assert f"expected git blob {published}, found" in refusal(lambda: fetch("her2st", few))
    assert not files_below(home)


@pytest.mark.parametrize(
    ("name", "source", "sections", "message"),
    [
        ("her2", "few", None, "unknown cohort: her2; did you mean her2st"),
        ("atlas", "few", None, "unknown cohort: atlas; known: demo, her2st, tenx, wu"),
        ("her2st", "few", ["C2", "C9"], "unknown section of her2st: C9; known: A1, A2"),
        ("wu", "few", ["CID4491"], "unknown section of wu: CID4491; did you mean CID44971"),
        ("her2st", "few", ["D2"], "give the folder that contains data/ST-cnts/D2.tsv.gz"),
        ("wu", "few", None, "none of the 10 files of wu is in"),
        (
            "demo",
            "few",
            None,
            "demo is generated, there is nothing to fetch; run compendium prepare demo",
        ),
        ("demo", None, None, "demo is generated"),
        (
            "her2st",
            "nowhere",
            None,
            "nowhere is no folder; give the one that contains data/ST-cnts/A1.tsv.gz",
        ),
        (
            "her2st",
            "ftp://example.org/her2st",
            None,
            "--from ftp://example.org/her2st is no address that can be read "
            "(no http, no host or no port); give one",
        ),
        ("her2st", "http://", None, "names a host"),
        (
            "her2st",
            "http://[::1",
            None,
            "--from http://[::1 is no address that can be read (Invalid IPv6 URL)",
        ),
        (
            "her2st",
            "http://127.0.0.1:99999/",
            None,
            "is no address that can be read (Port out of range 0-65535)",
        ),
    ],
)
def test_bad_fetches_end_in_one_line(
    few: Path, home: Path, name: str, source: str | None, sections: list[str] | None, message: str
):
    assert message in refusal(lambda: fetch(name, few if source == "few" else source, sections))
    assert not files_below(home)


# From the catalogue's own addresses, with archives and files that nobody publishes a checksum of.


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RudeServer]:
    folder = tmp_path / "remote"
    tar(folder / "S1" / "V1_spatial.tar.gz", VISIUM)
    (folder / "S1" / "V1_image.tif").write_bytes(TIFF)
    with serving(folder) as server:
        yield server


@pytest.fixture
def slides(remote: RudeServer, monkeypatch) -> sources.Cohort:
    """A published cohort: a section with an archive, an image and a file to be taken by hand."""
    archive = remote.folder / "S1" / "V1_spatial.tar.gz"
    files = {
        "S1/V1_spatial.tar.gz": f"md5:{hashlib.md5(archive.read_bytes()).hexdigest()}",
        "S1/V1_image.tif": None,
    }
    section = {
        "patient": "P",
        "lab": "L",
        "files": files,
        "by_hand": {"images/S1.tif": "https://example.org/page"},
    }
    facts = {
        "title": "slides",
        "technology": "Visium",
        "address": "https://example.org/",
        "licence": "-",
        "attribution": "-",
    }
    made = sources.as_cohort(
        "slides", facts | {"url": remote.address + "{path}?download=1", "sections": {"S1": section}}
    )
    monkeypatch.setattr(sources, "published", lambda: {"slides": made})
    return made


IMAGE, ARCHIVE = "S1/V1_image.tif", "S1/V1_spatial.tar.gz"
TIFF, OTHER = b"II*\0an image", b"II*\0another image"
UNPACKED = {f"S1/{path}" for path in VISIUM}


def test_files_come_from_their_own_addresses_and_archives_are_unpacked(
    slides, remote: RudeServer, home: Path
):
    report, raw = fetch("slides", patience=AT_ONCE), home / "raw" / "slides"
    assert set(report.copied) == {IMAGE, ARCHIVE}
    assert (report.verified, report.unpublished) == ((ARCHIVE,), (IMAGE,))
    assert report.unpacked == {ARCHIVE: raw / "S1" / "spatial"}
    assert report.absent == {"images/S1.tif": "https://example.org/page"}
    assert kept(raw) == {IMAGE, ARCHIVE, "fetched.json", *UNPACKED}
    assert json.loads((raw / "fetched.json").read_text()) == {
        IMAGE: f"sha256:{hashlib.sha256(TIFF).hexdigest()}"
    }
    remote.forget()
    assert fetch("slides", patience=AT_ONCE).copied == ()
    assert remote.asked == []


def test_a_file_without_a_checksum_is_held_against_the_one_that_came_first(
    slides, remote: RudeServer, home: Path
):
    fetch("slides", patience=AT_ONCE)
    raw = home / "raw" / "slides"
    (raw / IMAGE).unlink()
    (remote.folder / IMAGE).write_bytes(OTHER)
    message = refusal(lambda: fetch("slides", patience=AT_ONCE))
    assert (
        f"what comes is not the recorded file: expected sha256:{hashlib.sha256(TIFF).hexdigest()}, "
        f"found sha256:{hashlib.sha256(OTHER).hexdigest()}" in message
    )
    assert "delete its line in fetched.json to accept it" in message
    assert not (raw / IMAGE).exists() and (raw / ARCHIVE).exists()


@pytest.mark.parametrize("from_folder", [False, True])
def test_a_file_that_differs_only_from_the_record_is_never_replaced(
    slides, remote: RudeServer, home: Path, from_folder: bool
):
    source, raw = remote.folder if from_folder else None, home / "raw" / "slides"
    fetch("slides", source, patience=AT_ONCE)
    (raw / IMAGE).write_bytes(OTHER)
    message = refusal(lambda: fetch("slides", source, patience=AT_ONCE))
    assert f"{raw / IMAGE} is not the recorded file: expected sha256:" in message
    assert (
        "delete its line in fetched.json to accept it" in message
        and "delete the file to get it again" in message
    )
    assert (raw / IMAGE).read_bytes() == OTHER
    record = (raw / "fetched.json").read_text()
    (raw / "fetched.json").write_text(
        "\n".join(line for line in record.splitlines() if IMAGE not in line)
    )
    assert fetch("slides", source, patience=AT_ONCE).copied == ()
    assert hashlib.sha256(OTHER).hexdigest() in (raw / "fetched.json").read_text()
    (raw / IMAGE).unlink()
    (raw / "fetched.json").unlink()
    assert fetch("slides", source, patience=AT_ONCE).copied == (IMAGE,)


def test_of_several_lines_of_the_record_the_last_may_be_deleted(
    slides, remote: RudeServer, tmp_path: Path
):
    (tmp_path / "fetched.json").write_text(
        f'{{\n "S1/V0": "sha256:0",\n "{IMAGE}": "sha256:1"\n}}'.replace(
            f' "{IMAGE}": "sha256:1"\n', ""
        )
    )
    assert IMAGE in fetch("slides", raw=tmp_path, patience=AT_ONCE).copied


def test_a_folder_is_not_held_against_a_checksum_that_nobody_published(
    slides, remote: RudeServer, home: Path
):
    fetch("slides", patience=AT_ONCE)
    (remote.folder / IMAGE).write_bytes(OTHER)
    message = refusal(lambda: fetch("slides", remote.folder))
    assert (
        f"{remote.folder / IMAGE} is not the recorded file" in message
        and "published" not in message
    )
    assert (
        f"delete its line in fetched.json and {home / 'raw' / 'slides' / IMAGE} to accept it"
        in message
    )
    (home / "raw" / "slides" / IMAGE).unlink()
    assert "delete its line in fetched.json to accept it" in refusal(
        lambda: fetch("slides", remote.folder)
    )
    (remote.folder / IMAGE).write_bytes(b"<html>")
    (home / "raw" / "slides" / "fetched.json").unlink()
    assert (
        "V1_image.tif is not what it should be: it does not begin as a .tif file does"
        in refusal(lambda: fetch("slides", remote.folder))
    )


def test_a_page_is_not_recorded_and_a_file_put_there_by_hand_is_taken(
    slides, remote: RudeServer, home: Path
):
    remote.faults[IMAGE] = ["page"]
    remote.for_ever.add(IMAGE)
    raw = home / "raw" / "slides"
    for _ in range(2):
        assert (
            "V1_image.tif?download=1 answers with a page (text/html), not with the file"
            in refusal(lambda: fetch("slides", patience=AT_ONCE))
        )
        assert not (raw / IMAGE).exists() and not (raw / "fetched.json").exists()
    (raw / IMAGE).write_bytes(TIFF)
    assert fetch("slides", patience=AT_ONCE).unpublished == (IMAGE,)
    assert (raw / IMAGE).read_bytes() == TIFF


def test_a_file_put_there_by_hand_that_is_not_what_its_name_says_is_told_and_stays(
    slides, home: Path
):
    image = home / "raw" / "slides" / IMAGE
    image.parent.mkdir(parents=True)
    image.write_bytes(b"<html>")
    assert (
        "V1_image.tif is not what it should be: it does not begin as a .tif file does; "
        "delete the file to get it again" in refusal(lambda: fetch("slides", patience=AT_ONCE))
    )
    assert image.read_bytes() == b"<html>"


def test_a_file_taken_by_hand_is_recorded_and_a_mirror_may_have_it_or_not(
    slides, remote: RudeServer, tmp_path: Path, home: Path
):
    assert (
        "images/S1.tif"
        in fetch("slides", remote.address, raw=tmp_path / "raw", patience=AT_ONCE).absent
    )
    (remote.folder / "images").mkdir()
    (remote.folder / "images" / "S1.tif").write_bytes(TIFF)
    assert fetch("slides", remote.address, raw=tmp_path / "raw", patience=AT_ONCE).copied == (
        "images/S1.tif",
    )
    assert set(json.loads((tmp_path / "raw" / "fetched.json").read_text())) == {
        IMAGE,
        "images/S1.tif",
    }
    by_hand = home / "raw" / "slides" / "images" / "S1.tif"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(TIFF)
    report = fetch("slides", patience=AT_ONCE)
    assert (
        report.absent == {}
        and "images/S1.tif" in report.unpublished
        and "images/S1.tif" not in report.copied
    )


def test_a_folder_gives_files_without_a_checksum_and_its_archives_are_unpacked(
    slides, remote: RudeServer, tmp_path: Path
):
    report = fetch("slides", remote.folder, raw=tmp_path / "raw")
    assert (
        report.unpublished == (IMAGE,)
        and report.unpacked
        and files_below(tmp_path / "raw") == {IMAGE, ARCHIVE, "fetched.json", *UNPACKED}
    )


@pytest.fixture
def unvouched(slides, monkeypatch) -> None:
    """The same cohort without a checksum of its archive."""
    files = slides.section("S1").files | {ARCHIVE: None}
    section = dataclasses.replace(slides.section("S1"), files=files)
    monkeypatch.setattr(
        sources,
        "published",
        lambda: {"slides": dataclasses.replace(slides, sections={"S1": section})},
    )


@pytest.mark.usefixtures("unvouched")
def test_an_archive_with_an_escaping_path_goes_and_the_rest_is_kept(
    remote: RudeServer, tmp_path: Path
):
    good = (remote.folder / ARCHIVE).read_bytes()
    tar(remote.folder / ARCHIVE, {"../../escaped": b"x"})
    message = refusal(lambda: fetch("slides", raw=tmp_path / "raw", patience=AT_ONCE))
    assert (
        "1 of 3 files of slides failed" in message
        and "contains the path ../../escaped, outside its folder: not unpacked" in message
        and "(it is deleted)" in message
    )
    assert kept(tmp_path / "raw") == {IMAGE, "fetched.json"}
    assert list(json.loads((tmp_path / "raw" / "fetched.json").read_text())) == [IMAGE]
    (remote.folder / ARCHIVE).write_bytes(good)
    assert fetch("slides", raw=tmp_path / "raw", patience=AT_ONCE).copied == (ARCHIVE,)


@pytest.mark.usefixtures("unvouched")
def test_a_damaged_archive_put_there_by_hand_stays(tmp_path: Path):
    archive = tmp_path / ARCHIVE
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"\x1f\x8b damaged")
    message = refusal(lambda: fetch("slides", raw=tmp_path, patience=AT_ONCE))
    assert (
        "V1_spatial.tar.gz cannot be unpacked (" in message
        and "(it lies there; delete it to fetch it again)" in message
    )
    assert archive.exists()


def test_a_damaged_record_is_told(slides, home: Path):
    raw = home / "raw" / "slides"
    raw.mkdir(parents=True)
    for content in ('{"S1/V1_image.tif": ', '{"S1/V1_image.tif": 1}', "[1]", ""):
        (raw / "fetched.json").write_text(content)
        assert "fetched.json is damaged" in refusal(lambda: fetch("slides", patience=AT_ONCE))


def test_a_cohort_without_catalogued_files(slides, monkeypatch):
    own = dataclasses.replace(
        slides, sections={"S1": dataclasses.replace(slides.section("S1"), files={}, by_hand={})}
    )
    monkeypatch.setattr(sources, "published", lambda: {"slides": own})
    assert "the catalogue lists no files of cohort slides" in refusal(lambda: fetch("slides"))
