"""Figure of scores within tissue classes."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.plots.style import COLOURS, ZERO_LINE, plain

CONTROL_LINE = {"color": "#8B6FD0", "width": 2, "dash": "dash"}
KINDS = (("pcc", "all labelled spots", COLOURS[0]), ("within", "within classes", COLOURS[1]))


def within_class(rows: pd.DataFrame) -> go.Figure:
    """Draw the median PCC of each method over all labelled spots and within classes.

    One panel a split. Diamonds are means over sections, dots are sections, the dashed line is the
    class-mean control.

    Parameters
    ----------
    rows
        Table of `compendium.evaluation.within_class.within_class`; a method without any
        correlation is left out.
    """
    rows = rows.dropna(subset="pcc")
    titles, splits = (list(dict.fromkeys(rows[column])) for column in ("title", "split"))
    fig = make_subplots(
        len(splits),
        1,
        subplot_titles=splits,
        shared_xaxes=True,
        shared_yaxes="all",
        vertical_spacing=0.1,
    )
    for row, split in enumerate(splits, start=1):
        _add_split(fig, row, rows[rows["split"] == split], titles)
    fig.add_hline(y=0, **ZERO_LINE)
    fig.update_yaxes(title_text="median PCC").update_xaxes(tickangle=-35, row=len(splits), col=1)
    legend = {"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"}
    return plain(fig, 180 + 240 * len(splits), legend=legend).update_layout(margin_t=90)


def _add_split(fig: go.Figure, row: int, part: pd.DataFrame, titles: list[str]) -> None:
    for value, name, colour in KINDS:
        look = {"mode": "markers", "name": name, "legendgroup": name, "row": row, "col": 1}
        fig.add_scatter(
            x=part["title"],
            y=part[value],
            marker={"size": 5, "color": colour, "opacity": 0.4},
            showlegend=False,
            customdata=part[["section"]],
            hovertemplate=f"%{{x}}, %{{customdata[0]}}, {name}: %{{y:.3f}}<extra></extra>",
            **look,
        )
        fig.add_scatter(
            x=titles,
            y=part.groupby("title", sort=False)[value].mean().reindex(titles),
            marker={"size": 11, "color": colour, "symbol": "diamond"},
            showlegend=row == 1,
            hovertemplate=f"%{{x}}, {name}: %{{y:.3f}}, mean of sections<extra></extra>",
            **look,
        )
    control = part.drop_duplicates("section")["control"].mean()
    fig.add_scatter(
        x=titles,
        y=[control] * len(titles),
        mode="lines",
        line=CONTROL_LINE,
        name="class means (control)",
        legendgroup="control",
        showlegend=row == 1,
        hovertemplate="class means of training: %{y:.3f}<extra></extra>",
        row=row,
        col=1,
    )
