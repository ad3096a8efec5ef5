"""`compendium study` from the shell: what it prints, where, and its exit status."""

import signal
from pathlib import Path

import pytest

from forked import LOGGED

pytestmark = pytest.mark.slow

DEMO = ("study", "demo", "--sections", "P1a", "P2a", "--splits", "section-out")


@pytest.fixture(scope="module")
def generated(commands, tmp_path_factory) -> Path:
    """Two sections of the demo cohort."""
    home = tmp_path_factory.mktemp("demo")
    assert commands.run("prepare", "demo", "--sections", "P1a", "P2a", home=home).status == 0
    return home / "sections"


@pytest.fixture
def demo(home, generated) -> Path:
    """A home with two sections of the demo cohort."""
    home.mkdir()
    (home / "sections").symlink_to(generated)
    return home


def words(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()]


def test_a_study_from_the_command_line(commands, demo):
    wanted = (*DEMO, "--methods", "mean", "colour", "-p", "panel=hvg(20)")
    shown = commands.run(*wanted, "--show", home=demo)
    assert (shown.status, words(shown.out), shown.err, (demo / "runs").exists()) == (
        0,
        ["waiting"] * 4,
        "",
        False,
    )
    said = commands.run(*wanted, home=demo)
    assert (said.status, words(said.out)) == (0, ["done"] * 4)
    assert said.err.startswith("4 runs: 0 stored, 4 to do; about ") and said.err.endswith(
        "4 done\n"
    )
    again = commands.run(*wanted, "--methods", "mean", "colour", "mean", home=demo)
    assert (again.status, again.out, again.err) == (
        0,
        said.out,
        "4 runs: 4 stored, 0 to do\n4 done\n",
    )
    assert (
        "2 runs: 0 stored, 2 to do"
        in commands.run(*wanted, "--methods", "mean", "--seeds", "7", home=demo).err
    )


def test_a_failing_run_from_the_command_line(commands, demo):
    said = commands.run(
        *DEMO,
        "--methods",
        "mean",
        "histogene",
        "-p",
        "panel=hvg(20)",
        "-p",
        "encoder=colour",
        "-p",
        "budget=smoke",
        "-p",
        "epochs=30",
        "-p",
        "lr=1e30",
        home=demo,
    )
    assert (
        "2 of 4 runs failed, the others are stored; first histogene section-out-P1a: " in said.line
    )
    assert sorted(words(said.out)) == ["done", "done", "failed", "failed"]
    assert said.out.count("lower lr (now 1e+30)") == 2


def test_an_interrupted_study_from_the_command_line(commands, demo):
    child = commands.start(
        *DEMO,
        "--methods",
        "histogene",
        "-p",
        "panel=hvg(20)",
        "-p",
        "encoder=colour",
        "-p",
        "budget=smoke",
        "-p",
        "epochs=100000",
        home=demo,
        first=LOGGED,
    )
    said = child.until(lambda: list(demo.glob("runs/*/*/*/*.partial/checkpoint.pt"))).kill(
        signal.SIGINT
    )
    assert (said.status, words(said.out)) == (130, ["interrupted", "waiting"])
    assert said.err.endswith(
        "compendium: interrupted; what was finished is kept, run the same command to continue\n"
    )


@pytest.mark.parametrize(
    ("mistyped", "says"),
    [
        (("--methods", "rigde"), "unknown method 'rigde'; did you mean ridge"),
        (("--methods", "mean", "--splits", "random"), "unknown split 'random'; known: section-out"),
        (("--methods", "mean", "--sections", "P9z"), "unknown section of demo: P9z"),
        (("--methods", "mean", "--sections", "P1a"), "leaves no section to train on; add sections"),
        (
            ("--methods", "mean", "--executor", "pbs"),
            "unknown executor 'pbs'; known: serial, local, dask, slurm",
        ),
        (
            ("--methods", "mean", "--workers", "2"),
            "--workers goes with executor local or slurm, not with serial",
        ),
        (
            ("--methods", "mean", "--address", "tcp://127.0.0.1:1"),
            "--address goes with executor dask, not with serial",
        ),
        (
            ("--methods", "mean", "--device", "tpu"),
            "unknown device 'tpu'; known: auto, cpu, cuda, mps",
        ),
        (
            ("--methods", "mean", "-p", "epochs=many"),
            "method mean: epochs is 'many' but must be a valid integer",
        ),
        (("--methods", "mean", "-p", "epoch=3"), "did you mean epochs"),
        (("--methods", "mean", "-p", "panel=5"), "panel is 5 but must be a valid string"),
    ],
)
def test_what_a_person_mistypes(mistyped, says, commands, demo):
    said = commands.run(*DEMO, *mistyped, home=demo)
    assert says in said.line
    assert (said.out, (demo / "runs").exists()) == ("", False)
