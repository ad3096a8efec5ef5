"""Figures of the authors' published scores: one quartile box a section, since quartiles over genes are what is held; no whiskers, for nothing is known beyond the quartiles."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.plots.style import COLOURS, plain

FORM = (
    "The authors' own scores, computed from their public tables (`data/published/scores.csv`). A box: the quartiles over genes of one section. "
    "Whiskers and the pooled boxes of the paper cannot be drawn, since only quartiles are held; each method is scored on its own target."
)
WIDE = 0.8  # share of a group's place that its boxes take
PANEL_PX = 170
LINE = {"line_width": 1, "line_dash": "dot", "line_color": "#888888"}


def her2(rows: pd.DataFrame) -> go.Figure:
    """Figure 1b's rows: a panel a method, a group a patient, a box a section."""
    facts = rows.groupby("method", sort=False).agg(
        genes=("genes", "max"), sections=("section", "nunique")
    )
    panels = {
        name: f"{name} ({row.genes} genes, {row.sections} sections)"
        for name, row in facts.iterrows()
    }
    fig = quartile_boxes(
        rows.assign(panel=rows["method"].map(panels)), "panel", "patient", "method"
    )
    return fig.update_layout(showlegend=False, margin_t=40).update_xaxes(
        title_text="patient", row=len(panels)
    )


def visium(rows: pd.DataFrame) -> go.Figure:
    """Figure 1c's rows: a panel for each list of genes, a group a section, a box a method."""
    return quartile_boxes(rows, "panel", "section", "method", PANEL_PX + 60)


def regclass(rows: pd.DataFrame) -> go.Figure:
    """Figure S3b's rows: a group a model, a box a section."""
    return quartile_boxes(rows.assign(panel=""), "panel", "model", "section", PANEL_PX + 110)


def quartile_boxes(
    rows: pd.DataFrame, panel: str, group: str, colour: str, high: int = PANEL_PX
) -> go.Figure:
    """One box a row (q25, median, q75), side by side within its `group`; `panel` names the panel and `colour` the entry of the legend. Columns of `rows`."""
    panels, groups, names = (list(dict.fromkeys(rows[column])) for column in (panel, group, colour))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    fig = make_subplots(
        len(panels),
        1,
        subplot_titles=panels,
        shared_xaxes=True,
        shared_yaxes="all",
        vertical_spacing=0.28 / max(2, len(panels)),
    )
    fig.update_annotations(font_size=13)
    widest = int(rows.groupby([panel, group]).size().max())
    rows = rows.assign(x=_places(rows, panel, group, groups, widest))
    for (title, name), part in rows.groupby([panel, colour], sort=False):
        fig.add_box(
            x=part["x"],
            q1=part["q25"],
            median=part["median"],
            q3=part["q75"],
            width=WIDE / widest * 0.9,
            name=name,
            legendgroup=name,
            line_width=1.2,
            showlegend=bool(title == rows.loc[rows[colour] == name, panel].iloc[0]),
            marker_color=colours[name],
            hoverinfo="skip",
            row=panels.index(title) + 1,
            col=1,
        )
        fig.add_scatter(
            x=part["x"],
            y=part["median"],
            mode="markers",
            marker={"size": 5, "color": colours[name]},
            showlegend=False,
            legendgroup=name,
            name=name,
            customdata=part[["method", "section", "q25", "q75"]],
            row=panels.index(title) + 1,
            col=1,
            hovertemplate="%{customdata[0]}, %{customdata[1]}: median %{y:.3f}, quartiles %{customdata[2]:.3f} and %{customdata[3]:.3f}<extra></extra>",
        )
    low, high_end = min(0, rows["q25"].min()), rows["q75"].max()
    fig.add_hline(y=0, **LINE)
    fig.update_xaxes(
        tickvals=list(range(len(groups))),
        ticktext=groups,
        range=[-0.6, len(groups) - 0.4],
        showgrid=False,
        zeroline=False,
    )
    fig.update_yaxes(
        title_text="PCC", range=[low - 0.05 * (high_end - low), high_end + 0.05 * (high_end - low)]
    )
    tilt = -35 if max(map(len, groups)) > 5 else 0
    fig.update_xaxes(tickangle=tilt, row=len(panels))
    return plain(
        fig,
        150 + high * len(panels),
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1 + 40 / (high * len(panels)),
            "yanchor": "bottom",
        },
    ).update_layout(margin_t=90)


def _places(
    rows: pd.DataFrame, panel: str, group: str, groups: list[str], widest: int
) -> pd.Series:
    """The place of each box on the axis: its group's number, shifted so that the boxes of a group lie about it."""
    mine = rows.groupby([panel, group], sort=False)
    nth, size = mine.cumcount(), mine[group].transform("size")
    return rows[group].map(groups.index) + (nth - (size - 1) / 2) * WIDE / widest
