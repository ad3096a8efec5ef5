"""Dots of sections on lines of rows: their order, colours, band, and the figures made of them."""

import numpy as np
import pandas as pd

from compendium.book.notebook.show import check_bundle
from compendium.plots.dots import differences, dots, paired

FOUND = pd.DataFrame(
    {
        "line": ["b", "a", "b"],
        "of": ["test", "validation", "validation"],
        "section": ["S1", "S2", "S3"],
        "far": [1.0, 2.0, 3.0],
        "difference": [0.1, -0.1, 0.2],
    }
)
COLOURS = {"validation": "#111111", "test": "#222222", "training": "#333333"}


def test_a_dot_stands_on_its_line_in_its_colour():
    fig = dots(FOUND, "far", ["a", "b", "c"], COLOURS, {"title": "far"}, digits=1)
    assert [
        (trace.name, list(trace.x), list(trace.y), trace.marker.color) for trace in fig.data
    ] == [
        ("test", [1.0], ["b"], "#222222"),
        ("validation", [2.0, 3.0], ["a", "b"], "#111111"),
    ]
    assert list(fig.layout.yaxis.categoryarray) == [
        "b",
        "a",
    ]  # the first on top, without the line that has no dot
    assert fig.layout.xaxis.title.text == "far" and ".1f" in fig.data[0].hovertemplate
    check_bundle(fig.to_dict(), "dots")


def test_differences_have_a_line_at_none_and_a_band_where_there_is_one():
    bare, banded = (
        differences(FOUND, ["a", "b"], COLOURS),
        differences(FOUND, ["a", "b"], COLOURS, bar=0.05),
    )
    assert [shape.type for shape in bare.layout.shapes] == ["line"]
    (band,) = [shape for shape in banded.layout.shapes if shape.type == "rect"]
    assert (band.x0, band.x1) == (-0.05, 0.05)
    assert len(differences(FOUND, ["a", "b"], COLOURS, bar=np.nan).layout.shapes) == 1


def test_paired_differences_are_coloured_by_patient():
    found = pd.DataFrame(
        {
            "comparison": ["one: a", "one: a", "two"],
            "patient": ["Q", "P", "P"],
            "section": ["Q1", "P1", "P2"],
            "difference": [0.1, 0.2, 0.3],
        }
    )
    fig = paired(found)
    assert [(trace.name, list(trace.hovertext)) for trace in fig.data] == [
        ("patient P", ["P1", "P2"]),
        ("patient Q", ["Q1"]),
    ]
    assert list(fig.layout.yaxis.categoryarray) == ["two", "one:<br>a"]
