"""Dots of sections on lines of rows: differences, paired differences, distances."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from compendium.plots.style import ABOVE, ZERO_LINE, colour_of, name_panels, plain


def dots(
    rows: pd.DataFrame,
    value: str,
    lines: Sequence[str],
    colours: Mapping[str, str],
    axis: Mapping[str, object],
    step: int = 30,
    digits: int = 3,
    panel: str | None = None,
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
    panel
        Column that is drawn in a panel for each value, one below the other.
    """
    lines = [line for line in lines if line in set(rows["line"])]
    parts = {"color": "of", "color_discrete_map": dict(colours), "hover_name": "section"}
    parts |= {"facet_col": panel, "facet_col_wrap": 1} if panel else {}
    fig = px.scatter(rows, x=value, y="line", render_mode="svg", **parts)
    hover = f"%{{hovertext}}: %{{x:.{digits}f}}<extra></extra>"
    fig.update_traces(marker={"size": 9, "opacity": 0.85}, hovertemplate=hover)
    fig.update_yaxes(title_text="", categoryorder="array", categoryarray=lines[::-1])
    return plain(name_panels(fig), 170 + step * len(lines), xaxis=dict(axis), legend=ABOVE)


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


def paired(apart: pd.DataFrame) -> go.Figure:
    """Draw the difference of two rows in each section, one line a comparison, coloured by patient.

    Parameters
    ----------
    apart
        Table of `compendium.evaluation.paired.differences`.
    """
    patients = sorted(f"patient {name}" for name in apart["patient"].unique())
    rows = apart.assign(line=apart["comparison"].map(wrapped), of="patient " + apart["patient"])
    rows = rows.sort_values("of", kind="stable")
    lines = [wrapped(title) for title in dict.fromkeys(apart["comparison"])]
    return differences(rows, lines, colour_of(patients), step=46)


def wrapped(title: str) -> str:
    """Break a comparison into two lines, at its colon or its minus."""
    return title.replace(": ", ":<br>", 1) if ": " in title else title.replace(" − ", "<br>− ", 1)
