"""Archives: harmless ones are unpacked whole, others not at all."""

import gzip
import tarfile
from pathlib import Path

import pytest

from archive_files import VISIUM, member, tar, zipped
from compendium.data.download.archives import _Unzipped, is_archive, unpack
from raw_files import files_below, refusal


@pytest.mark.parametrize(
    ("name", "files", "folder"),
    [
        ("spatial.tar.gz", VISIUM, "spatial"),
        ("V1_Section_1_spatial.tar.gz", VISIUM, "spatial"),
        ("spatial.tar.gz", {f"./{path}": content for path, content in VISIUM.items()}, "spatial"),
        (
            "spatial.tar.gz",
            VISIUM | {"._spatial": b"macOS", "__MACOSX/spatial/._x": b"macOS"},
            "spatial",
        ),
        (
            "spatial.tar.gz",
            {Path(path).name: content for path, content in VISIUM.items()},
            "spatial",
        ),
        ("images.tar.gz", VISIUM, "images"),  # its name decides, not its content
        ("notspatial.tar.gz", VISIUM, "notspatial"),
    ],
)
def test_where_an_archive_is_unpacked(name: str, files: dict, folder: str, tmp_path: Path):
    archive = tar(tmp_path / "raw" / name, files)
    assert unpack(archive) == tmp_path / "raw" / folder
    assert files_below(tmp_path / "raw" / folder) == {Path(path).name for path in VISIUM}
    assert files_below(tmp_path) == {f"raw/{name}"} | {
        f"raw/{folder}/{Path(path).name}" for path in VISIUM
    }
    assert (tmp_path / "raw" / folder / "tissue_positions_list.csv").read_bytes() == VISIUM[
        "spatial/tissue_positions_list.csv"
    ]


def test_several_folders_keep_their_names(tmp_path: Path):
    unpack(tar(tmp_path / "all.tar.gz", {"a/1": b"1", "b/2": b"2", "3": b"3"}))
    assert files_below(tmp_path / "all") == {"a/1", "b/2", "3"}


def test_a_zip(tmp_path: Path):
    archive = zipped(tmp_path / "spatial.zip", {"spatial/": b""} | VISIUM)
    assert unpack(archive) == tmp_path / "spatial"
    assert files_below(tmp_path / "spatial") == {Path(path).name for path in VISIUM}


def test_what_lies_there_is_left_and_what_is_missing_comes_back(tmp_path: Path):
    archive = tar(tmp_path / "spatial.tar.gz", VISIUM)
    unpack(archive)
    (tmp_path / "spatial" / "mine.txt").write_text("kept as long as nothing is missing")
    unpack(archive)
    assert (tmp_path / "spatial" / "mine.txt").exists()
    (tmp_path / "spatial" / "scalefactors_json.json").write_text("cut off by hand")
    unpack(archive)
    assert (tmp_path / "spatial" / "scalefactors_json.json").read_bytes() == b"{}"


HARMFUL = {
    "a path upwards": (
        {"spatial/../../escaped": b"x"},
        (),
        "contains the path spatial/../../escaped, outside its folder",
    ),
    "an absolute path": (
        {"/tmp/escaped": b"x"},
        (),
        "contains the path /tmp/escaped, outside its folder",
    ),
    "a link out": (
        {},
        (member("spatial/link", tarfile.SYMTYPE, "../../../etc/passwd"),),
        "contains spatial/link, a link",
    ),
    "a hard link": (
        {},
        (member("spatial/link", tarfile.LNKTYPE, "spatial/scalefactors_json.json"),),
        "contains spatial/link, a link",
    ),
    "a device": ({}, (member("spatial/null", tarfile.CHRTYPE),), "contains spatial/null, a device"),
    "a pipe": ({}, (member("spatial/pipe", tarfile.FIFOTYPE),), "contains spatial/pipe, a device"),
    "a file within a file": (
        {"spatial/a/b": b"1", "spatial/a": b"2"},
        (),
        "contains a name that no file can have here",
    ),
    "a name too long": (
        {"spatial/" + 300 * "a": b"1"},
        (),
        "contains a name that no file can have here (File name too long)",
    ),
    "a name too long in all": (
        {"spatial/" + 3000 * "a/": b"1"},
        (),
        "contains a name that no file can have here",
    ),
    "a name twice": (
        {"./spatial/scalefactors_json.json": b"other"},
        (),
        "contains spatial/scalefactors_json.json, two files of that name",
    ),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_a_harmful_archive_is_refused_whole(what: str, tmp_path: Path):
    files, members, says = HARMFUL[what]
    archive = tar(tmp_path / "raw" / "spatial.tar.gz", VISIUM | files, *members)
    message = refusal(lambda: unpack(archive))
    assert says in message and str(archive) in message and "unpacked" in message
    assert files_below(tmp_path) == {"raw/spatial.tar.gz"}


@pytest.mark.parametrize(
    ("files", "mode", "says"),
    [
        ({"../escaped": b"x"}, 0, "outside its folder"),
        ({"/escaped": b"x"}, 0, "outside its folder"),
        ({"spatial/link": b"/etc/passwd"}, 0o120777, "a link"),
    ],
)
def test_a_harmful_zip_is_refused_whole(files: dict, mode: int, says: str, tmp_path: Path):
    archive = zipped(tmp_path / "raw.zip", files, mode)
    assert says in refusal(lambda: unpack(archive))
    assert files_below(tmp_path) == {"raw.zip"}


def test_a_bomb_is_refused_before_it_is_read(tmp_path: Path):
    archive = tar(tmp_path / "bomb.tar.gz", {f"bomb/{i}": bytes(1_000_000) for i in range(5)})
    assert "unpacks to more than 3,000,000 bytes" in refusal(
        lambda: unpack(archive, max_bytes=3_000_000)
    )
    assert files_below(tmp_path) == {"bomb.tar.gz"}


def commented(path: Path) -> Path:
    """An archive whose one entry comes with a header of 200 kB."""
    entry = member("spatial", tarfile.DIRTYPE)
    entry.pax_headers = {"comment": 200_000 * "x"}
    return tar(path, {}, entry)


@pytest.mark.parametrize(
    "archive", [commented, lambda path: tar(path, {f"many/{i}": b"" for i in range(200)})]
)
def test_headers_without_end_are_refused_before_they_are_read(archive, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(_Unzipped, "left", 100_000)
    read, real = [], gzip.GzipFile.read
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda self, size: read.append(size) or real(self, size)
    )
    path = archive(tmp_path / "x.tar.gz")
    assert "bytes of headers" in refusal(lambda: unpack(path))
    assert sum(read) <= 100_000


def test_contents_are_no_headers(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(_Unzipped, "left", 100_000)
    assert (
        unpack(tar(tmp_path / "x.tar.gz", {"a": bytes(1_000_000), "b": b"b"})) / "a"
    ).stat().st_size == 1_000_000


def damaged(path: Path, keep: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return path


def encrypted(path: Path) -> Path:
    """Set the bit that says so in every header."""
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(header)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(header, at + 1)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "archive",
    [
        lambda folder: damaged(
            tar(folder / "x.tar.gz", VISIUM | {"spatial/noise": bytes(range(256)) * 100}), 0.5
        ),
        lambda folder: damaged(tar(folder / "x.tar.gz", VISIUM), 0),
        lambda folder: damaged(zipped(folder / "x.zip", VISIUM), 0.5),
        lambda folder: zipped(folder / "x.zip", VISIUM).rename(folder / "x.tar.gz"),
        lambda folder: encrypted(zipped(folder / "x.zip", VISIUM)),
    ],
)
def test_a_damaged_archive(archive, tmp_path: Path):
    path = archive(tmp_path)
    assert refusal(lambda: unpack(path)).startswith(f"{path} cannot be unpacked (")
    assert files_below(tmp_path) == {path.name}


def test_an_archive_without_files(tmp_path: Path):
    assert "contains no files" in refusal(
        lambda: unpack(tar(tmp_path / "x.tar.gz", {}, member("spatial", tarfile.DIRTYPE)))
    )


def test_what_counts_as_an_archive():
    assert is_archive("x/spatial.tar.gz") and is_archive("a.zip") and not is_archive("C2.tsv.gz")
