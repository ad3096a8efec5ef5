"""The benchmark of whole slides, on tiny ones: every step of it, from Space Ranger's files in both forms to a step of training."""

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from compendium.data.prepare import open_sections

BENCHMARK = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "whole_slide.py"))
TINY = BENCHMARK["Size"](rows=6, columns=10, px=700, genes=40, budget="smoke")


@pytest.fixture
def said(monkeypatch, capsys, home) -> list[str]:
    """What it prints of two controls and the two methods that it trains; run here, quickly."""
    main = BENCHMARK["main"]
    monkeypatch.setitem(main.__globals__, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    monkeypatch.setitem(main.__globals__, "measured", lambda work, arguments, home: (1.0, 2.0, work(*arguments)))
    main(["mean", "ridge", "histogene", "hist2st"], TINY)
    return capsys.readouterr().out.splitlines()


def test_a_line_for_every_step(said):
    assert [line[:56].split("  ")[0] for line in said[1:]] == [
        "prepare S1, tissue_positions.csv", "prepare S2, tissue_positions_list.csv", "step and predict: histogene, recomputed",
        "step and predict: hist2st, recomputed", "features", "predict: mean", "predict: ridge", "predict: histogene", "predict: hist2st",
    ]  # fmt: skip
    assert all(line.endswith("30 spots, 40 genes") for line in said[3:5] + said[6:])
    one, other = open_sections("whole-slides")
    assert np.array_equal(one.patches, other.patches) and np.array_equal(one.pixels, other.pixels), "both forms of positions are one slide"


def test_the_slide_of_full_size_is_that_of_the_vendor():
    table = BENCHMARK["positions"](BENCHMARK["Size"]())
    assert len(table) == 4992 == table["barcode"].nunique()
    assert table[["pxl_row_in_fullres", "pxl_col_in_fullres"]].to_numpy().min() > 112
    assert table[["pxl_row_in_fullres", "pxl_col_in_fullres"]].to_numpy().max() < 20_000 - 112
