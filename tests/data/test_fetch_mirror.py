"""The fetch of a cohort's files from a mirror that misbehaves."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogued_files import C2
from compendium.__main__ import main
from compendium.data.download import fetch as module
from compendium.data.download import http
from compendium.data.download.fetch import fetch
from compendium.data.download.http import Patience, Unreachable
from compendium.data.sources import cohort, raw_folder
from compendium.errors import BadInput
from raw_files import files_below, refusal
from rude_server import RudeServer, serving, unused_address

TESTS = Path(__file__).parents[1]
FETCH = """
import pathlib, sys
from catalogued_files import catalogue_of
from compendium.__main__ import main
from compendium.data import sources
sources.published()["her2st"] = catalogue_of(pathlib.Path(sys.argv[1]))
main(["fetch", "her2st", "--sections", "C2", "--from", sys.argv[2]])
"""
AT_ONCE = Patience(backoff=0, attempts=3)


def kept(raw: Path) -> set[str]:
    """What lies in a raw folder, besides the lock."""
    return files_below(raw) - {".lock"}


@pytest.fixture
def mirror(catalogued: Path, tmp_path: Path) -> Iterator[RudeServer]:
    with serving(catalogued) as server:
        yield server


def test_a_mirror_gives_what_is_asked_for_and_a_second_fetch_transfers_nothing(
    mirror: RudeServer, catalogued: Path, home: Path
):
    report = fetch("her2st", mirror.address, ["C2"], patience=AT_ONCE)
    assert report.verified == report.copied == tuple(cohort("her2st").catalogued(["C2"])) and set(
        report.copied
    ) == set(C2)
    assert report.absent == {}
    assert kept(raw_folder("her2st")) == set(C2)
    assert all(
        (raw_folder("her2st") / path).read_bytes() == (catalogued / path).read_bytes()
        for path in C2
    )
    assert sum(mirror.sent.values()) == sum((catalogued / path).stat().st_size for path in C2)
    mirror.forget()
    again = fetch("her2st", mirror.address, ["C2"], patience=AT_ONCE)
    assert (again.verified, again.copied) == (report.verified, ())
    assert mirror.asked == [] and sum(mirror.sent.values()) == 0


def test_many_files_come_at_once(mirror: RudeServer, tmp_path: Path, monkeypatch):
    together = threading.Barrier(
        module.AT_ONCE, timeout=30
    )  # breaks unless so many are asked for at the same time
    real = http.download
    monkeypatch.setattr(http, "download", lambda *arguments: (together.wait(), real(*arguments)))
    assert (
        len(fetch("her2st", mirror.address, ["C2"], tmp_path / "raw", AT_ONCE).copied)
        == module.AT_ONCE
        == len(C2)
    )


def test_a_mirror_that_misbehaves_once_with_every_file_gives_them_all(
    mirror: RudeServer, catalogued: Path, tmp_path: Path
):
    for path, fault in zip(C2, ("cut", "wrong", 500, "long"), strict=True):
        mirror.faults[path] = [fault]
    assert set(fetch("her2st", mirror.address, ["C2"], tmp_path / "raw", AT_ONCE).copied) == set(C2)
    assert all(
        (tmp_path / "raw" / path).read_bytes() == (catalogued / path).read_bytes() for path in C2
    )
    assert len(mirror.asked) == 8
    assert kept(tmp_path / "raw") == set(C2)


def test_what_does_not_arrive_stops_nothing_and_is_told_in_one_line(
    mirror: RudeServer, tmp_path: Path
):
    counts, image, spots, clusters = C2
    mirror.faults.update({image: [404], spots: ["wrong"], counts: [503]})
    mirror.for_ever.update((image, spots, counts))
    message = refusal(lambda: fetch("her2st", mirror.address, ["C2"], tmp_path / "raw", AT_ONCE))
    assert "3 of 4 files of her2st failed" in message
    assert f"{image}: HTTP 404 Not Found at {mirror.address}{image}" in message
    published = cohort("her2st").catalogued(["C2"])[spots]
    assert (
        f"{spots}: what comes is not the published file: expected git blob {published}, found"
        in message
    )
    assert f"{counts}: HTTP 503" in message
    assert "run the same command to continue" in message and "github.com/almaan/her2st" in message
    assert kept(tmp_path / "raw") == {clusters}
    mirror.for_ever.clear()
    mirror.faults.clear()
    mirror.forget()
    assert set(fetch("her2st", mirror.address, ["C2"], tmp_path / "raw", AT_ONCE).copied) == {
        counts,
        image,
        spots,
    }
    assert clusters not in mirror.sent


def test_of_many_failures_three_are_told(mirror: RudeServer, tmp_path: Path):
    message = refusal(
        lambda: fetch("her2st", mirror.address + "elsewhere/", ["C2"], tmp_path / "raw", AT_ONCE)
    )
    assert (
        "4 of 4 files of her2st failed" in message
        and message.count("HTTP 404") == 3
        and "; and 1 more)" in message
    )


def test_a_large_file_continues_in_the_next_fetch(
    mirror: RudeServer, catalogued: Path, tmp_path: Path
):
    image = C2[1]
    size = (catalogued / image).stat().st_size
    mirror.faults[image] = [None, None, "cut"]
    message = refusal(
        lambda: fetch(
            "her2st",
            mirror.address,
            ["C2"],
            tmp_path / "raw",
            Patience(attempts=1, ranges_above=1_000_000),
        )
    )
    assert f"{image}: the connection broke after 2,500,000 bytes" in message
    assert {path for path in kept(tmp_path / "raw") if path.startswith(image)} == {
        f"{image}.part",
        f"{image}.part.tag",
    }
    mirror.forget()
    assert fetch(
        "her2st",
        mirror.address,
        ["C2"],
        tmp_path / "raw",
        Patience(attempts=1, ranges_above=1_000_000),
    ).copied == (image,)
    assert mirror.sent == {image: size - 2_500_000}
    assert kept(tmp_path / "raw") == set(C2)


def test_a_fetch_that_was_killed_continues(mirror: RudeServer, catalogued: Path, home: Path):
    image = C2[1]
    size = (catalogued / image).stat().st_size
    part = raw_folder("her2st") / f"{image}.part"
    mirror.faults[image] = ["slow"]
    fetching = subprocess.Popen(
        [sys.executable, "-c", FETCH, catalogued, mirror.address],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    while fetching.poll() is None and not (
        part.exists() and part.stat().st_size > size // 4 and len(mirror.asked) == len(C2)
    ):
        threading.Event().wait(0.01)
    fetching.kill()
    fetching.wait()
    came = part.stat().st_size
    mirror.forget()
    assert image in fetch("her2st", mirror.address, ["C2"], patience=AT_ONCE).copied
    assert 0 < came < size and mirror.sent[image] == size - came
    assert kept(raw_folder("her2st")) == set(C2)


def test_a_dead_address_is_given_up_at_once(tmp_path: Path):
    message = refusal(
        lambda: fetch("her2st", unused_address(), raw=tmp_path / "raw", patience=AT_ONCE)
    )
    assert (
        "cannot be reached" in message
        and "check the address and the network" in message
        and "run the same command to continue" in message
    )
    assert kept(tmp_path / "raw") == set()


def test_an_interruption_stops_what_is_under_way(mirror: RudeServer, tmp_path: Path, monkeypatch):
    begun = threading.Event()
    stopped = []

    def endless(
        url: str, target: Path, check: str | None, patience: Patience, advance, pause
    ) -> None:
        begun.set()
        try:
            while True:
                advance(1)
        except BadInput as error:
            stopped.append(str(error))
            raise

    def interrupted(jobs):
        begun.wait(30)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(http, "download", endless)
    monkeypatch.setattr(module, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("her2st", mirror.address, raw=tmp_path / "raw")
    assert stopped and set(stopped) == {"stopped"}


def test_a_dead_address_wakes_those_that_wait_for_another_attempt(tmp_path: Path, monkeypatch):
    waiting, woken = threading.Event(), []

    def patient(
        url: str, target: Path, check: str | None, patience: Patience, advance, pause
    ) -> None:
        if target.name == Path(C2[0]).name:
            waiting.wait(30)
            raise Unreachable("nobody")
        waiting.set()
        woken.append(pause(300))  # False if the time is over

    monkeypatch.setattr(http, "download", patient)
    assert "nobody" in refusal(
        lambda: fetch("her2st", "http://127.0.0.1/", ["C2"], tmp_path / "raw")
    )
    assert woken and all(woken)


def test_the_command_line_says_what_came_and_what_did_not(mirror: RudeServer, home: Path, capsys):
    assert main(["fetch", "her2st", "--sections", "C2", "--from", mirror.address]) == 0
    assert (
        capsys.readouterr().out
        == f"4 files verified, 4 copied to {raw_folder('her2st')}, 0 absent\n"
    )
    mirror.faults[C2[0]] = [404]
    (raw_folder("her2st") / C2[0]).unlink()
    assert main(["fetch", "her2st", "--sections", "C2", "--from", mirror.address]) == 2
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.count("\n") == 1
        and err.startswith(
            "compendium: 1 of 4 files of her2st failed (data/ST-cnts/C2.tsv.gz: HTTP 404"
        )
    )


def test_the_command_line_says_that_the_disk_is_full(
    mirror: RudeServer, home: Path, monkeypatch, capsys
):
    def full(url: str, target: Path, *rest: object) -> None:
        raise OSError(28, "No space left on device", f"{target.name}.part")

    monkeypatch.setattr(http, "download", full)
    assert main(["fetch", "her2st", "--sections", "C2", "--from", mirror.address]) == 2
    assert ".part cannot be read or written (No space left on device)" in capsys.readouterr().err
