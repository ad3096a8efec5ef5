"""Figures of chapter 6, and of scores within classes: what is drawn is what the tables hold."""

import numpy as np
import pandas as pd
import pytest

from compendium.book.notebook.show import check_bundle, compact
from compendium.chapters.regclass import figures
from compendium.plots.slides import CLASS_COLOURS
from compendium.plots.within_class import within_class


def swept() -> pd.DataFrame:
    rows = [
        {
            "section": section,
            "split": split,
            "gamma": gamma,
            "pcc": 0.1 + i / 100,
            "f1": np.nan if np.isnan(gamma) else 0.3 + i / 10,
            "majority_f1": 0.25,
        }
        for section, split in (("S1", "section-out"), ("S2", "section-out"), ("S1", "patient-out"))
        for i, gamma in enumerate((np.nan, 0.0, 10.0))
    ]
    return pd.DataFrame(rows)


def test_references_stand_left_of_the_sweep():
    fig = figures.gamma_sweep(swept())
    check_bundle(compact(fig.to_dict()), "sweep")
    assert len(fig.data) == 2 * 3
    assert list(fig.data[0].x) == ["reference", "0", "10"]
    assert list(fig.data[0].y) == pytest.approx([0.10, 0.11, 0.12])
    assert list(fig.data[1].y) == pytest.approx([0.25, 0.4, 0.5])
    assert {trace.name: trace.line.dash for trace in fig.data if trace.showlegend} == {
        "S1, section-out": "solid",
        "S2, section-out": "solid",
        "S1, patient-out": "dash",
    }
    colours = {trace.name: trace.line.color for trace in fig.data}
    assert colours["S1, section-out"] == colours["S1, patient-out"] != colours["S2, section-out"]


def test_a_panel_a_test_and_a_legend_entry_a_class():
    curves = pd.DataFrame(
        [
            {
                "section": section,
                "split": "ood",
                "class": name,
                "false_positive": x,
                "true_positive": x**0.5,
            }
            for section in ("S1", "S2", "S3")
            for name in ("adipose tissue", "stroma", "cancer")
            for x in (0.0, 0.5, 1.0)
            if (section, name) != ("S2", "stroma")
        ]
    )
    fig = figures.roc_curves(curves)
    check_bundle(compact(fig.to_dict()), "roc")
    titles = sorted(fig.layout.annotations, key=lambda note: (-note.y, note.x))
    assert [note.text for note in titles] == ["S1, ood", "S2, ood", "S3, ood"]
    assert [trace.name for trace in fig.data if trace.showlegend is not False] == [
        "adipose tissue",
        "stroma",
        "cancer",
    ]
    assert sum(trace.name == "stroma" for trace in fig.data) == 2
    colours = figures.class_colours(["adipose tissue", "stroma"])
    assert (
        colours["adipose tissue"] == CLASS_COLOURS["adipose tissue"]
        and len(set(colours.values())) == 2
    )


def test_confusion_is_a_share_of_each_row_and_an_empty_row_has_none():
    counts = {("red", "red"): 3, ("red", "pale"): 1, ("pale", "red"): 0, ("pale", "pale"): 0}
    cells = pd.DataFrame(
        [
            {"section": "S1", "split": "ood", "class": label, "answer": answer, "spots": n}
            for (label, answer), n in counts.items()
        ]
    )
    (panel,) = figures.confusions(cells).data
    assert (list(panel.x), list(panel.y)) == (["pale", "red"], ["red", "pale"])
    np.testing.assert_allclose(panel.z, [[0.25, 0.75], [np.nan, np.nan]])
    assert [list(line) for line in panel.text] == [["1", "3"], ["", ""]]


def test_within_classes_stands_beside_the_control_of_each_split():
    rows = pd.DataFrame(
        [
            {
                "title": title,
                "split": split,
                "section": section,
                "pcc": pcc,
                "within": pcc / 2,
                "control": 0.3 if split == "section-out" else 0.1,
            }
            for title, pcc in (("Mean", np.nan), ("Ridge", 0.4), ("Colour", 0.2))
            for split in ("section-out", "patient-out")
            for section in ("S1", "S2")
        ]
    )
    fig = within_class(rows)
    check_bundle(compact(fig.to_dict()), "within")
    means = {
        (trace.name, trace.xaxis): dict(zip(trace.x, trace.y, strict=True))
        for trace in fig.data
        if trace.marker.symbol == "diamond"
    }
    assert means["all labelled spots", "x"] == pytest.approx({"Ridge": 0.4, "Colour": 0.2})
    assert means["within classes", "x2"] == pytest.approx({"Ridge": 0.2, "Colour": 0.1})
    assert [set(trace.y) for trace in fig.data if trace.mode == "lines"] == [{0.3}, {0.1}]
    assert [
        trace.name for trace in fig.data if trace.showlegend is not False and trace.showlegend
    ] == ["all labelled spots", "within classes", "class means (control)"]
