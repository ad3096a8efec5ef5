"""Figures of the transform chapter: boxes, spread over genes, depth in each target."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from compendium.chapters.transforms.design import TRANSFORMS
from compendium.chapters.transforms.results import COMMON
from compendium.methods import describe
from compendium.plots import scores
from compendium.plots.dots import dots
from compendium.plots.style import ZERO_LINE, colour_of


def own_and_common(boxes: pd.DataFrame) -> go.Figure:
    """Draw a box a transform, on its own target and on the common one, a panel a method."""
    return _by_transform(boxes.assign(panel=boxes["scored_on"]))


def by_panel(panels: pd.DataFrame) -> go.Figure:
    """Draw the boxes on the common target, one colour for each part of the gene panel."""
    return _by_transform(panels[panels["scored_on"] == COMMON])


def _by_transform(boxes: pd.DataFrame) -> go.Figure:
    method_titles = [describe(name).title for name in boxes["method"]]
    rows = boxes.assign(split=method_titles, method=boxes["transform"])
    return scores.panel_boxes(rows, list(dict.fromkeys(rows["method"])), TRANSFORMS)


def spreads(rows: pd.DataFrame, titles: Mapping[str, str]) -> go.Figure:
    """Draw the standard deviation of PCC over genes, a dot a section, a panel a target."""
    patients = "patient " + rows["patient"]
    rows = rows.assign(line=rows["row"].map(titles), of=patients)
    rows = rows.sort_values(["scored_on", "of"], ascending=[False, True], kind="stable")
    axis = {"title": "SD of PCC<br>over genes", "rangemode": "tozero"}
    colours = colour_of(sorted(patients.unique()))
    fig = dots(rows, "sd", list(titles.values()), colours, axis, 48, panel="scored_on")
    return fig.update_layout(legend_y=1.06, margin_t=80)


def depth_in_targets(rows: pd.DataFrame) -> go.Figure:
    """Draw the median correlation of each target with depth, a dot a section."""
    titles = rows["transform"].map(TRANSFORMS)
    rows = rows.assign(line=titles, of=rows["section"], section=rows["section"] + ", " + titles)
    axis = {"title": "correlation with depth,<br>median over genes"}
    colours = colour_of(list(dict.fromkeys(rows["of"])))
    fig = dots(rows, "pcc", list(dict.fromkeys(titles)), colours, axis, 34, digits=2)
    return fig.add_vline(x=0, **ZERO_LINE)
