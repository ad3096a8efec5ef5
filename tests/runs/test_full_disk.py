"""A full or read-only disk, and too little memory: one line, status 2, and on it goes after."""

import shutil
from pathlib import Path

import pytest

from compendium.runs import store
from forked import LOGGED, UNPRIVILEGED
from raw_files import files_below, write_raw
from small_disk import is_refused

pytestmark = pytest.mark.slow

STUDY = (
    "study",
    "her2st",
    "--splits",
    "section-out",
    "-p",
    "panel=all",
    "-p",
    "tile_px=32",
    "--methods",
)
SLOW = (*STUDY, "histogene", "-p", "encoder=colour", "-p", "budget=smoke", "-p", "epochs=40")


@pytest.fixture
def home(disk, prepared, monkeypatch) -> Path:
    """A home on the small disk, with two sections."""
    shutil.copytree(prepared, disk.folder / "home" / "sections")
    monkeypatch.setenv("COMPENDIUM_HOME", str(disk.folder / "home"))
    return disk.folder / "home"


def content(home: Path) -> dict[str, bytes]:
    """Every file of a home but the notes why runs failed."""
    return {
        name: (home / name).read_bytes()
        for name in files_below(home)
        if not name.endswith(".failed")
    }


def records(home: Path) -> list[store.Record]:
    return [store.read(path.parent) for path in sorted((home / "runs").rglob("run.json"))]


@pytest.mark.parametrize("what", ["record", "features", "section"])
def test_a_full_disk_is_one_line_and_leaves_what_was_there(what, commands, disk, home):
    wanted = {
        "record": (*STUDY, "mean", "colour"),
        "features": (*STUDY, "ridge"),
        "section": ("prepare", "her2st", "--tile-px", "64"),
    }[what]
    write_raw(home / "raw" / "her2st")
    assert commands.run(*STUDY, "colour", home=home).status == 0
    before, made = content(home), records(home)
    disk.fill(room=0 if what == "record" else 8192)
    assert is_refused(commands.run(*wanted, home=home, first=disk.first))
    assert content(home) == before
    disk.free()
    assert [record.id for record in records(home)] == [record.id for record in made]
    assert commands.run(*wanted, home=home).status == 0
    assert content(home) != before
    assert not [
        name
        for name in files_below(home)
        if "/." in name or ".partial" in name or ".failed" in name
    ]


def test_a_checkpoint_on_a_full_disk_leaves_the_one_before(commands, disk, home):
    places = "runs/*/*/*/*.partial/checkpoint.pt"
    commands.start(*SLOW, home=home, first=LOGGED).until(lambda: list(home.glob(places))).kill()
    disk.fill()
    (checkpoint,) = home.glob(places)
    before = checkpoint.read_bytes()
    assert is_refused(commands.run(*SLOW, home=home, first=LOGGED + disk.first))
    assert (checkpoint.read_bytes(), list(home.rglob("run.json"))) == (before, [])
    disk.free()
    went_on = commands.start(*SLOW, home=home, first=LOGGED)
    assert went_on.wait().status == 0
    assert went_on.began["section-out-B4"] > 0
    assert len(records(home)) == 2 and not list(home.rglob("*.partial"))


@pytest.fixture
def locked_up(home):
    """Take from a home the permission to write, and give it back."""

    def change(writable: bool) -> None:
        for path in (home, *home.rglob("*")):
            path.chmod(
                (0o755 if path.is_dir() else 0o644)
                if writable
                else (0o555 if path.is_dir() else 0o444)
            )

    yield change
    change(True)


READ = """
from compendium.data.prepare import open_sections
from compendium.evaluation.scores import scores
from compendium.runs import execute, plan_runs
sections = open_sections("her2st", ["B4", "C2"])
runs = plan_runs("her2st", sections, ["section-out"], ["mean", "colour"], panel="all", tile_px=32)
assert len(scores(runs, execute(runs, sections), sections)) == 4 * 30
"""


def test_a_store_that_may_not_be_written_is_read(commands, home, locked_up):
    write_raw(home / "raw" / "her2st")
    done = (*STUDY, "mean", "colour")
    before = commands.run(*done, home=home, first=READ)
    locked_up(False)
    assert commands.run(*done, home=home, first=UNPRIVILEGED + READ).out == before.out
    held = content(home)
    for wanted, where in (((*STUDY, "ridge"), "runs"), (("prepare", "her2st"), "sections")):
        line = commands.run(*wanted, home=home, first=UNPRIVILEGED).line
        assert (
            f"{home / where}" in line
            and "cannot be read or written (Permission denied); check the disk and its permissions"
            in line
        )
    assert content(home) == held


def test_too_little_memory_is_one_line(commands, home):
    bound = "import resource; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
    said = commands.run(*SLOW, "-p", "width=1000000000", home=home, first=bound)
    assert (
        "out of memory; lower batch, width" in said.line
        and said.out.count("failed  histogene") == 2
    )
