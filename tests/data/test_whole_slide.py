"""The benchmark of whole slides, on tiny ones.

Every step of it, from Space Ranger's files in both forms to a step of training.
"""

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from compendium.data.prepare import open_sections

pytestmark = pytest.mark.slow

BENCHMARK = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "benchmarks" / "whole_slide.py")
)
TINY = BENCHMARK["Size"](rows=6, columns=10, px=700, genes=40, budget="smoke")


@pytest.fixture
def said(monkeypatch, capsys, home) -> list[str]:
    """What it prints of two controls and the two methods that it trains; run here, quickly."""
    main = BENCHMARK["main"]
    assert set(BENCHMARK["LIMITS"]) == {
        BENCHMARK[word].__name__ for word in ("prepared", "trained")
    }
    monkeypatch.setitem(
        main.__globals__, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1)
    )
    monkeypatch.setitem(
        main.__globals__, "measured", lambda work, arguments, home: (1.0, 2.0, work(*arguments))
    )
    assert main(["mean", "ridge", "histogene", "hist2st"], TINY) == [], "nothing passes a limit"
    return capsys.readouterr().out.splitlines()


def test_a_line_for_every_step(said):
    assert [line[:56].split("  ")[0] for line in said[1:]] == [
        "prepare S1, tissue_positions.csv",
        "prepare S2, tissue_positions_list.csv",
        "step and predict: histogene, activation checkpointing",
        "step and predict: hist2st, activation checkpointing",
        "features",
        "predict: mean",
        "predict: ridge",
        "predict: histogene",
        "predict: hist2st",
    ]
    assert all(line.endswith("30 spots, 40 genes") for line in said[3:5] + said[6:])
    one, other = open_sections("whole-slides")
    assert np.array_equal(one.stored_tiles, other.stored_tiles) and np.array_equal(
        one.pixels, other.pixels
    ), "both forms of positions are one slide"


@pytest.mark.parametrize(
    ("work", "seconds", "gigabytes", "said"),
    [
        ("prepared", 180.0, 4.0, []),
        ("prepared", 180.2, 4.1, ["it: 180.2 s, limit 180 s", "it: 4.1 GB, limit 4 GB"]),
        ("trained", 9e9, 20.0, []),
        ("trained", 1.0, 20.5, ["it: 20.5 GB, limit 20 GB"]),
        ("predicted", 9e9, 99.0, []),
    ],
)
def test_a_limit_that_is_passed_is_named(work, seconds, gigabytes, said):
    assert BENCHMARK["passed"]("it", BENCHMARK[work], seconds, gigabytes) == said


def test_a_limit_that_is_passed_ends_in_an_error(monkeypatch, home):
    main = BENCHMARK["main"]
    monkeypatch.setitem(
        main.__globals__, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1)
    )
    monkeypatch.setitem(
        main.__globals__, "measured", lambda work, arguments, home: (200.0, 21.0, "nothing")
    )
    assert [line.rpartition(":")[0] for line in main(["hist2st"], TINY)] == [
        *["prepare S1, tissue_positions.csv"] * 2,
        *["prepare S2, tissue_positions_list.csv"] * 2,
        "step and predict: hist2st, activation checkpointing",
    ]


def test_the_slide_of_full_size_is_that_of_the_vendor():
    table = BENCHMARK["positions"](BENCHMARK["Size"]())
    assert len(table) == 4992 == table["barcode"].nunique()
    assert table[["pxl_row_in_fullres", "pxl_col_in_fullres"]].to_numpy().min() > 112
    assert table[["pxl_row_in_fullres", "pxl_col_in_fullres"]].to_numpy().max() < 20_000 - 112
