"""Figures of chapter 8: accuracy beside cost, cost by number of spots."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from compendium.plots.dots import LEGEND
from compendium.plots.style import COLOURS, colour_of, plain


def accuracy_by_cost(
    medians: pd.DataFrame, steps: pd.DataFrame, titles: Mapping[str, str]
) -> go.Figure:
    """Draw the median PCC of each section against the relative time of a training step.

    Parameters
    ----------
    medians
        method, section, median.
    steps
        Table `steps` of the chapter; rows without steps are left out.
    titles
        Row -> title.
    """
    fig = go.Figure()
    timed = steps.dropna(subset="relative").set_index("row")["relative"]
    for (row, relative), colour in zip(timed.items(), COLOURS, strict=False):
        part = medians[medians["method"] == row]
        fig.add_scatter(
            x=[relative] * len(part),
            y=part["median"],
            mode="markers",
            name=titles[row],
            text=part["section"],
            marker={"color": colour, "size": 9, "opacity": 0.8},
            hovertemplate="%{text}: median PCC %{y:.3f}<br>step %{x:.2f} times as long"
            "<extra></extra>",
        )
    axis = {"title": "time of a step, relative to Hist2ST", "rangemode": "tozero"}
    return plain(fig, 400, xaxis=axis, yaxis_title="median PCC of a section", legend=LEGEND)


def growth(times: pd.DataFrame) -> go.Figure:
    """Draw the time of one layer, forward and backward, by number of spots; both axes logarithmic.

    Parameters
    ----------
    times
        Table `layers` of the chapter.
    """
    fig = go.Figure()
    for layer, colour in colour_of(list(dict.fromkeys(times["layer"]))).items():
        part = times[times["layer"] == layer]
        fig.add_scatter(
            x=part["spots"],
            y=1000 * part["seconds"],
            mode="lines+markers",
            name=layer,
            line={"color": colour, "width": 2},
            hovertemplate=f"{layer}, %{{x}} spots: %{{y:.1f}} ms<extra></extra>",
        )
    axes = {
        "xaxis": {"title": "spots", "type": "log", "tickvals": sorted(set(times["spots"]))},
        "yaxis": {"title": "ms forward and backward", "type": "log", "dtick": 1},
    }
    return plain(fig, 380, **axes, legend=LEGEND)
