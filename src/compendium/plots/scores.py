"""Figures of scores: boxes by method, section by method, the leakage dial, tissue maps, training curves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.data.section import Section
from compendium.data.splits import ARMS
from compendium.plots.style import (
    COLOURS,
    DIVERGING,
    SEQUENTIAL,
    colour_of,
    lay_axes,
    lay_slide,
    plain,
)

ARM_COLOUR = dict(zip(ARMS, (COLOURS[0], COLOURS[1], COLOURS[5], COLOURS[4]), strict=True))

BELOW = {
    "orientation": "h",
    "x": 0,
    "y": -0.25,
    "yanchor": "top",
}  # a legend of many names would cover what it stands above


def boxes(
    rows: pd.DataFrame,
    methods: list[str],
    titles: dict[str, str],
    colours: Mapping[str, str] = ARM_COLOUR,
) -> go.Figure:
    """One box a method and split from `summary` rows; whiskers reach the 5th and 95th percentile. colours: split -> its colour."""
    fig = go.Figure()
    methods = [
        method for method in methods if rows.loc[rows["method"] == method, "median"].notna().any()
    ]
    for split, group in rows.groupby("split", sort=False):
        group = group.set_index("method").reindex(methods)
        fig.add_box(
            x=[titles[method] for method in methods],
            q1=group["q25"],
            median=group["median"],
            q3=group["q75"],
            lowerfence=group["low"],
            upperfence=group["high"],
            name=split,
            marker_color=colours.get(split, COLOURS[2]),
            line_width=1.5,
            hoverinfo="y+name",
        )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    return plain(
        fig,
        460,
        boxmode="group",
        yaxis_title="PCC per gene and section",
        xaxis_tickangle=-25,
        legend={"orientation": "h", "y": 1.08, "x": 0},
    )


def panel_boxes(rows: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> go.Figure:
    """Boxes of `boxes`, one colour for each part of the gene panel, one row of the figure for each split."""
    methods = [
        method for method in methods if rows.loc[rows["method"] == method, "median"].notna().any()
    ]
    splits, panels = (list(dict.fromkeys(rows[column])) for column in ("split", "panel"))
    fig = make_subplots(
        len(splits), 1, subplot_titles=splits, shared_xaxes=True, vertical_spacing=0.08
    )
    for (panel, split), group in rows.groupby(["panel", "split"], sort=False):
        group = group.set_index("method").reindex(methods)
        fig.add_box(
            x=[titles[method] for method in methods],
            q1=group["q25"],
            median=group["median"],
            q3=group["q75"],
            lowerfence=group["low"],
            upperfence=group["high"],
            name=panel,
            legendgroup=panel,
            showlegend=split == splits[0],
            marker_color=COLOURS[panels.index(panel) % len(COLOURS)],
            line_width=1.2,
            hoverinfo="y+name",
            row=splits.index(split) + 1,
            col=1,
        )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    fig.update_yaxes(title_text="PCC").update_xaxes(tickangle=-35, row=len(splits), col=1)
    above = 1 + 35 / (250 * len(splits))  # of the title of the first panel
    return plain(
        fig,
        200 + 250 * len(splits),
        boxmode="group",
        legend={"orientation": "h", "x": 0, "y": above, "yanchor": "bottom"},
    ).update_layout(margin_t=80)


def section_by_method(
    medians: pd.DataFrame, methods: list[str], titles: dict[str, str]
) -> go.Figure:
    """Median PCC over genes: sections down, methods across, one panel a split; methods without any correlation are left out."""
    drawn = medians.dropna(subset="median")
    methods = [method for method in methods if method in set(drawn["method"])]
    splits = list(dict.fromkeys(drawn["split"]))
    sizes = [drawn.loc[drawn["split"] == split, "section"].nunique() for split in splits]
    gap = max(
        0.09, 40 / (90 + 30 * sum(sizes) + 40 * len(splits))
    )  # of few sections: room for a title still
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
        cells = (
            drawn[drawn["split"] == split]
            .pivot(index="section", columns="method", values="median")
            .reindex(columns=methods)
            .sort_index(ascending=False)
        )
        text = [
            ["" if np.isnan(v) else f"{round(v, 2) + 0:.2f}" for v in line]
            for line in cells.to_numpy()
        ]
        fig.add_heatmap(
            z=cells.to_numpy(),
            x=[titles[m] for m in methods],
            y=list(cells.index),
            text=text,
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


def dial_arms(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """The four arms of the leakage dial: one panel a method, one line a section."""
    methods, sections = (list(dict.fromkeys(rows[column])) for column in ("method", "section"))
    fig = make_subplots(
        len(methods),
        1,
        subplot_titles=[titles[m] for m in methods],
        shared_xaxes=True,
        vertical_spacing=0.08,
    )
    colours = colour_of(sections)
    for row, method in enumerate(methods, start=1):
        for section, values in (
            rows[rows["method"] == method].set_index("section")[list(ARMS)].iterrows()
        ):
            fig.add_scatter(
                x=list(ARMS),
                y=values,
                name=section,
                legendgroup=section,
                showlegend=row == 1,
                mode="lines+markers",
                line={"width": 1.5, "color": colours[section]},
                hovertemplate=f"{section}, %{{x}}: %{{y:.3f}}<extra></extra>",
                row=row,
                col=1,
            )
    fig.add_vline(x=1.5, line_width=1, line_dash="dot", line_color="#888888")
    return plain(
        fig, 120 + 190 * len(methods), legend={"orientation": "h", "y": 1.08, "x": 0}
    ).update_yaxes(title_text="median PCC")


def tissue_pair(
    tissue: pd.DataFrame,
    gene: str,
    section: Section | None,
    titles: dict[str, str],
    pccs: dict[str, float],
) -> go.Figure:
    """Measured against predicted expression of one gene on the tissue; a menu chooses the method. Colours are standardised within each panel.

    tissue: [x, y, measured] and a column a method, a row a spot. section: whose slide lies under the spots, or None.
    """
    measured, predicted = (
        tissue["measured"].to_numpy(),
        {name: tissue[name].to_numpy() for name in tissue if name in titles},
    )
    places = tissue[["x", "y"]].to_numpy()
    fig = make_subplots(
        1, 2, subplot_titles=[f"measured {gene}", "predicted"], horizontal_spacing=0.02
    )

    def named(name: str) -> str:
        return (
            f"{titles[name]}, PCC {pccs[name]:.2f}"
            if np.isfinite(pccs[name])
            else f"{titles[name]}, no PCC"
        )

    for col in (1, 2):
        if section is None:
            lay_axes(fig, places, 0.06 * float(np.ptp(places)), 1, col)
        else:
            lay_slide(fig, section, 1, col, opacity=0.45)
    for i, (name, values) in enumerate([("measured", measured), *predicted.items()]):
        label = name if name == "measured" else named(name)
        fig.add_scatter(
            x=places[:, 0],
            y=places[:, 1],
            mode="markers",
            visible=i < 2,
            name=label,
            showlegend=False,
            row=1,
            col=1 if i == 0 else 2,
            marker={
                "color": standardised(values),
                "coloraxis": "coloraxis",
                "size": 7,
                "line": {"width": 0},
            },
            customdata=np.round(values, 3),
            hovertemplate=f"{label}<br>ln(1 + CP10k) %{{customdata}}<extra></extra>",
        )
    buttons = [
        {
            "label": named(name),
            "method": "update",
            "args": [{"visible": [True] + [other == name for other in predicted]}],
        }
        for name in predicted
    ]
    menu = {
        "buttons": buttons,
        "x": 1,
        "xanchor": "right",
        "y": 1.14,
        "yanchor": "bottom",
        "direction": "down",
    }
    bar = {
        "title": {"text": "standard deviations from the section's mean", "side": "top"},
        "orientation": "h",
        "thickness": 10,
        "len": 0.6,
        "y": -0.02,
        "yanchor": "top",
    }
    axis = {"colorscale": SEQUENTIAL, "cmin": -2, "cmax": 2, "colorbar": bar}
    return plain(fig, 500, updatemenus=[menu], coloraxis=axis).update_layout(
        margin={"l": 10, "r": 10, "t": 90, "b": 70}
    )


def standardised(values: np.ndarray) -> np.ndarray:
    """Zero mean, unit spread; a constant stays zero, NaN stays NaN."""
    spread = np.nanstd(values)
    return (
        np.round((values - np.nanmean(values)) / spread, 2) if spread > 0 else np.zeros(len(values))
    )


def against_attainable(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Each gene's PCC against the best that any image-based method can reach; only a cohort with a known model has this."""
    fig = go.Figure()
    for (method, group), colour in zip(rows.groupby("method", sort=False), COLOURS, strict=False):
        fig.add_scatter(
            x=group["image_attainable"],
            y=group["pcc"],
            mode="markers",
            name=titles[method],
            marker={"size": 6, "color": colour, "opacity": 0.75},
            text=group["gene"],
            hovertemplate="%{text}: attainable %{x:.2f}, reached %{y:.2f}<extra></extra>",
        )
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"dash": "dot", "color": "#888888", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    top = float(max(rows["image_attainable"].max(), rows["pcc"].max())) + 0.05
    axes = {
        "xaxis": {"title": "image-attainable PCC", "range": [-0.05, top]},
        "yaxis": {"title": "PCC reached, mean over sections", "range": [-0.15, top]},
    }
    return plain(fig, 440, **axes, legend={"orientation": "h", "y": 1.1, "x": 0})


def curves(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Training loss by epoch relative to the first epoch, one thin line a fold."""
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
