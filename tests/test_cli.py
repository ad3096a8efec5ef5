"""The command line: bad input is one line and exit status 2, and nothing is half-written."""

import shutil
import subprocess
import sys

import pytest

from compendium.__main__ import main
from compendium.data.prepare import folder, open_sections
from raw_files import change_cell, change_lines, files_below, raw_path, write_raw


def said(capsys, *arguments: str) -> str:
    """The one line that a refused command prints."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line and "%|" not in line]
    assert out == ""
    assert len(lines) == 1, err
    assert lines[0].startswith("compendium: ")
    return lines[0]


@pytest.fixture
def raw(home):
    """A made-up raw HER2+ folder in its place under home."""
    return write_raw(home / "raw" / "her2st")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def garble(path):
    path.write_bytes(b"no image at all")


# what is broken, in which file, what the line must say
BROKEN = {
    "truncated counts": ("counts", truncate, "truncated or damaged"),
    "a line with too few counts": (
        "counts",
        lambda p: change_lines(p, lambda rows: [*rows[:3], rows[3].rsplit("\t", 4)[0], *rows[4:]]),
        "has 26 counts for 30 genes",
    ),
    "non-integer counts": ("counts", lambda p: change_cell(p, 2, 3, "1.5"), "holds '1.5'"),
    "negative counts": ("counts", lambda p: change_cell(p, 2, 3, "-4"), "holds '-4'"),
    "counts without spots": (
        "spots",
        lambda p: change_lines(p, lambda rows: rows[:-3]),
        "have no row",
    ),
    "duplicate spots": (
        "spots",
        lambda p: change_lines(p, lambda rows: [*rows, rows[2]]),
        "stands 2 times",
    ),
    "spot outside the image": (
        "spots",
        lambda p: change_cell(p, 2, 4, "99999"),
        "outside the image of 1200 x 1050 px",
    ),
    "unreadable image": ("image", garble, "cannot be read"),
    "duplicate genes": ("counts", lambda p: change_cell(p, 0, 5, "COX6C"), "COX6C stands 2 times"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_raw_files(what, raw, home, capsys):
    kind, damage, says = BROKEN[what]
    damage(raw_path(raw, "B4", kind))
    line = said(capsys, "prepare", "her2st", "--sections", "B4")
    assert says in line
    assert "B4" in line
    assert files_below(home / "sections") == set()


def test_an_earlier_preparation_survives_a_refused_one(raw, home, capsys):
    assert main(["prepare", "her2st", "--sections", "B4", "--tile-px", "64"]) == 0
    before = files_below(home / "sections")
    truncate(raw_path(raw, "B4", "counts"))
    capsys.readouterr()
    said(capsys, "prepare", "her2st", "--sections", "B4")
    assert files_below(home / "sections") == before
    assert len(open_sections("her2st", ["B4"])[0]) == 25


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("prepare", "her2"), "unknown cohort: her2; did you mean her2st"),
        (("prepare", "her2st", "--sections", "B9"), "unknown section"),
        (("prepare", "her2st", "--sections", "B4"), "no counts file under"),
        (("prepare", "her2st", "--tile-px", "big"), "invalid int value: 'big'"),
        (("prepare", "her2st", "--tile-px", "4"), "give 16 to 1024"),
        (("prepare", "wu"), "is nothing; run compendium fetch wu"),
        (("fetch", "her2st", "--from", "/no/such/folder"), "/no/such/folder"),
        (("fetch", "her2st", "--from", "s3://bucket/her2st"), "starts with http:// or https://"),
        (("fetch", "her2st", "--sections", "C9"), "unknown section of her2st: C9"),
        (("fetch", "demo"), "generated"),
        (("frobnicate",), "invalid choice"),
        ((), "the following arguments are required"),
        (
            ("chapter", "no-such-chapter"),
            "unknown chapter no-such-chapter (known: walkthrough, data-review, ",
        ),
        (("chapter", "id-loocv", "--profile", "dream"), "unknown profile dream"),
        (("chapter", "id-loocv", "-p", "method=[ridge]"), "method"),
        (("chapter", "id-loocv", "-p", "methods=ridge"), "parameter methods must be list[str]"),
        (("chapter", "id-loocv", "-p", "seed=first"), "parameter seed must be int"),
        (("chapter", "id-loocv", "-p", "seed"), "KEY=VALUE"),
        (("table", "method"), "unknown table 'method'; known: methods, inputs"),
        (("book", "--profile", "dream"), "unknown profile dream"),
        (("study", "demo"), "the following arguments are required: --methods"),
        (("study", "her2", "--methods", "mean"), "unknown cohort: her2; did you mean her2st"),
        (("study", "demo", "--methods", "rigde"), "unknown method 'rigde'; did you mean ridge"),
        (
            ("study", "demo", "--methods", "mean", "--splits", "random"),
            "unknown split 'random'; known: section-out",
        ),
        (("study", "demo", "--methods", "mean", "--sections", "Z9"), "unknown section of demo: Z9"),
        (
            ("study", "demo", "--methods", "mean", "-p", "epochs"),
            "-p epochs is not of the form KEY=VALUE",
        ),
        (
            ("study", "demo", "--methods", "mean", "-p", "epochs=many"),
            "method mean: epochs is 'many' but must be a valid integer",
        ),
        (("study", "demo", "--methods", "mean", "-p", "epochs=["), "-p: a value is not YAML"),
        (
            ("study", "demo", "--methods", "mean", "-p", "seed=1"),
            "-p seed is no parameter of a single run here; give --methods, --splits, --sections or",
        ),
        (("study", "demo", "--methods", "mean", "--seeds", "first"), "invalid int value: 'first'"),
        (
            ("study", "demo", "--methods", "mean", "--device", "tpu"),
            "unknown device 'tpu'; known: auto, cpu, cuda, mps",
        ),
        (
            ("study", "demo", "--methods", "mean", "--slurm", "timeout_min"),
            "--slurm timeout_min is not of the form KEY=VALUE",
        ),
        (
            ("study", "her2st", "--methods", "mean"),
            "no section of her2st is prepared: run compendium prepare her2st first",
        ),
        (
            ("study", "wu+tenx", "--methods", "mean"),
            "no section of wu+tenx is prepared: run compendium prepare wu and compendium prepare",
        ),
        (
            ("fetch", "wu+tenx"),
            "wu+tenx names 2 cohorts; fetch and prepare them one by one: wu, tenx",
        ),
        (
            ("study", "her2st", "--methods", "mean", "--sections", "B4", "C2"),
            "run compendium prepare her2st --sections B4",
        ),
    ],
)
def test_what_a_person_mistypes(arguments, says, home, capsys):
    assert says in said(capsys, *arguments)
    assert files_below(home) == set()


def test_a_wrong_byte_names_both_ids_and_copies_nothing(catalogued, home, tmp_path, capsys):
    source = catalogued / "data/ST-spotfiles/C2_selection.tsv"
    wrong = tmp_path / "from" / "data" / "ST-spotfiles" / source.name
    wrong.parent.mkdir(parents=True)
    shutil.copyfile(source, wrong)
    wrong.chmod(0o644)
    wrong.write_bytes(wrong.read_bytes()[:-1] + b"9")
    line = said(capsys, "fetch", "her2st", "--from", str(tmp_path / "from"))
    assert "expected git blob" in line
    assert "found" in line
    assert files_below(home) == set()


def test_fetch_and_prepare_a_real_section(her2st, home, capsys):
    assert main(["fetch", "her2st", "--from", str(her2st), "--sections", "C2"]) == 0
    assert "verified" in capsys.readouterr().out
    assert main(["prepare", "her2st", "--sections", "C2"]) == 0
    assert (
        "<Section her2st/C2: patient C, 187 spots, 15706 genes, 224 px tiles>"
        in capsys.readouterr().out
    )
    assert (folder("her2st", "C2") / "patches.npy").exists()


def test_a_disk_that_refuses_is_one_line(home, capsys, monkeypatch):
    def refuse(*arguments, **arrays):
        raise OSError(28, "No space left on device", "arrays.npz")

    monkeypatch.setattr("numpy.savez", refuse)
    assert "arrays.npz cannot be read or written (No space left on device)" in said(
        capsys, "prepare", "demo", "--sections", "P1a"
    )
    assert not {path for path in files_below(home) if "P1a" in path}


def test_a_reader_who_has_had_enough_is_no_error():
    shown = subprocess.run(
        f"{sys.executable} -m compendium --help | head -c 5",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (shown.stdout, shown.stderr) == ("usage", "")


def test_the_exit_status_reaches_the_shell():
    done = subprocess.run(
        [sys.executable, "-m", "compendium", "prepare", "nothing"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_table_is_printed_where_python_removes_docstrings():
    command = [sys.executable, "-OO", "-m", "compendium", "table", "methods"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert printed.returncode == 0, printed.stderr
    assert "Ridge on frozen features" in printed.stdout
