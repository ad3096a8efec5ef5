"""One file over HTTP, from a real server that misbehaves."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogued_files import COUNTS, SPOTS  # large and small for these tests
from compendium import __version__
from compendium.data.download.checksums import blob_id, checksum
from compendium.data.download.http import (
    NotArrived,
    NotThere,
    Passing,
    Patience,
    Unreachable,
    WrongBytes,
    download,
)
from compendium.storage import sha256
from raw_files import files_below
from rude_server import RudeServer, serving, unused_address

AT_ONCE = Patience(backoff=0, attempts=3)
RANGED = Patience(backoff=0, attempts=3, ranges_above=300_000)


@pytest.fixture
def server(catalogued_folder: Path, tmp_path: Path) -> Iterator[RudeServer]:
    folder = tmp_path / "remote"
    for path in (COUNTS, SPOTS):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(catalogued_folder / path, folder / path)
    with serving(folder) as running:
        yield running


class Client:
    """Downloads one path of a server into a folder of its own."""

    def __init__(
        self, server: RudeServer, path: str, folder: Path, patience: Patience = AT_ONCE
    ) -> None:
        self.server, self.path, self.folder, self.patience = server, path, folder, patience
        self.source, self.target = server.folder / path, folder / Path(path).name
        self.check = blob_id(self.source)

    def get(self, check: str | None = None, **changes: object) -> None:
        download(
            self.server.address + self.path,
            self.target,
            check or self.check,
            changes.get("patience", self.patience),
        )

    def is_there(self) -> bool:
        return (
            files_below(self.folder) == {self.target.name}
            and self.target.read_bytes() == self.source.read_bytes()
        )


@pytest.fixture
def small(server, tmp_path) -> Client:
    return Client(server, SPOTS, tmp_path / "local")


@pytest.fixture
def large(server, tmp_path) -> Client:
    return Client(server, COUNTS, tmp_path / "local", RANGED)


def test_a_small_file_comes_whole_in_one_request(small: Client):
    heard = []
    download(small.server.address + SPOTS, small.target, small.check, AT_ONCE, heard.append)
    assert small.is_there()
    assert len(small.server.asked) == 1
    assert sum(heard) == small.server.sent[SPOTS] == small.source.stat().st_size
    assert small.target.stat().st_mode & 0o777 == 0o644
    assert small.server.agents == {f"compendium/{__version__}"}


def test_a_large_file_comes_in_ranges(large: Client):
    large.get()
    assert large.is_there()
    size = large.source.stat().st_size
    assert large.server.asked_for(COUNTS) == [
        "bytes=0-299999",
        "bytes=300000-599999",
        "bytes=600000-899999",
    ]
    assert large.server.sent[COUNTS] == size


@pytest.mark.parametrize("kind", ["md5:", "sha256:"])
def test_published_checksums_of_other_kinds(small: Client, kind: str):
    check = checksum(small.source, kind)
    small.get(check)
    assert small.is_there()
    small.server.faults[SPOTS] = ["wrong", "wrong"]
    with pytest.raises(WrongBytes, match=f"expected {check}, found {kind}[0-9a-f]+$"):
        small.get(check)
    assert checksum(small.source, "sha256:") == f"sha256:{sha256(small.source)}"


@pytest.mark.parametrize("fault", ["cut", "short", "long", "wrong", 500, 429])
def test_one_fault_is_mended_by_another_attempt(small: Client, fault: object):
    small.server.faults[SPOTS] = [fault]
    small.get()
    assert small.is_there()
    assert len(small.server.asked) == 2


@pytest.mark.parametrize("fault", ["slow", "silent"])
def test_a_line_that_falls_silent_is_left(small: Client, fault: str):
    small.server.faults[SPOTS] = [fault]
    small.get(patience=Patience(backoff=0, attempts=5, timeout=(5, 0.3)))
    assert small.is_there()


def test_silence_for_ever_is_said(small: Client):
    small.server.faults[SPOTS] = ["slow"]
    small.server.for_ever.add(SPOTS)
    with pytest.raises(
        Passing, match=r"nothing came for 0\.1 s after [\d,]+ bytes from http://127.*selection\.tsv"
    ):
        small.get(patience=Patience(backoff=0, attempts=2, timeout=(5, 0.1)))
    assert not small.target.exists()


def test_a_cut_line_continues_from_the_byte_where_it_broke(large: Client):
    large.server.faults[COUNTS] = [None, "cut"]
    large.get()
    assert large.is_there()
    assert large.server.asked_for(COUNTS) == [
        "bytes=0-299999",
        "bytes=300000-599999",
        "bytes=450000-749999",
        "bytes=750000-1049999",
    ]
    assert large.server.sent[COUNTS] == large.source.stat().st_size


def test_an_interrupted_download_continues_in_the_next_call(large: Client):
    large.server.faults[COUNTS] = [None, "cut"]
    with pytest.raises(Passing, match="the connection broke after 450,000 bytes"):
        large.get(patience=Patience(attempts=1, ranges_above=300_000))
    assert files_below(large.folder) == {"C2.tsv.gz.part", "C2.tsv.gz.part.tag"}
    large.server.forget()
    large.get()
    assert large.is_there()
    assert large.server.sent[COUNTS] == large.source.stat().st_size - 450_000


def test_a_part_that_is_complete_is_only_put_in_its_place(large: Client):
    large.server.faults[COUNTS] = [None, None, "cut"]
    with pytest.raises(Passing):
        large.get(patience=Patience(attempts=1, ranges_above=300_000))
    shutil.copyfile(large.source, large.folder / "C2.tsv.gz.part")
    large.server.forget()
    large.get()
    assert large.is_there()
    assert large.server.sent[COUNTS] == 0


def begun(client: Client) -> None:
    """Leave half of a file as a part."""
    client.server.faults[client.path] = ["cut"]
    with pytest.raises(Passing):
        client.get(patience=Patience(attempts=1))
    client.server.forget()


def test_a_file_that_changed_meanwhile_starts_again(large: Client):
    begun(large)
    changed = bytearray(large.source.read_bytes())
    changed[100] ^= 1
    large.source.write_bytes(changed)
    large.get(blob_id(large.source))
    assert large.is_there()
    assert large.server.sent[COUNTS] == len(changed)


def test_so_it_does_where_the_server_overlooks_the_condition(large: Client):
    begun(large)
    large.server.conditions = False
    large.server.versions[COUNTS] = '"another"'
    with pytest.raises(Passing, match="changed while it came"):
        large.get(patience=Patience(attempts=1, ranges_above=300_000))
    assert files_below(large.folder) == set()
    large.get()
    assert large.is_there()


def test_without_tags_the_date_names_the_version(large: Client):
    large.server.tags, large.server.dates = False, True
    begun(large)
    assert (large.folder / "C2.tsv.gz.part.tag").read_text().endswith("GMT")
    large.get()
    assert large.is_there()
    assert large.server.sent[COUNTS] < large.source.stat().st_size


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_a_part_of_a_file_without_version_starts_again(large: Client, tag: str | None):
    large.server.tags = tag is not None
    large.server.versions[COUNTS] = tag or ""
    begun(large)
    large.get()
    assert large.is_there()
    assert large.server.sent[COUNTS] == large.source.stat().st_size


def test_without_ranges_the_whole_file_comes_and_comes_again(large: Client):
    large.server.ranges = False
    begun(large)
    large.get()
    assert large.is_there()
    assert len(large.server.asked) == 1
    assert large.server.sent[COUNTS] == large.source.stat().st_size


def test_ranges_without_bytes_end(large: Client):
    large.server.faults[COUNTS] = [None, "empty"]
    large.server.for_ever.add(COUNTS)
    with pytest.raises(Passing, match="sends nothing after 300,000 of 800,000 bytes"):
        large.get()


def test_a_part_longer_than_the_file_is_thrown_away(small: Client):
    begun(small)
    (small.folder / f"{small.target.name}.part").write_bytes(bytes(100_000))
    small.get()
    assert small.is_there()


def test_an_empty_file(small: Client):
    small.source.write_bytes(b"")
    small.get(blob_id(small.source))
    assert small.is_there()


def test_wrong_bytes_twice_are_refused_and_nothing_stays(small: Client):
    small.server.faults[SPOTS] = ["wrong"]
    small.server.for_ever.add(SPOTS)
    with pytest.raises(WrongBytes) as error:
        small.get(patience=Patience(backoff=0, attempts=5))
    assert f"expected git blob {small.check}, found " in str(error.value)
    assert len(small.server.asked) == 2  # not five times
    assert files_below(small.folder) == set()


def test_a_wrong_file_in_the_place_is_replaced(small: Client):
    small.folder.mkdir()
    small.target.write_text("another one")
    small.get()
    assert small.is_there()


@pytest.mark.parametrize(
    ("fault", "kind", "requests"), [(404, NotThere, 1), (403, NotArrived, 1), (503, Passing, 3)]
)
def test_a_server_that_refuses(small: Client, fault: int, kind: type, requests: int):
    small.server.faults[SPOTS] = [fault]
    small.server.for_ever.add(SPOTS)
    with pytest.raises(kind, match=f"HTTP {fault} .* at http://127.0.0.1"):
        small.get()
    assert len(small.server.asked) == requests
    assert files_below(small.folder) == set()


def test_nobody_answers(tmp_path: Path):
    with pytest.raises(
        Unreachable, match=r"^127\.0\.0\.1:\d+ cannot be reached \(.*Connection refused\)$"
    ):
        download(unused_address() + SPOTS, tmp_path / "file", None, AT_ONCE)
    assert files_below(tmp_path) == set()


def test_a_proxy_of_the_user_is_not_asked_for_this_machine_but_for_others(
    small: Client, monkeypatch, tmp_path
):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, unused_address())
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    small.get()
    assert small.is_there()
    with pytest.raises(Unreachable, match="example.org cannot be reached.*refused"):
        download("http://example.org/file", tmp_path / "file", None, AT_ONCE)


def test_attempts_wait_twice_as_long_each_time(small: Client):
    waited = []
    small.server.faults[SPOTS] = [500, 500, 500]
    download(
        small.server.address + SPOTS,
        small.target,
        small.check,
        Patience(backoff=0.5),
        pause=waited.append,
    )
    assert waited == [0, 1, 2]


def test_a_server_that_says_when_to_come_back_is_asked_then(small: Client):
    waited = []
    small.server.faults[SPOTS] = ["busy"]
    download(small.server.address + SPOTS, small.target, small.check, AT_ONCE, pause=waited.append)
    assert small.is_there() and waited == [7]


def test_a_full_disk_names_the_file_and_keeps_what_came(large: Client, monkeypatch):
    begun(large)
    came = (large.folder / "C2.tsv.gz.part").stat().st_size

    def full(self: Path, mode: str = "r", *arguments: object, **words: object):
        file = real(self, mode, *arguments, **words)
        return Full(file) if self.suffix == ".part" and mode == "ab" else file

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, block):
            raise OSError(28, os.strerror(28))

    real = Path.open
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left on device.*C2.tsv.gz.part"):
        large.get()
    monkeypatch.undo()
    assert files_below(large.folder) == {"C2.tsv.gz.part", "C2.tsv.gz.part.tag"}
    assert (large.folder / "C2.tsv.gz.part").stat().st_size == came
