"""Figures of the authors' published scores: one quartile box a section.

Only quartiles over genes are published, so the boxes have no whiskers.
"""

import pandas as pd
import plotly.graph_objects as go

from compendium.plots.scores import QUARTILES
from compendium.plots.style import ABOVE, ZERO_LINE, colour_of, plain, stacked

WIDE = 0.8
"""Share of the width of a group that its boxes take."""
PANEL_PX = 170
HOVER = (
    "%{customdata[0]}, %{customdata[1]}: median %{y:.3f}, "
    "quartiles %{customdata[2]:.3f} and %{customdata[3]:.3f}<extra></extra>"
)


def her2(rows: pd.DataFrame) -> go.Figure:
    """Draw the rows of Figure 1b: a panel a method, a group a patient, a box a section."""
    groups = rows.groupby("method", sort=False)
    genes, sections = groups["genes"].transform("max"), groups["section"].transform("nunique")
    size = " (" + genes.astype(str) + " genes, " + sections.astype(str) + " sections)"
    fig = quartile_boxes(rows.assign(panel=rows["method"] + size), "panel", "patient", "method")
    fig.update_xaxes(title_text="patient", row=groups.ngroups)
    return fig.update_layout(showlegend=False, margin_t=40)


def visium(rows: pd.DataFrame) -> go.Figure:
    """Draw the rows of Figure 1c: a panel a gene list, a group a section, a box a method."""
    return quartile_boxes(rows, "panel", "section", "method", PANEL_PX + 60)


def regclass(rows: pd.DataFrame) -> go.Figure:
    """Draw the rows of Figure S3b: a group a model, a box a section."""
    return quartile_boxes(rows.assign(panel=""), "panel", "model", "section", PANEL_PX + 110)


def quartile_boxes(
    rows: pd.DataFrame, panel: str, group: str, colour: str, height: int = PANEL_PX
) -> go.Figure:
    """Draw one box a row, side by side within its group.

    Parameters
    ----------
    rows
        Columns method, section, q25, median, q75, and those named below.
    panel, group, colour
        Columns that name the panel, the group on the axis and the entry of the legend.
    height
        Height of a panel in px.
    """
    panels, groups, names = (list(dict.fromkeys(rows[column])) for column in (panel, group, colour))
    fig = stacked(panels, 0.28 / max(2, len(panels)), shared_yaxes="all")
    fig.update_annotations(font_size=13)
    widest = int(rows.groupby([panel, group]).size().max())
    rows = rows.assign(x=_places(rows, panel, group, groups, widest))
    colours, first = colour_of(names), rows.drop_duplicates(colour).set_index(colour)[panel]
    for (title, name), part in rows.groupby([panel, colour], sort=False):
        look = {
            "name": name,
            "legendgroup": name,
            "showlegend": bool(first[name] == title),
            "row": panels.index(title) + 1,
            "col": 1,
        }
        _add_boxes(fig, part, WIDE / widest * 0.9, colours[name], look)
    fig.add_hline(y=0, **ZERO_LINE)
    _lay_groups(fig, rows, groups, len(panels))
    legend = ABOVE | {"y": 1 + 40 / (height * len(panels))}
    return plain(fig, 150 + height * len(panels), legend=legend).update_layout(margin_t=90)


def _add_boxes(fig: go.Figure, part: pd.DataFrame, width: float, colour: str, look: dict) -> None:
    """Add boxes, and a dot at each median that shows the numbers under the pointer."""
    box = {name: part[column] for name, column in QUARTILES.items()} | {"hoverinfo": "skip"}
    fig.add_box(x=part["x"], **box, width=width, line_width=1.2, marker_color=colour, **look)
    dot = {"mode": "markers", "marker": {"size": 5, "color": colour}, "hovertemplate": HOVER}
    numbers = part[["method", "section", "q25", "q75"]]
    look = look | {"showlegend": False}
    fig.add_scatter(x=part["x"], y=part["median"], customdata=numbers, **dot, **look)


def _lay_groups(fig: go.Figure, rows: pd.DataFrame, groups: list[str], panels: int) -> None:
    low, high = min(0, rows["q25"].min()), rows["q75"].max()
    margin = 0.05 * (high - low)
    fig.update_yaxes(title_text="PCC", range=[low - margin, high + margin])
    ticks = {"tickvals": list(range(len(groups))), "ticktext": groups}
    fig.update_xaxes(range=[-0.6, len(groups) - 0.4], showgrid=False, zeroline=False, **ticks)
    fig.update_xaxes(tickangle=-35 if max(map(len, groups)) > 5 else 0, row=panels)


def _places(rows: pd.DataFrame, panel: str, group: str, groups: list, widest: int) -> pd.Series:
    """Return the place of each box: the number of its group, shifted within the group."""
    boxes = rows.groupby([panel, group], sort=False)
    number, size = boxes.cumcount(), boxes[group].transform("size")
    return rows[group].map(groups.index) + (number - (size - 1) / 2) * WIDE / widest
