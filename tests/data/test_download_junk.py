"""Answers over HTTP that are no file, or not the one asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from compendium.data.download.http import NotArrived, Passing, Patience, download
from raw_files import files_below
from rude_server import PAGE, RudeServer, serving

AT_ONCE = Patience(backoff=0, attempts=3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RudeServer]:
    (tmp_path / "remote").mkdir()
    with serving(tmp_path / "remote") as running:
        yield running


def offered(server: RudeServer, name: str, content: bytes, fault: object) -> str:
    """The address of a file that always comes with a fault."""
    (server.folder / name).write_bytes(content)
    server.faults[name] = [fault]
    server.for_ever.add(name)
    return server.address + name


def test_a_range_that_is_not_the_one_asked_for_counts_as_an_attempt(
    server: RudeServer, tmp_path: Path
):
    address = offered(server, "x", bytes(1000), "first")
    with pytest.raises(Passing, match="sends byte 0 where 10 is asked for"):
        download(address, tmp_path / "local" / "x", "md5:0", AT_ONCE)
    assert server.asked_for("x") == 3 * ["bytes=0-99999999", "bytes=10-100000009"]
    assert files_below(tmp_path / "local") == set()


@pytest.mark.parametrize(
    ("name", "content", "fault", "says"),
    [
        (
            "x.tif",
            b"II*\0 pixels",
            "page",
            r"x\.tif answers with a page \(text/html\), not with the file$",
        ),
        ("x.tif", b"II*\0 pixels", "unmeasured", "does not say how long the file is$"),
        ("x.tif", b"II*\0 pixels", 204, "^HTTP 204 No Content at http://127"),
        ("x.tsv", b"", None, "^it is empty$"),
        ("x.tif", b"pixels", None, r"^it does not begin as a \.tif file does$"),
        ("x.h5", b"PK\3\4", None, r"^it does not begin as a \.h5 file does$"),
        ("x.tar.gz", b"PK\3\4", None, r"^it does not begin as a \.gz file does$"),
        ("x.zip", b"\x1f\x8b", None, r"^it does not begin as a \.zip file does$"),
    ],
)
def test_junk_is_not_taken_for_a_file_without_a_checksum(
    server: RudeServer, tmp_path: Path, name: str, content: bytes, fault: object, says: str
):
    address = offered(server, name, content, fault)
    with pytest.raises(NotArrived, match=says):
        download(address, tmp_path / "local" / name, None, AT_ONCE)
    assert files_below(tmp_path / "local") == set()


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("x.tif", b"MM\0*", None),
        ("x.h5", b"\x89HDF\r\n\x1a\n...", None),
        ("x.tsv.gz", b"\x1f\x8b", None),
        ("x.zip", b"PK\3\4", None),
        ("x.csv", b"a,b", None),
        ("x.html", b"", "page"),
    ],
)
def test_what_looks_like_its_name_is_taken_without_a_checksum(
    server: RudeServer, tmp_path: Path, name: str, content: bytes, fault: object
):
    address = offered(server, name, content, fault)
    download(address, tmp_path / "local" / name, None, AT_ONCE)
    assert (tmp_path / "local" / name).read_bytes() == (content or PAGE)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://[::1", r"cannot be had \(Invalid IPv6 URL\)"),
        ("http://127.0.0.1:99999/", r"cannot be had \(.+\)"),
    ],
)
def test_a_redirection_to_what_is_no_address(
    server: RudeServer, tmp_path: Path, address: str, says: str
):
    with pytest.raises(NotArrived, match=says):
        download(offered(server, "x", b"x", address), tmp_path / "local" / "x", "md5:0", AT_ONCE)
