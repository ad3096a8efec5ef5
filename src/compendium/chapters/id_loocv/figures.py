"""Figures of chapter 2: matched training sets, the tissue map, and what can be reached."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.id_loocv.matched_sets import COMPARED
from compendium.data.section import Section
from compendium.plots.style import (
    COLOURS,
    SEQUENTIAL,
    ZERO_LINE,
    colour_of,
    lay_axes,
    lay_slide,
    plain,
)


def matched_sets(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw the median PCC under both splits and on matched training sets.

    Parameters
    ----------
    rows
        Table of `matched_gaps`: one panel a method, one line a section.
    titles
        Method -> title.
    """
    methods, sections = (list(dict.fromkeys(rows[column])) for column in ("method", "section"))
    fig = make_subplots(
        len(methods),
        1,
        subplot_titles=[titles[method] for method in methods],
        shared_xaxes=True,
        vertical_spacing=0.08,
    )
    colours = colour_of(sections)
    for row, method in enumerate(methods, start=1):
        lines = rows[rows["method"] == method].set_index("section")[list(COMPARED)]
        for section, values in lines.iterrows():
            fig.add_scatter(
                x=list(COMPARED),
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
    fig.add_vline(x=1.5, **ZERO_LINE)
    legend = {"orientation": "h", "y": 1.08, "x": 0}
    return plain(fig, 120 + 190 * len(methods), legend=legend).update_yaxes(title_text="median PCC")


def tissue_map(
    tissue: pd.DataFrame,
    gene: str,
    section: Section | None,
    titles: dict[str, str],
    pccs: dict[str, float],
) -> go.Figure:
    """Draw measured and predicted expression of one gene; a menu chooses the method.

    Parameters
    ----------
    tissue
        x, y, measured and a column a method; one row a spot.
    gene
        Name of the gene.
    section
        Section whose slide lies under the spots, or None.
    titles, pccs
        Method -> title, and PCC of the gene.
    """
    fig = make_subplots(
        1, 2, subplot_titles=[f"measured {gene}", "predicted"], horizontal_spacing=0.02
    )
    places = tissue[["x", "y"]].to_numpy()
    for col in (1, 2):
        if section is None:
            lay_axes(fig, places, 0.06 * float(np.ptp(places)), 1, col)
        else:
            lay_slide(fig, section, 1, col, opacity=0.45)
    labels = {
        name: f"{titles[name]}, {'no PCC' if np.isnan(pccs[name]) else f'PCC {pccs[name]:.2f}'}"
        for name in tissue
        if name in titles
    }
    for number, (name, label) in enumerate([("measured", "measured"), *labels.items()]):
        _spots(fig, tissue, name, label, visible=number < 2, col=2 if number else 1)
    return _with_menu(fig, list(labels.values()))


def _spots(
    fig: go.Figure, tissue: pd.DataFrame, name: str, label: str, visible: bool, col: int
) -> None:
    values = tissue[name].to_numpy()
    colours = {"color": standardised(values), "coloraxis": "coloraxis"}
    fig.add_scatter(
        x=tissue["x"].to_numpy(),
        y=tissue["y"].to_numpy(),
        mode="markers",
        visible=visible,
        name=label,
        showlegend=False,
        marker=colours | {"size": 7, "line": {"width": 0}},
        customdata=np.round(values, 3),
        hovertemplate=f"{label}<br>ln(1 + CP10k) %{{customdata}}<extra></extra>",
        row=1,
        col=col,
    )


def _with_menu(fig: go.Figure, labels: list[str]) -> go.Figure:
    """Let a menu show one of the predictions; the measured values are always shown."""
    buttons = [
        {
            "label": label,
            "method": "update",
            "args": [{"visible": [True] + [other == label for other in labels]}],
        }
        for label in labels
    ]
    menu = {"x": 1, "xanchor": "right", "y": 1.14, "yanchor": "bottom", "direction": "down"}
    bar = {
        "title": {"text": "standard deviations from the section's mean", "side": "top"},
        "orientation": "h",
        "thickness": 10,
        "len": 0.6,
        "y": -0.02,
        "yanchor": "top",
    }
    axis = {"colorscale": SEQUENTIAL, "cmin": -2, "cmax": 2, "colorbar": bar}
    return plain(fig, 500, updatemenus=[menu | {"buttons": buttons}], coloraxis=axis).update_layout(
        margin={"l": 10, "r": 10, "t": 90, "b": 70}
    )


def standardised(values: np.ndarray) -> np.ndarray:
    """Return values with zero mean and unit spread; a constant stays zero, NaN stays NaN."""
    spread = np.nanstd(values)
    if not spread > 0:
        return np.zeros(len(values))
    return np.round((values - np.nanmean(values)) / spread, 2)


def against_attainable(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw each gene's PCC against the best that any image-based method can reach.

    Parameters
    ----------
    rows
        Table of `compendium.chapters.id_loocv.attainable.reached`.
    titles
        Method -> title.
    """
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
    fig.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dot", "color": "#888888"})
    top = float(max(rows["image_attainable"].max(), rows["pcc"].max())) + 0.05
    axes = {
        "xaxis": {"title": "image-attainable PCC", "range": [-0.05, top]},
        "yaxis": {"title": "PCC reached, mean over sections", "range": [-0.15, top]},
    }
    return plain(fig, 440, **axes, legend={"orientation": "h", "y": 1.1, "x": 0})
