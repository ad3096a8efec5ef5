"""Figures of chapter 2: matched training sets, the tissue map, and what can be reached."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.id_loocv.design import SPLITS
from compendium.chapters.id_loocv.matched_sets import COMPARED
from compendium.data.section import Section
from compendium.data.targets.transforms import SCORING
from compendium.plots import style
from compendium.plots.style import COLOURS, plain, stacked


def with_depth(fig: go.Figure, depth: pd.DataFrame | None) -> go.Figure:
    """Draw as a line what the depth of the test spots alone would score, section left out.

    Parameters
    ----------
    fig
        Boxes of the PCC by method.
    depth
        Table `depth` of the chapter, of which the part of the panel with the most genes is drawn;
        None where an earlier version made the tables.
    """
    if depth is None:
        return fig
    rows = depth[(depth["split"] == SPLITS[0]) & (depth["target"] == SCORING)]
    rows = rows[rows["panel"] == rows.loc[rows["genes"].idxmax(), "panel"]]
    label = {"annotation_text": "depth of the spot", "annotation_position": "top left"}
    return fig.add_hline(y=float(rows["depth"].mean()), line_dash="dash", line_width=1, **label)


SHARED = " on frozen features"
"""End of the titles of all rows that are trained."""


def matched_sets(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw the median PCC under both splits and on matched training sets, a panel a method.

    Parameters
    ----------
    rows
        Table `compendium.chapters.id_loocv.matched_sets.spread`: one dot a section, coloured by
        patient, its bar from the lowest to the highest draw.
    titles
        Method -> title.
    """
    methods = list(dict.fromkeys(rows["method"]))
    height = 150 + 150 * len(methods)
    short = [titles[name].removesuffix(SHARED) for name in methods]  # as wide as a phone
    fig = stacked(short, 40 / height)
    colours = style.colour_of(sorted(rows["patient"].unique()))
    for row, method in enumerate(methods, start=1):
        part = rows[rows["method"] == method]
        for patient, dots in part.groupby("patient"):
            entry = {"name": f"patient {patient}", "legendgroup": patient, "showlegend": row == 1}
            look = {"size": 7, "color": colours[patient]}
            fig.add_scatter(**_drawn(dots, _places(rows)), **entry, marker=look, row=row, col=1)
    ticks = [split.replace("-", "<br>") for split in COMPARED]  # beside each other on a phone
    fig.update_xaxes(range=[-0.5, 3.5], tickvals=list(range(4)), ticktext=ticks)
    fig.update_xaxes(showgrid=False, zeroline=False)
    fig.update_yaxes(title_text="median PCC", matches="y").add_vline(x=1.5, **style.ZERO_LINE)
    fig.add_hline(y=0, **style.ZERO_LINE)
    legend = style.ABOVE | {"y": 1 + 30 / (height - 140)}  # above the title of the first panel
    return plain(fig, height, legend=legend).update_layout(margin_t=80)


def _places(rows: pd.DataFrame) -> dict[str, float]:
    """Return the place of each section within a column, from left to right."""
    sections = list(dict.fromkeys(rows.sort_values("patient", kind="stable")["section"]))
    return dict(zip(sections, np.linspace(-0.3, 0.3, len(sections)), strict=True))


def _drawn(rows: pd.DataFrame, places: dict[str, float]) -> dict:
    above, below = rows["highest"] - rows["median"], rows["median"] - rows["lowest"]
    bar = {"array": above, "arrayminus": below, "symmetric": False, "thickness": 1.2, "width": 2}
    return {
        "x": rows["split"].map(COMPARED.index) + rows["section"].map(places),
        "y": rows["median"],
        "error_y": bar,
        "mode": "markers",
        "customdata": rows[["section", "split", "lowest", "highest"]],
        "hovertemplate": "%{customdata[0]}, %{customdata[1]}: %{y:.3f}"
        " (%{customdata[2]:.3f} to %{customdata[3]:.3f})<extra></extra>",
    }


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
    panels = [f"measured {gene}", "predicted"]
    fig = make_subplots(1, 2, subplot_titles=panels, horizontal_spacing=0.02)
    places = tissue[["x", "y"]].to_numpy()
    for col in (1, 2):
        if section is None:
            style.lay_axes(fig, places, 0.06 * float(np.ptp(places)), 1, col)
        else:
            style.lay_slide(fig, section, 1, col, opacity=0.45)
    scores = {name: "no PCC" if np.isnan(pcc) else f"PCC {pcc:.2f}" for name, pcc in pccs.items()}
    labels = {name: f"{titles[name]}, {scores[name]}" for name in tissue if name in titles}
    fig.add_trace(_spots(tissue, "measured", "measured"), 1, 1)
    for number, (name, label) in enumerate(labels.items()):
        fig.add_trace(_spots(tissue, name, label).update(visible=number == 0), 1, 2)
    return _with_menu(fig, list(labels.values()))


def _spots(tissue: pd.DataFrame, name: str, label: str) -> go.Scatter:
    values, places = tissue[name].to_numpy(), {"x": tissue["x"], "y": tissue["y"]}
    colours = {"color": _standardised(values), "coloraxis": "coloraxis"}
    marker = colours | {"size": 7, "line": {"width": 0}}
    hover = f"{label}<br>ln(1 + CP10k) %{{customdata}}<extra></extra>"
    shown = {"customdata": np.round(values, 3), "hovertemplate": hover, "showlegend": False}
    return go.Scatter(**places, **shown, mode="markers", marker=marker, name=label)


def _standardised(values: np.ndarray) -> np.ndarray:
    """Return values with zero mean and unit spread; a constant becomes zero, NaN stays NaN."""
    spread, centred = np.nanstd(values), values - np.nanmean(values)
    return np.round(centred / spread, 2) if spread > 0 else np.zeros(len(values))


def _with_menu(fig: go.Figure, labels: list[str]) -> go.Figure:
    """Let a menu show one of the predictions; the measured values are always shown."""
    shown = {label: {"visible": [True] + [other == label for other in labels]} for label in labels}
    buttons = [
        {"label": label, "method": "update", "args": [visible]} for label, visible in shown.items()
    ]
    place = {"x": 1, "xanchor": "right", "y": 1.14, "yanchor": "bottom", "direction": "down"}
    title = {"text": "standard deviations from the section's mean", "side": "top"}
    below = {"orientation": "h", "len": 0.6, "y": -0.02, "yanchor": "top"}
    bar = below | {"title": title, "thickness": 10}
    axis = {"colorscale": style.SEQUENTIAL, "cmin": -2, "cmax": 2, "colorbar": bar}
    plain(fig, 500, updatemenus=[place | {"buttons": buttons}], coloraxis=axis)
    return fig.update_layout(margin={"l": 10, "r": 10, "t": 90, "b": 70})


def against_attainable(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw each gene's PCC against the best that any image-based method can reach.

    Parameters
    ----------
    rows
        Table of `compendium.chapters.id_loocv.attainable.reached`.
    titles
        Method -> title.
    """
    fig, hover = go.Figure(), "%{text}: attainable %{x:.2f}, reached %{y:.2f}<extra></extra>"
    for (method, group), colour in zip(rows.groupby("method", sort=False), COLOURS, strict=False):
        marker = {"size": 6, "color": colour, "opacity": 0.75}
        look = {"mode": "markers", "marker": marker, "text": group["gene"], "hovertemplate": hover}
        fig.add_scatter(x=group["image_attainable"], y=group["pcc"], name=titles[method], **look)
    fig.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dot", "color": "#888888"})
    top = float(rows[["image_attainable", "pcc"]].max(axis=None)) + 0.05
    axes = {
        "xaxis": {"title": "image-attainable PCC", "range": [-0.05, top]},
        "yaxis": {"title": "PCC reached, mean over sections", "range": [-0.15, top]},
    }
    return plain(fig, 440, **axes, legend={"orientation": "h", "y": 1.1, "x": 0})


def penalty_curves(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw the test PCC over the grid of ridge penalties, and how many genes take each.

    Parameters
    ----------
    rows
        Table of `compendium.evaluation.penalty_curves.over_genes`: a column of panels a split, a
        line a method; dotted what is reached with the penalty that each gene takes.
    titles
        Method -> title.
    """
    splits, methods = (list(dict.fromkeys(rows[column])) for column in ("split", "method"))
    shared = {"shared_xaxes": True, "shared_yaxes": True, "vertical_spacing": 0.08}
    heights = [0.65, 0.35]
    fig = make_subplots(2, len(splits), column_titles=splits, row_heights=heights, **shared)
    colours = style.colour_of(methods)
    for (split, method), part in rows.groupby(["split", "method"], sort=False):
        column = splits.index(split) + 1
        curve, reached, share = _penalty_traces(part, titles[method], colours[method])
        fig.add_traces([curve.update(showlegend=column == 1), reached], 1, column)
        fig.add_trace(share, 2, column)
    fig.update_xaxes(type="log", exponentformat="power").update_xaxes(title_text="penalty", row=2)
    fig.update_yaxes(title_text="mean PCC", row=1, col=1)
    fig.update_yaxes(title_text="share of genes", tickformat=".0%", row=2, col=1)
    return plain(fig, 480, legend={"orientation": "h", "y": 1.15, "x": 0})


def _penalty_traces(part: pd.DataFrame, title: str, colour: str) -> list[go.Scatter]:
    """Return PCC over the grid, PCC with the chosen penalties, and the share that takes each."""
    entry = {"name": title, "legendgroup": title, "x": part["penalty"]}
    look = {"mode": "lines", "hovertemplate": "penalty %{x:.3g}: %{y:.3f}<extra></extra>"}
    curve = go.Scatter(y=part["pcc"], line={"color": colour}, **entry, **look)
    dotted = {"line": {"color": colour, "dash": "dot"}, "showlegend": False}
    reached = go.Scatter(y=part["reached"], **entry, **look, **dotted)
    marked = look | {"mode": "lines+markers", "line": {"color": colour}, "showlegend": False}
    return [curve, reached, go.Scatter(y=part["share"], **entry, **marked)]
