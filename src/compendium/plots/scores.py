"""Figures of scores that several chapters draw: boxes, section by method, training curves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.data.splits import MATCHED
from compendium.plots.style import COLOURS, DIVERGING, ZERO_LINE, plain

SPLIT_COLOUR = dict(
    zip(
        ("section-out", "patient-out", *MATCHED),
        (COLOURS[0], COLOURS[1], COLOURS[5], COLOURS[4]),
        strict=True,
    )
)
BELOW = {"orientation": "h", "x": 0, "y": -0.25, "yanchor": "top"}
"""Legend below the axis, for many names."""
QUARTILES = {
    "q1": "q25",
    "median": "median",
    "q3": "q75",
    "lowerfence": "low",
    "upperfence": "high",
}
"""Argument of a box -> column of `compendium.evaluation.scores.summary`."""


def boxes(
    rows: pd.DataFrame,
    methods: list[str],
    titles: dict[str, str],
    colours: Mapping[str, str] = SPLIT_COLOUR,
) -> go.Figure:
    """Draw one box a method and split; whiskers reach the 5th and 95th percentile.

    Parameters
    ----------
    rows
        Summary of scores by method and split (`compendium.evaluation.scores.summary`).
    methods, titles
        Methods in order, and the title of each; those without a score are left out.
    colours
        Split -> colour.
    """
    fig = go.Figure()
    methods = _scored(rows, methods)
    for split, group in rows.groupby("split", sort=False):
        colour = colours.get(split, COLOURS[2])
        fig.add_box(**_box(group, methods, titles), name=split, marker_color=colour, line_width=1.5)
    fig.add_hline(y=0, **ZERO_LINE)
    return plain(
        fig,
        460,
        boxmode="group",
        yaxis_title="PCC per gene and section",
        xaxis_tickangle=-25,
        legend={"orientation": "h", "y": 1.08, "x": 0},
    )


def panel_boxes(rows: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> go.Figure:
    """Draw the boxes of `boxes`, one colour a part of the gene panel, one row a split.

    Parameters
    ----------
    rows
        Summary of scores by panel, split and method.
    methods, titles
        Methods in order, and the title of each.
    """
    methods = _scored(rows, methods)
    splits, panels = (list(dict.fromkeys(rows[column])) for column in ("split", "panel"))
    fig = make_subplots(
        len(splits), 1, subplot_titles=splits, shared_xaxes=True, vertical_spacing=0.08
    )
    for (panel, split), group in rows.groupby(["panel", "split"], sort=False):
        fig.add_box(
            **_box(group, methods, titles),
            name=panel,
            legendgroup=panel,
            showlegend=split == splits[0],
            marker_color=COLOURS[panels.index(panel) % len(COLOURS)],
            line_width=1.2,
            row=splits.index(split) + 1,
            col=1,
        )
    fig.add_hline(y=0, **ZERO_LINE)
    fig.update_yaxes(title_text="PCC").update_xaxes(tickangle=-35, row=len(splits), col=1)
    above = 1 + 35 / (250 * len(splits))  # of the title of the first panel
    return plain(
        fig,
        200 + 250 * len(splits),
        boxmode="group",
        legend={"orientation": "h", "x": 0, "y": above, "yanchor": "bottom"},
    ).update_layout(margin_t=80)


def _scored(rows: pd.DataFrame, methods: list[str]) -> list[str]:
    scored = set(rows.loc[rows["median"].notna(), "method"])
    return [method for method in methods if method in scored]


def _box(rows: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> dict:
    group = rows.set_index("method").reindex(methods)
    quartiles = {name: group[column] for name, column in QUARTILES.items()}
    return {"x": [titles[method] for method in methods], "hoverinfo": "y+name"} | quartiles


def section_by_method(
    medians: pd.DataFrame, methods: list[str], titles: dict[str, str]
) -> go.Figure:
    """Draw the median PCC over genes: sections down, methods across, one panel a split.

    Parameters
    ----------
    medians
        section, method, split, median.
    methods, titles
        Methods in order, and the title of each; those without a score are left out.
    """
    drawn = medians.dropna(subset="median")
    methods = _scored(drawn, methods)
    splits = list(dict.fromkeys(drawn["split"]))
    sizes = [drawn.loc[drawn["split"] == split, "section"].nunique() for split in splits]
    gap = max(0.09, 40 / (90 + 30 * sum(sizes) + 40 * len(splits)))  # room for a title
    fig = make_subplots(
        len(splits),
        1,
        subplot_titles=splits,
        shared_xaxes=True,
        vertical_spacing=gap,
        row_heights=sizes,
    )
    bound = float(drawn["median"].abs().max()) if len(drawn) else 1.0
    for row, split in enumerate(splits, start=1):
        cells = drawn[drawn["split"] == split].pivot(
            index="section", columns="method", values="median"
        )
        cells = cells.reindex(columns=methods).sort_index(ascending=False)
        fig.add_heatmap(
            z=cells.to_numpy(),
            x=[titles[method] for method in methods],
            y=list(cells.index),
            text=cells.map(lambda v: "" if np.isnan(v) else f"{v:z.2f}").to_numpy(),
            texttemplate="%{text}",
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            hovertemplate="%{y}, %{x}: median PCC %{z:.3f}<extra></extra>",
            row=row,
            col=1,
        )
    fig.update_xaxes(tickangle=-35, showgrid=False).update_yaxes(type="category", showgrid=False)
    bar = {"title": "median PCC", "thickness": 12}
    return plain(
        fig,
        190 + 30 * sum(sizes) + 40 * len(splits),
        coloraxis={"colorscale": DIVERGING, "cmin": -bound, "cmax": bound, "colorbar": bar},
    )


def curves(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw the training loss by epoch relative to the first epoch, one thin line a fold.

    Parameters
    ----------
    rows
        Table of `compendium.evaluation.comparison.Fitted.curves`.
    titles
        Method -> title.
    """
    fig = go.Figure()
    for (method, group), colour in zip(rows.groupby("method", sort=False), COLOURS, strict=False):
        for i, (_, fold) in enumerate(group.groupby("fold", sort=False)):
            fig.add_scatter(
                x=fold["epoch"],
                y=fold["relative"],
                mode="lines",
                line={"width": 1.2, "color": colour},
                name=titles[method],
                legendgroup=method,
                showlegend=i == 0,
                opacity=0.7,
            )
    ticks = {"type": "log", "tickvals": [1, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]}
    return plain(
        fig,
        400,
        xaxis_title="epoch",
        yaxis={"title": "training loss / first epoch"} | ticks,
        legend=BELOW,
    )
