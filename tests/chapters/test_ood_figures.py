"""Figures of chapter 3: what is drawn is what the tables say."""

import json

import numpy as np
import pandas as pd

from compendium.book.notebook.show import check_bundle, compact
from compendium.chapters.ood import figures as ood_figures
from compendium.chapters.ood.authors import authors_scores
from compendium.chapters.transforms import figures as transform_figures
from compendium.chapters.transforms.results import COMMON, OWN
from compendium.data.partition import ROLES
from compendium.evaluation import describe as review
from compendium.plots import scores as score_figures
from compendium.plots import slides as review_figures
from conftest import tiny_section

TITLES = {"colour": "Six colour numbers", "ridge": "Ridge"}


def publishable(fig, name: str = "it"):
    bundle = compact(fig.to_dict())
    check_bundle(bundle, name)
    assert json.dumps(bundle, allow_nan=False) and bundle["data"]
    return fig


def quartiles(**columns) -> pd.DataFrame:
    return pd.DataFrame(
        [columns | {"low": -0.1, "q25": 0.0, "median": 0.1, "q75": 0.2, "high": 0.3, "values": 5}]
    )


def test_validation_stands_before_test_in_its_own_colour():
    boxes = pd.concat(
        [
            quartiles(method=method, role=role)
            for method in TITLES
            for role in ("test", "validation")
        ],
        ignore_index=True,
    )
    fig = publishable(ood_figures.in_and_out(boxes, list(TITLES), TITLES))
    assert [trace.name for trace in fig.data] == ["validation", "test"]
    assert [trace.marker.color for trace in fig.data] == [
        ood_figures.ROLE_COLOUR[role] for role in ("validation", "test")
    ]
    assert list(fig.data[0].x) == list(TITLES.values())


def test_curves_of_a_role_share_its_colour_and_one_legend_entry():
    density = pd.DataFrame(
        [
            {"section": section, "role": role, "genes": float(x), "density": 0.1}
            for section, role in (("S1", "training"), ("S2", "training"), ("T1", "test"))
            for x in range(3)
        ]
    )
    fig = publishable(ood_figures.genes_per_spot(density))
    assert [(trace.name, trace.showlegend) for trace in fig.data] == [
        ("training", True),
        ("training", False),
        ("test", True),
    ]
    shares = review.channel_shares([tiny_section("S1"), tiny_section("T1", patient="Q1")]).assign(
        role=lambda t: t["section"].map({"S1": "training", "T1": "test"})
    )
    drawn = publishable(review_figures.colours(shares, ROLES, "role"))
    assert [trace.name for trace in drawn.data if trace.showlegend] == ["training", "test"]
    assert drawn.data[0].line.color == fig.data[0].line.color


def test_a_loss_stands_at_the_distance_of_its_section():
    found = pd.DataFrame(
        [
            {
                "method": "ridge",
                "section": section,
                "role": role,
                "drop": lost,
                "measure": measure,
                "fold": fold,
            }
            for measure in ("colour", "features")
            for section, role, lost, fold in (
                ("S3", "validation", 0.0, 1.1),
                ("T1", "test", 0.2, 4.0),
            )
        ]
    )
    fig = publishable(ood_figures.lost_by_distance(found, TITLES))
    key, *marks = fig.data
    assert len(marks) == 2 and [note.text for note in fig.layout.annotations] == [
        "shift in colour",
        "shift in frozen features",
    ]
    assert (list(marks[0].x), list(marks[0].y)) == ([1.1, 4.0], [0.0, 0.2])
    assert list(marks[0].marker.symbol) == ["circle-open", "circle"]
    assert (key.name, key.marker.symbol, key.marker.color) == (
        "Ridge",
        "circle",
        marks[0].marker.color,
    ) and not any(trace.showlegend for trace in marks)


def test_no_two_methods_have_the_same_mark():
    names = [f"m{i}" for i in range(11)]
    found = pd.DataFrame(
        {
            "method": names,
            "section": "T1",
            "role": "test",
            "drop": 0.1,
            "measure": "colour",
            "fold": 2.0,
        }
    )
    fig = publishable(ood_figures.lost_by_distance(found, {name: name for name in names}))
    assert (
        len(
            {
                (trace.marker.color, trace.marker.symbol)
                for trace in fig.data
                if trace.showlegend is not False
            }
        )
        == 11
    )


def test_the_authors_boxes_are_by_the_name_of_the_section():
    fig = publishable(ood_figures.authors_rows(authors_scores()))
    trained = [trace for trace in fig.data if trace.name == "training"]
    assert {name for trace in trained for name in trace.x} == {"STimage"} and len(trained) == 4
    assert [trace.name for trace in fig.data if trace.showlegend] == list(ROLES)


def test_rows_are_drawn_on_own_and_common_target():
    titles = {"ridge:raw": "Ridge, raw counts", "ridge:logcpm": "Ridge, log-CPM"}
    words = [(method, word) for method in ("hist2st", "ridge") for word in ("raw", "logcpm")]
    boxes = pd.concat(
        [
            quartiles(method=method, transform=word, scored_on=on, panel="all")
            for on in (OWN, COMMON)
            for method, word in words
        ],
        ignore_index=True,
    )
    fig = publishable(transform_figures.own_and_common(boxes))
    assert [trace.name for trace in fig.data] == [OWN, OWN, COMMON, COMMON] and [
        note.text for note in fig.layout.annotations
    ] == ["Hist2ST", "Ridge on frozen features"]
    assert {tuple(trace.x) for trace in fig.data} == {("raw counts", "log-CPM")}
    assert [trace.name for trace in publishable(transform_figures.by_panel(boxes)).data] == [
        "all",
        "all",
    ]
    spreads = pd.DataFrame(
        [
            {"row": row, "scored_on": on, "section": s, "patient": s[0], "sd": 0.1}
            for row in titles
            for on in (OWN, COMMON)
            for s in ("A1", "B1")
        ]
    )
    drawn = publishable(transform_figures.spreads(spreads, titles))
    assert sum(len(trace.x) for trace in drawn.data) == len(spreads)
    assert [trace.name for trace in drawn.data if trace.showlegend] == ["patient A", "patient B"]


def test_depth_is_one_line_a_target():
    rows = pd.DataFrame(
        [
            {"transform": word, "section": s, "pcc": 0.2}
            for word in ("raw", "logcpm")
            for s in ("A1", "B1")
        ]
    )
    fig = publishable(transform_figures.depth_in_targets(rows))
    assert [list(trace.y) for trace in fig.data] == [["raw counts", "log-CPM"]] * 2


def test_boxes_take_other_colours_and_keep_their_own():
    rows = pd.concat(
        [quartiles(method="ridge", split=split) for split in ("section-out", "else")],
        ignore_index=True,
    )
    own, other = (
        score_figures.boxes(rows, ["ridge"], TITLES),
        score_figures.boxes(rows, ["ridge"], TITLES, {"else": "#123456"}),
    )
    assert (
        own.data[0].marker.color == score_figures.SPLIT_COLOUR["section-out"]
        and other.data[1].marker.color == "#123456"
    )
    assert np.unique([trace.marker.color for trace in own.data]).size == 2
