"""Figures of the predictions without an image: beside the authors' scores, and gene by gene."""

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from compendium.chapters.without_images.summaries import by_patient
from compendium.plots.dots import dots
from compendium.plots.style import ZERO_LINE, colour_of, plain

LINES = {"authors": "authors' score", "copy": "copy", "positions": "positions"}
"""Column -> what a line of the figure is."""
GREY = "#888888"


def lines_of(sections: pd.DataFrame) -> pd.DataFrame:
    """Return one row a method, line of the figure and patient, for `beside`.

    Parameters
    ----------
    sections
        Table `sections` of the chapter.

    Returns
    -------
    Columns: method, patient, line, of (entry of the legend), pcc, depth.
    """
    means = by_patient(sections, [*LINES, "depth"])
    rows = means.melt(["method", "patient", "depth"], list(LINES), "what", "pcc")
    rows = rows.assign(method=pd.Categorical(rows["method"], means["method"].unique()))
    rows = rows.sort_values("method", kind="stable").astype({"method": str})
    line = rows["method"] + ": " + rows["what"].map(LINES)
    return rows.drop(columns="what").assign(line=line, of="patient " + rows["patient"])


def beside(rows: pd.DataFrame) -> go.Figure:
    """Draw the authors' score, copy and positions of each method: a dot a patient.

    Bars are means over the patients; dotted bars are the means of the depth oracle.

    Parameters
    ----------
    rows
        Table of `lines_of`.
    """
    colours = colour_of(sorted(rows["of"].unique()))
    axis = {"title": "mean PCC"}
    lines = list(rows["line"].unique())
    fig = dots(rows.assign(section=rows["of"]), "pcc", lines, colours, axis, step=24)
    means = rows.groupby("line", sort=False)[["pcc", "depth"]].mean()
    for name, column, symbol in (("mean", "pcc", "line-ns"), ("depth", "depth", "x-thin")):
        marker = {"symbol": symbol, "size": 12, "line": {"width": 2, "color": GREY}}
        hover = f"{name}: %{{x:.3f}}<extra></extra>"
        look = {"name": name, "mode": "markers", "marker": marker, "hovertemplate": hover}
        fig.add_scatter(x=means[column].to_numpy(), y=list(means.index), **look)
    return fig.add_vline(x=0, **ZERO_LINE)


def by_gene(rows: pd.DataFrame) -> go.Figure:
    """Draw each gene by what its copy and its depth reach.

    Parameters
    ----------
    rows
        Columns gene, copy, depth.
    """
    fig = px.scatter(rows, x="depth", y="copy", hover_name="gene", render_mode="svg")
    hover = "%{hovertext}: depth %{x:.2f}, copy %{y:.2f}<extra></extra>"
    fig.update_traces(marker={"size": 5, "opacity": 0.6}, hovertemplate=hover)
    low, high = (float(end(rows[["copy", "depth"]])) for end in (np.nanmin, np.nanmax))
    line = {"width": 1, "dash": "dot", "color": GREY}
    fig.add_shape(type="line", x0=low, x1=high, y0=low, y1=high, line=line)
    titles = {"xaxis_title": "PCC of the depth oracle", "yaxis_title": "PCC of the copy"}
    return plain(fig, 420, **titles)
