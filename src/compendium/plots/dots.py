"""Dots of sections on lines of rows: differences, distances."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from compendium.plots.style import ZERO_LINE, plain

LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
"""Legend above the panel."""


def dots(
    rows: pd.DataFrame,
    value: str,
    lines: Sequence[str],
    colours: Mapping[str, str],
    axis: Mapping[str, object],
    step: int = 30,
    digits: int = 3,
) -> go.Figure:
    """Draw one dot a section.

    Parameters
    ----------
    rows
        Columns line, of, section and `value`.
    value
        Column drawn across.
    lines
        Lines there may be, from the top; those without a dot are left out.
    colours
        Value of the column `of` -> colour.
    axis
        Layout of the x axis.
    step
        Height of a line in px.
    digits
        Decimal places of a value under the pointer.
    """
    fig, lines = go.Figure(), [line for line in lines if line in set(rows["line"])]
    for name, part in rows.groupby("of", sort=False):
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
    return plain(fig, 170 + step * len(lines), xaxis=dict(axis), yaxis=order, legend=LEGEND)


def differences(
    rows: pd.DataFrame,
    lines: Sequence[str],
    colours: Mapping[str, str],
    step: int = 30,
    bar: float = np.nan,
) -> go.Figure:
    """Draw the column `difference` (see `dots`) beside a line at zero.

    Parameters
    ----------
    bar
        Half width of a grey band around zero; none by default.
    """
    axis = {"title": "difference of PCC,<br>mean over genes"}
    fig = dots(rows, "difference", lines, colours, axis, step)
    if np.isfinite(bar):
        fig.add_vrect(x0=-bar, x1=bar, fillcolor="#888888", opacity=0.15, line_width=0)
    return fig.add_vline(x=0, **ZERO_LINE)
