"""What a store goes through: kill -9 at any moment, and bytes that change."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from compendium.runs import store
from forked import KILLED_AFTER, KILLED_AT, LOGGED

pytestmark = pytest.mark.slow

SEED, ROUNDS, KILLS = 20, 4, 4  # in each round the study is killed that often
EPOCHS = 60
PARAMETERS = tuple(
    f"-p={word}"
    for word in ("panel=all", "encoder=colour", "tile_px=32", "budget=smoke", f"epochs={EPOCHS}")
)
STUDY = (
    "study",
    "her2st",
    "--methods",
    "mean",
    "ridge",
    "histogene",
    "--splits",
    "section-out",
    *PARAMETERS,
)


@pytest.fixture
def home(tmp_path, prepared) -> Path:
    """A home with the two sections and nothing else."""
    return new_home(tmp_path / "home", prepared)


@pytest.fixture(scope="module")
def undisturbed(commands, prepared, tmp_path_factory) -> Path:
    """The home of a study that nothing happened to."""
    home = new_home(tmp_path_factory.mktemp("undisturbed") / "home", prepared)
    assert commands.run(*STUDY, home=home, first=LOGGED).status == 0
    return home


def new_home(home: Path, prepared: Path) -> Path:
    shutil.copytree(prepared, home / "sections")
    return home


def records(home: Path) -> dict[str, store.Record]:
    """Every record of a store, read and verified; an error where one is not whole."""
    folders = [path.parent for path in sorted((home / "runs").glob("*/*/*/[!.]*/run.json"))]
    return {str(folder.relative_to(home)): store.read(folder) for folder in folders}


def everything(home: Path) -> set[str]:
    """Every file and folder, hidden ones too."""
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def assert_same(home: Path, undisturbed: Path) -> None:
    """The same runs with the same numbers, bit for bit, and nothing else."""
    one, two = records(home), records(undisturbed)
    assert one.keys() == two.keys()
    for name, record in one.items():
        assert record.facts["curve"] == two[name].facts["curve"]
        assert all(
            np.array_equal(values, two[name].predictions[section])
            for section, values in record.predictions.items()
        )
    assert everything(home) == everything(undisturbed)


def test_a_study_that_is_killed_at_any_moment_ends_with_the_same_numbers(
    commands, prepared, undisturbed, tmp_path
):
    whole = new_home(tmp_path / "whole", prepared)
    lasts, starts = (
        commands.run(*STUDY, home=whole, first=LOGGED).seconds for _ in range(2)
    )  # the second time nothing is left to do
    rng = np.random.default_rng(SEED)
    kills = resumed = 0
    for each in range(ROUNDS):
        home, moments = new_home(tmp_path / str(each), prepared), np.sort(rng.random(KILLS))
        print(
            f"seed {SEED}, round {each}: killed at"
            f" {', '.join(f'{moment:.0%}' for moment in moments)} of a study of {lasts:.2f} s"
        )
        for wait in starts + (lasts - starts) * np.diff(moments, prepend=0.0):
            child = commands.start(*STUDY, home=home, first=LOGGED + KILLED_AFTER.format(wait))
            kills += child.wait().status == -signal.SIGPROF
            resumed += sum(epoch > 0 for epoch in child.began.values())
            records(home)
        last = commands.start(*STUDY, home=home, first=LOGGED)
        assert last.wait().status == 0
        resumed += sum(epoch > 0 for epoch in last.began.values())
        assert_same(home, undisturbed)
    print(f"{kills} kills, {resumed} runs went on from a checkpoint")
    assert kills >= ROUNDS * KILLS / 2
    assert resumed >= ROUNDS


def test_a_run_that_is_killed_at_any_touch_of_the_disk_is_made_anew(commands, home):
    mean = ("study", "her2st", "--methods", "mean", "--splits", "section-out", "-p", "panel=all")
    assert commands.run(*mean, home=home).status == 0
    (first, made), *_ = records(home).items()
    whole, touches = everything(home), 0
    while True:
        touches += 1
        (home / first / "predictions.npz").write_bytes(b"damaged")
        if commands.run(*mean, home=home, first=KILLED_AT.format(touches)).status == 0:
            break
        assert commands.run(*mean, home=home).status == 0
        assert everything(home) == whole
        assert np.array_equal(records(home)[first].predictions["B4"], made.predictions["B4"])
    assert touches > 15


def flip(path: Path, at: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def change_a_digit(record: Path) -> None:
    facts = json.loads((record / "run.json").read_text())
    (record / "run.json").write_text(
        json.dumps(facts | {"training_spots": facts["training_spots"] + 1})
    )


DAMAGE = {
    "predictions cut off": lambda record: os.truncate(record / "predictions.npz", 700),
    "a bit of the predictions": lambda record: flip(record / "predictions.npz", 900, 3),
    "facts cut off": lambda record: os.truncate(record / "run.json", 700),
    "a bit of the facts": lambda record: flip(record / "run.json", 30, 4),
    "a digit of the facts": change_a_digit,
    "an empty folder": lambda record: [path.unlink() for path in record.iterdir()],
}


def test_a_damaged_record_is_reported_and_made_again(commands, undisturbed, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(undisturbed, home)
    for damage, record in zip(DAMAGE.values(), records(home), strict=True):
        damage(home / record)
    shown = commands.run(*STUDY, "--show", home=home).out.splitlines()
    assert [line.split()[0] for line in shown] == ["damaged"] * len(DAMAGE)
    said = commands.run(*STUDY, home=home)
    assert said.status == 0
    assert said.err.count("is damaged") == len(DAMAGE) and "0 stored, 6 to do" in said.err
    assert_same(home, undisturbed)


def test_any_changed_bit_of_a_record_is_found(undisturbed, tmp_path):
    shutil.copytree(
        undisturbed / next(name for name in records(undisturbed) if "mean" in name),
        tmp_path / "record",
    )
    rng = np.random.default_rng(SEED)
    for path, step in (
        (tmp_path / "record" / "run.json", 3),
        (tmp_path / "record" / "predictions.npz", 50),
    ):
        good = path.read_bytes()
        for at in range(0, len(good), step):
            flip(path, at, int(rng.integers(8)))
            with pytest.raises(store.Damaged):
                store.read(tmp_path / "record")
            path.write_bytes(good)
    assert store.read(tmp_path / "record")
