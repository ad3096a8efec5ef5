"""Dots of sections on lines of rows: differences, distances."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from compendium.plots.style import plain


def dots(
    found: pd.DataFrame,
    value: str,
    lines: Sequence[str],
    colours: Mapping[str, str],
    axis: Mapping[str, object],
    step: int = 30,
    digits: int = 3,
) -> go.Figure:
    """The column `value`, one dot a section, on the line that the column `line` names; coloured by the column `of`.

    lines: those there may be, from the top. axis: facts of the x axis. step: height of a line in px. digits: places of a value under the pointer.
    """
    fig, lines = go.Figure(), [line for line in lines if line in set(found["line"])]
    for name in dict.fromkeys(found["of"]):
        part = found[found["of"] == name]
        fig.add_scatter(
            x=part[value],
            y=part["line"],
            mode="markers",
            name=name,
            text=part["section"],
            marker={"color": colours[name], "size": 9, "opacity": 0.85},
            hovertemplate=f"%{{text}}: %{{x:.{digits}f}}<extra></extra>",
        )
    order = {"categoryorder": "array", "categoryarray": lines[::-1]}
    return plain(
        fig,
        170 + step * len(lines),
        xaxis=dict(axis),
        yaxis=order,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )


def differences(
    found: pd.DataFrame,
    lines: Sequence[str],
    colours: Mapping[str, str],
    step: int = 30,
    bar: float = np.nan,
) -> go.Figure:
    """Dots of the column `difference` (see `dots`) beside a line at none; the band, where there is one, reaches `bar` to either side."""
    fig = dots(
        found,
        "difference",
        lines,
        colours,
        {"title": "difference of PCC,<br>mean over genes"},
        step,
    )
    if np.isfinite(bar):
        fig.add_vrect(x0=-bar, x1=bar, fillcolor="#888888", opacity=0.15, line_width=0)
    return fig.add_vline(x=0, line_width=1, line_dash="dot", line_color="#888888")
