"""From raw files to prepared sections, written whole or not at all.

What is refused is refused in one line, with nothing left behind.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from compendium.data import prepare as preparing
from compendium.data import synthetic
from compendium.data.prepare import folder, open_sections, prepare
from compendium.data.readers import slides
from compendium.data.readers.slides import read_slide
from compendium.data.section import Section, load
from conftest import tiny_section
from raw_files import change_cell, change_lines, files_below, raw_path, refusal, write_raw

WHOLE = {"arrays.npz", "patches.npy", "section.json"}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """Raw files of B4 and C2 that no test changes."""
    return write_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture
def raw(pristine: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(pristine, tmp_path / "raw")


def test_sections_are_written_and_opened(pristine, home):
    written = prepare("her2st", ["B4", "C2"], tile_px=64, raw=pristine)
    assert files_below(home) == {
        f"sections/her2st/{name}/{file}" for name in ("B4", "C2") for file in WHOLE
    }
    opened = open_sections("her2st", ["C2", "B4"])
    assert [section.name for section in opened] == ["C2", "B4"]
    assert [section.digest for section in opened] == [
        section.digest for section in reversed(written)
    ]
    assert all(isinstance(section.stored_tiles, np.memmap) for section in written + opened)


def test_raw_files_are_looked_for_where_fetch_puts_them(pristine, home):
    shutil.copytree(pristine, home / "raw" / "her2st")
    assert [section.name for section in prepare("her2st", ["C2"], tile_px=32)] == ["C2"]


@pytest.mark.parametrize("tile_px", [48, 224])
def test_the_tile_size_asked_for_is_stored(pristine, home, tile_px):
    prepare("her2st", ["C2"], tile_px=tile_px, raw=pristine)
    section = load(folder("her2st", "C2"))
    assert section.stored_tiles.shape == (25, tile_px, tile_px, 3)
    x, y = np.floor(section.pixels).astype(int).T
    assert np.array_equal(
        section.stored_tiles[:, tile_px // 2, tile_px // 2],
        read_slide(raw_path(pristine, "C2", "image")).image[y, x],
    )


def test_larger_tiles_than_stored_name_the_command_that_stores_them(pristine, home):
    (section,) = prepare("her2st", ["C2"], tile_px=64, raw=pristine)
    assert "run compendium prepare her2st --tile-px 96" in refusal(lambda: section.tiles(96))
    (section,) = prepare("her2st", ["C2"], tile_px=96, raw=pristine)
    assert section.tiles(96).shape == (25, 96, 96, 3)


def test_preparing_again_replaces_the_section(raw, home):
    (first,) = prepare("her2st", ["C2"], tile_px=32, raw=raw)
    (again,) = prepare("her2st", ["C2"], tile_px=32, raw=raw)
    assert again.digest == first.digest
    change_cell(raw_path(raw, "C2", "counts"), 1, 1, "77")
    (changed,) = prepare("her2st", ["C2"], tile_px=32, raw=raw)
    assert changed.digest != first.digest
    assert changed.counts[0, 0] == 77
    assert files_below(home) == {f"sections/her2st/C2/{file}" for file in WHOLE}


def test_without_its_image_the_new_section_has_no_patches_of_the_old_one(raw, home):
    prepare("her2st", ["C2"], tile_px=32, raw=raw)
    raw_path(raw, "C2", "image").unlink()
    (section,) = prepare("her2st", ["C2"], tile_px=32, raw=raw)
    assert section.stored_tiles is None
    assert files_below(home) == {"sections/her2st/C2/arrays.npz", "sections/her2st/C2/section.json"}


def cut_gzip(raw: Path) -> None:
    path = raw_path(raw, "B4", "counts")
    path.write_bytes(path.read_bytes()[:-200])


def drop(kind: str, line: int) -> Callable[[Path], None]:
    return lambda raw: change_lines(
        raw_path(raw, "B4", kind), lambda lines: lines[:line] + lines[line + 1 :]
    )


def repeat(kind: str, line: int) -> Callable[[Path], None]:
    return lambda raw: change_lines(raw_path(raw, "B4", kind), lambda lines: [*lines, lines[line]])


def cell(kind: str, line: int, column: int, value: str) -> Callable[[Path], None]:
    return lambda raw: change_cell(raw_path(raw, "B4", kind), line, column, value)


def shorten_line(raw: Path) -> None:
    change_lines(
        raw_path(raw, "B4", "counts"),
        lambda lines: [*lines[:9], lines[9].rsplit("\t", 2)[0], *lines[10:]],
    )


def garbage_image(raw: Path) -> None:
    raw_path(raw, "B4", "image").write_bytes(b"\x00\xff not an image\n" * 40)


def half_image(raw: Path) -> None:
    path = raw_path(raw, "B4", "image")
    path.write_bytes(path.read_bytes()[:20_000])


def ragged_spot_table(raw: Path) -> None:
    change_lines(
        raw_path(raw, "B4", "spots"), lambda lines: [*lines, "31\t31\t1\t1\t1\t1\t1\t1\t1"]
    )


def other_section(raw: Path) -> None:
    write_raw(raw / "larger", ("B4",), side=6)
    shutil.copyfile(raw_path(raw / "larger", "B4", "counts"), raw_path(raw, "B4", "counts"))


DAMAGE = {
    "truncated counts": (cut_gzip, ("B4.tsv.gz is truncated or damaged", "fetch it again")),
    "counts line too short": (
        shorten_line,
        ("B4.tsv.gz line 10 has 28 counts for 30 genes", "fetch it again"),
    ),
    "header too short": (
        cell("counts", 0, 1, "TWO\tGENES"),
        ("line 2 has 30 counts for 31 genes",),
    ),
    "no count rows": (
        lambda raw: change_lines(raw_path(raw, "B4", "counts"), lambda lines: lines[:1]),
        ("holds no counts",),
    ),
    "non-integer counts": (
        cell("counts", 3, 4, "2.5"),
        ("line 4 holds '2.5'", "non-negative integers", "raw UMI counts"),
    ),
    "negative counts": (cell("counts", 3, 4, "-2"), ("line 4 holds '-2'", "non-negative integers")),
    "counts without a spot": (
        drop("spots", 3),
        ("1 counted spots have no row", "B4_selection.tsv", "of one section"),
    ),
    "counts of another section": (other_section, ("11 counted spots have no row", "first 7x2")),
    "duplicate spot in the spot table": (
        repeat("spots", 5),
        ("stands 2 times in", "B4_selection.tsv"),
    ),
    "duplicate spot in the counts": (repeat("counts", 2), ("spot 3x2 stands 2 times",)),
    "duplicate gene": (cell("counts", 0, 2, "COX6C"), ("gene COX6C stands 2 times",)),
    "spot outside the image": (
        cell("spots", 3, 4, "1200.0"),
        ("1 spots lie outside the image of 1200 x 1050 px", "(1200, "),
    ),
    "spot left of the image": (
        cell("spots", 3, 4, "-1.0"),
        ("1 spots lie outside the image", "(-1, "),
    ),
    "non-numeric pixel": (cell("spots", 3, 5, "n/k"), ("'n/k' as pixel_y",)),
    "spot table without a column": (cell("spots", 0, 4, "col"), ("lacks the column pixel_x",)),
    "ragged spot table": (ragged_spot_table, ("no tab-separated table", "saw 9")),
    "unreadable image": (garbage_image, ("BT10737_D2_HE.jpg cannot be read", "fetch it again")),
    "truncated image": (half_image, ("BT10737_D2_HE.jpg cannot be read", "fetch it again")),
    "missing counts": (
        lambda raw: raw_path(raw, "B4", "counts").unlink(),
        ("no counts file under", "compendium fetch her2st"),
    ),
    "missing spot table": (
        lambda raw: raw_path(raw, "B4", "spots").unlink(),
        ("no spots file under", "compendium fetch her2st"),
    ),
    "missing folder": (shutil.rmtree, ("no counts file under", "compendium fetch her2st")),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_raw_file_is_refused_in_one_line_and_nothing_is_written(raw, home, what):
    damage, words = DAMAGE[what]
    damage(raw)
    message = refusal(lambda: prepare("her2st", ["B4", "C2"], tile_px=32, raw=raw))
    assert "B4" in message
    assert [word for word in words if word not in message] == []
    assert files_below(home) == set()


def test_a_damaged_file_leaves_the_prepared_section_as_it_was(raw, home):
    (before,) = prepare("her2st", ["B4"], tile_px=32, raw=raw)
    cut_gzip(raw)
    refusal(lambda: prepare("her2st", ["B4"], tile_px=32, raw=raw))
    assert load(folder("her2st", "B4")).digest == before.digest
    assert files_below(home) == {f"sections/her2st/B4/{file}" for file in WHOLE}


def test_a_section_that_fails_does_not_undo_those_before_it(raw, home):
    cut_gzip(raw)
    refusal(lambda: prepare("her2st", ["C2", "B4"], tile_px=32, raw=raw))
    assert files_below(home) == {f"sections/her2st/C2/{file}" for file in WHOLE}


def test_too_large_an_image_is_refused_and_nothing_is_written(raw, home, monkeypatch):
    monkeypatch.setattr(slides, "MAX_PIXELS", 1200 * 1050 - 1)
    message = refusal(lambda: prepare("her2st", ["B4"], tile_px=32, raw=raw))
    assert "1200 x 1050 px" in message
    assert "1,259,999" in message
    assert files_below(home) == set()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interruption_while_writing_leaves_nothing(pristine, home, monkeypatch, error):
    def interrupted(*args, **kwargs):
        raise error("no space left")

    monkeypatch.setattr("compendium.data.section.json.dumps", interrupted)
    with pytest.raises(error):
        prepare("her2st", ["B4"], tile_px=32, raw=pristine)
    assert files_below(home) == set()
    assert list((home / "sections" / "her2st").iterdir()) == []


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda raw: prepare("her2st", ["C2", "B44"], raw=raw),
            ("unknown section of her2st: B44", "B4"),
        ),
        (lambda raw: prepare("her2sd", ["C2"], raw=raw), ("unknown cohort: her2sd", "her2st")),
        (
            lambda raw: prepare("her2st", raw=raw, spots="filtered"),
            ("cohort her2st has one set of spots; leave out --spots",),
        ),
        (
            lambda raw: prepare("her2st", ["C2"], tile_px=8, raw=raw),
            ("--tile-px 8 is out of range", "16 to 1024"),
        ),
        (
            lambda raw: prepare("her2st", ["C2"], tile_px=4096, raw=raw),
            ("--tile-px 4096 is out of range",),
        ),
        (lambda raw: open_sections("her2st", ["Z9"]), ("unknown section of her2st: Z9",)),
        (lambda raw: open_sections("mouse"), ("unknown cohort: mouse",)),
        (
            lambda raw: open_sections("her2st", ["C2"]),
            ("no prepared section in", "compendium prepare her2st --sections C2"),
        ),
    ],
    ids=[
        "section",
        "cohort",
        "set of spots",
        "small tiles",
        "large tiles",
        "section to open",
        "cohort to open",
        "not prepared",
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_read(pristine, home, ask, words):
    message = refusal(lambda: ask(pristine))
    assert [word for word in words if word not in message] == []
    assert files_below(home) == set()


def test_a_damaged_prepared_section_names_its_folder(pristine, home):
    prepare("her2st", ["C2"], tile_px=32, raw=pristine)
    arrays = folder("her2st", "C2") / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-100])
    message = refusal(lambda: open_sections("her2st", ["C2"]))
    assert str(folder("her2st", "C2")) in message
    assert "prepare it again" in message


def small(name: str, px: int) -> Section:
    """A section that states today's generator, and is made quickly."""
    return replace(tiny_section(name, px=32), sources=dict(synthetic.SOURCES))


@pytest.fixture
def made(home, monkeypatch) -> list[tuple[str, int]]:
    """The (name, px) of every demo section that is generated in a test."""
    asked = []
    monkeypatch.setattr(
        synthetic, "make", lambda name, px: asked.append((name, px)) or small(name, px)
    )
    return asked


def test_the_demo_cohort_is_made_on_first_use_and_then_only_opened(made):
    first = open_sections("demo", ["P1a", "P2a"])
    again = open_sections("demo", ["P1b", "P2a"])
    assert [section.name for section in first + again] == ["P1a", "P2a", "P1b", "P2a"]
    assert made == [(name, preparing.TILE_PX) for name in ("P1a", "P2a", "P1b")]
    assert first[1].digest == again[1].digest


def test_demo_sections_of_another_version_of_the_generator_are_made_again(made, monkeypatch):
    old = open_sections("demo", ["P1a", "P1b"])
    made.clear()
    monkeypatch.setattr(synthetic, "SOURCES", {"synthetic": "seed 20240, version next"})
    new = open_sections("demo", ["P1a"])
    assert made == [("P1a", preparing.TILE_PX)]
    assert new[0].sources == {"synthetic": "seed 20240, version next"}
    assert new[0].digest != old[0].digest
    assert open_sections("demo", ["P1a"])[0].digest == new[0].digest
    assert len(made) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_demo_section_whose_facts_are_damaged_is_made_again(made, text):
    open_sections("demo", ["P1a"])
    (folder("demo", "P1a") / "section.json").write_text(text)
    assert open_sections("demo", ["P1a"])[0].name == "P1a"
    assert len(made) == 2


def test_the_generator_states_what_it_is_compared_with():
    assert synthetic.SOURCES == synthetic.make("P1a", 16).sources


def open_two(home: str, made: str, gate) -> None:
    """What one of two processes does: wait for the other, then open two sections.

    It notes on disk which it generates.
    """

    def make(name: str, px: int) -> Section:
        with Path(made).open("a") as lines:
            lines.write(f"{name}\n")
        time.sleep(0.3)
        return small(name, px)

    os.environ["COMPENDIUM_HOME"] = home
    synthetic.make = make
    gate.wait(60)
    assert [section.name for section in open_sections("demo", ["P1a", "P1b"])] == ["P1a", "P1b"]


@pytest.mark.slow
def test_two_processes_generate_each_section_once(home, tmp_path):
    context = get_context("spawn")
    gate = context.Barrier(2)
    both = [
        context.Process(target=open_two, args=(str(home), str(tmp_path / "made"), gate))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "made").read_text().split() == ["P1a", "P1b"]
    assert (
        json.loads((folder("demo", "P1b") / "section.json").read_text())["sources"]
        == synthetic.SOURCES
    )
    assert files_below(home) == {
        "sections/demo/.lock",
        *(f"sections/demo/{name}/{file}" for name in ("P1a", "P1b") for file in WHOLE),
    }


def test_measured_cohorts_are_never_generated(home):
    preparing.generate("her2st")
    assert files_below(home) == set()
