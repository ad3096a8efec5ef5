"""Figures of the out-of-distribution chapter: genes per spot by role, boxes in and out, what is lost beside how far away, the authors' own rows."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.ood.shift import MEASURES
from compendium.data.partition import ROLES
from compendium.plots import scores as score_figures
from compendium.plots.style import COLOURS, ROLE_COLOUR, colour_of, plain

SHAPES = ("circle", "square", "diamond", "cross")  # one a round of colours
ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


def genes_per_spot(density: pd.DataFrame) -> go.Figure:
    """Density of the number of genes seen in a spot, one line a section, coloured by role."""
    fig = go.Figure()
    for (role, section), lines in density.groupby(["role", "section"], sort=False):
        first = section == density.loc[density["role"] == role, "section"].iloc[0]
        fig.add_scatter(
            x=lines["genes"].to_numpy(),
            y=lines["density"].to_numpy(),
            mode="lines",
            line={"color": ROLE_COLOUR[role], "width": 1.8},
            name=role,
            legendgroup=role,
            showlegend=first,
            hovertemplate=f"section {section}, {role}<br>%{{x:,.0f}} genes<extra></extra>",
        )
    return plain(
        fig,
        340,
        xaxis={"title": "genes seen in a spot", "rangemode": "tozero"},
        yaxis={"title": "density of spots", "rangemode": "tozero"},
        legend=ABOVE,
    )


def in_and_out(boxes: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> go.Figure:
    """Quartile boxes over genes by method, validation beside test; boxes: the table of ood.study."""
    order = boxes.assign(split=boxes["role"]).sort_values(
        "role", key=lambda roles: roles.map(ROLES.index), kind="stable"
    )
    return score_figures.boxes(order, methods, titles, ROLE_COLOUR)


def lost_by_distance(found: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """What each method loses in a section against how far that section lies, one panel a measure of shift; validation sections hollow.

    The ninth method has the colour of the first, and another shape.
    """
    measures = [name for name in MEASURES if name in set(found["measure"])]
    fig = make_subplots(
        len(measures),
        1,
        subplot_titles=[f"shift in {MEASURES[name]}" for name in measures],
        vertical_spacing=0.32 / max(len(measures), 1),
    )
    for number, (method, colour) in enumerate(
        colour_of(list(dict.fromkeys(found["method"]))).items()
    ):
        shape = SHAPES[number // len(COLOURS)]
        key = {
            "mode": "markers",
            "x": [None],
            "y": [None],
        }  # of the legend alone, whose mark is full
        fig.add_scatter(
            **key,
            name=titles[method],
            legendgroup=method,
            marker={"color": colour, "size": 9, "symbol": shape},
            row=1,
            col=1,
        )
        for row, measure in enumerate(measures, start=1):
            part = found[(found["method"] == method) & (found["measure"] == measure)]
            symbols = [shape if role == ROLES[2] else f"{shape}-open" for role in part["role"]]
            fig.add_scatter(
                x=part["fold"].to_numpy(),
                y=part["drop"].to_numpy(),
                mode="markers",
                name=titles[method],
                legendgroup=method,
                showlegend=False,
                marker={
                    "color": colour,
                    "size": 9,
                    "symbol": symbols,
                    "line": {"color": colour, "width": 1.5},
                },
                text=(part["section"] + ", " + part["role"]).to_numpy(),
                hovertemplate=f"%{{text}}, {titles[method]}<br>%{{x:.1f}} times the reference, drop %{{y:.3f}}<extra></extra>",
                row=row,
                col=1,
            )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888").add_vline(
        x=1, line_width=1, line_dash="dot", line_color="#888888"
    )
    fig.update_yaxes(title_text="drop of median PCC").update_xaxes(rangemode="tozero")
    fig.update_xaxes(
        title_text="distance, in units of that among training sections", row=len(measures), col=1
    )
    return plain(
        fig,
        150 + 230 * len(measures),
        legend={"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top"},
    )


def marks_told(found: pd.DataFrame) -> str:
    """What the marks of `lost_by_distance` mean, for its caption."""
    if (found["role"] == ROLES[1]).any():
        return "full marks test, hollow ones validation"
    return "marks are test sections; the one validation section is that mean, and is not drawn"


def authors_rows(rows: pd.DataFrame) -> go.Figure:
    """The authors' own scores: a box a method and section from first to third quartile, coloured by the role that the section's name gives it."""
    fig = go.Figure()
    for role in ROLES:
        part = rows[rows["role"] == role]
        for number, section in enumerate(dict.fromkeys(part["section"])):
            own = part[part["section"] == section]
            fig.add_box(
                x=own["method"],
                q1=own["q25"],
                median=own["median"],
                q3=own["q75"],
                lowerfence=own["q25"],
                upperfence=own["q75"],
                name=role,
                legendgroup=role,
                showlegend=number == 0,
                offsetgroup=section,
                marker_color=ROLE_COLOUR[role],
                line_width=1.2,
                hovertext=section,
                hoverinfo="text+y",
            )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    return plain(
        fig, 420, boxmode="group", yaxis_title="PCC per gene", xaxis_tickangle=-25, legend=ABOVE
    )
