"""Figures of the authors' scores: a box a row, with that row's quartiles, and none upon another."""

import numpy as np
import pytest

from compendium.book.notebook.show import check_bundle, compact
from compendium.evaluation import published
from compendium.plots import published as published_figures

FIGURES = {
    name: (getattr(published, name), getattr(published_figures, name))
    for name in ("her2", "visium", "regclass")
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_row_is_one_box_with_its_quartiles(name):
    rows, draw = FIGURES[name][0](), FIGURES[name][1]
    fig = draw(rows)
    check_bundle(compact(fig.to_dict()), name)
    boxes = [trace for trace in fig.data if trace.type == "box"]
    drawn = sorted(
        zip(
            *(
                np.concatenate([getattr(box, part) for box in boxes])
                for part in ("q1", "median", "q3")
            ),
            strict=True,
        )
    )
    assert drawn == sorted(rows[["q25", "median", "q75"]].itertuples(index=False, name=None))
    assert all(box.lowerfence is None and box.upperfence is None for box in boxes), (
        "nothing is held beyond the quartiles"
    )
    for panel in {box.xaxis for box in boxes}:
        places = np.sort(np.concatenate([box.x for box in boxes if box.xaxis == panel]))
        assert np.diff(places).min() >= boxes[0].width, "boxes of a group stand beside each other"


def test_a_group_lies_about_its_name():
    rows = published.her2()
    fig = published_figures.her2(rows)
    bleep = next(trace for trace in fig.data if trace.type == "box" and trace.name == "BLEEP")
    assert list(fig.layout.xaxis.ticktext) == list("ABCDEFGH")
    assert np.allclose(
        [
            np.mean(
                [
                    x
                    for x, patient in zip(
                        bleep.x, rows.loc[rows["method"] == "BLEEP", "patient"], strict=True
                    )
                    if patient == name
                ]
            )
            for name in "AEH"
        ],
        [0, 4, 7],
    )
