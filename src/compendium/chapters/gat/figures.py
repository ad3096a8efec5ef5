"""Figures of chapter 8: accuracy beside cost, cost by number of spots."""

from collections.abc import Mapping

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from compendium.plots.style import ABOVE, COLOURS, plain

BY_ROW = {"color": "row", "color_discrete_sequence": COLOURS, "render_mode": "svg"}


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
    rows = steps.dropna(subset="relative").merge(medians, left_on="row", right_on="method")
    rows = rows.assign(row=rows["row"].map(titles))
    fig = px.scatter(rows, x="relative", y="median", hover_name="section", **BY_ROW)
    hover = "%{hovertext}: median PCC %{y:.3f}<br>step %{x:.2f} times as long<extra></extra>"
    fig.update_traces(marker={"size": 9, "opacity": 0.8}, hovertemplate=hover)
    axis = {"title": "time of a step, relative to Hist2ST", "rangemode": "tozero"}
    return plain(fig, 400, xaxis=axis, yaxis_title="median PCC of a section", legend=ABOVE)


def growth(times: pd.DataFrame) -> go.Figure:
    """Draw the time of one layer, forward and backward, by number of spots; both axes logarithmic.

    Parameters
    ----------
    times
        Table `layers` of the chapter.
    """
    rows = times.assign(row=times["layer"], ms=1000 * times["seconds"])
    fig = px.line(rows, x="spots", y="ms", markers=True, **BY_ROW)
    fig.update_traces(hovertemplate="%{fullData.name}, %{x} spots: %{y:.1f} ms<extra></extra>")
    axes = {
        "xaxis": {"title": "spots", "type": "log", "tickvals": sorted(set(times["spots"]))},
        "yaxis": {"title": "ms forward and backward", "type": "log", "dtick": 1},
    }
    return plain(fig, 380, **axes, legend=ABOVE)
