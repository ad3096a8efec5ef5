"""Figures of chapter 3: genes per spot by role, scores in and out, losses by distance."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.ood.shift import MEASURES
from compendium.data.partition import OUTSIDE, ROLES
from compendium.plots import scores as score_figures
from compendium.plots.style import COLOURS, ROLE_COLOUR, ZERO_LINE, colour_of, plain

SHAPES = ("circle", "square", "diamond", "cross")
"""Markers; the ninth method has the colour of the first, and the second shape."""
ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


def genes_per_spot(density: pd.DataFrame) -> go.Figure:
    """Draw the density of genes per spot (table of `densities`), one line a section."""
    fig, firsts = go.Figure(), set(density.drop_duplicates("role")["section"])
    for (role, section), lines in density.groupby(["role", "section"], sort=False):
        look = {"mode": "lines", "line": {"color": ROLE_COLOUR[role], "width": 1.8}}
        entry = {"name": role, "legendgroup": role, "showlegend": section in firsts}
        hover = f"section {section}, {role}<br>%{{x:,.0f}} genes<extra></extra>"
        fig.add_scatter(x=lines["genes"], y=lines["density"], hovertemplate=hover, **look, **entry)
    across = {"title": "genes seen in a spot", "rangemode": "tozero"}
    up = {"title": "density of spots", "rangemode": "tozero"}
    return plain(fig, 340, xaxis=across, yaxis=up, legend=ABOVE)


def in_and_out(boxes: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> go.Figure:
    """Draw boxes over genes by method, validation beside test (table `boxes` of the chapter)."""
    rows = pd.concat([boxes[boxes["role"] == role].assign(split=role) for role in ROLES])
    return score_figures.boxes(rows, methods, titles, ROLE_COLOUR)


def lost_by_distance(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw what each method loses in a section against how far the section lies.

    Test sections are filled markers, validation sections open ones.

    Parameters
    ----------
    rows
        Table of `drops`: one panel a measure of shift.
    titles
        Method -> title.
    """
    measures = [name for name in MEASURES if name in set(rows["measure"])]
    panels = [f"shift in {MEASURES[name]}" for name in measures]
    gap = 0.32 / max(len(measures), 1)
    fig = make_subplots(len(measures), 1, subplot_titles=panels, vertical_spacing=gap)
    colours = colour_of(list(dict.fromkeys(rows["method"])))
    for number, (method, colour) in enumerate(colours.items()):
        shape, own = SHAPES[number // len(COLOURS)], rows[rows["method"] == method]
        name = {"mode": "markers", "name": titles[method], "legendgroup": method}
        marker = {"color": colour, "size": 9, "symbol": shape}
        fig.add_scatter(x=[None], y=[None], marker=marker, **name, row=1, col=1)  # of the legend
        for row, measure in enumerate(measures, start=1):
            part = own[own["measure"] == measure]
            fig.add_scatter(**_losses(part, titles[method], marker), **name, row=row, col=1)
    fig.add_hline(y=0, **ZERO_LINE).add_vline(x=1, **ZERO_LINE)
    fig.update_yaxes(title_text="drop of median PCC").update_xaxes(rangemode="tozero")
    unit = "distance, in units of that among training sections"
    fig.update_xaxes(title_text=unit, row=len(measures), col=1)
    legend = {"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top"}
    return plain(fig, 150 + 230 * len(measures), legend=legend)


def _losses(rows: pd.DataFrame, title: str, marker: dict) -> dict[str, object]:
    shape, line = marker["symbol"], {"color": marker["color"], "width": 1.5}
    symbols = [shape if role == OUTSIDE else f"{shape}-open" for role in rows["role"]]
    hover = f"%{{text}}, {title}<br>%{{x:.1f}} times the reference, drop %{{y:.3f}}<extra></extra>"
    places = {"x": rows["fold"], "y": rows["drop"], "text": rows["section"] + ", " + rows["role"]}
    look = {"marker": marker | {"symbol": symbols, "line": line}, "showlegend": False}
    return places | look | {"hovertemplate": hover}


def authors_rows(rows: pd.DataFrame) -> go.Figure:
    """Draw the authors' scores: one box a method and section, first to third quartile.

    Parameters
    ----------
    rows
        Those of `authors_scores`; boxes are coloured by the role of the section's name.
    """
    fig = go.Figure()
    for role in ROLES:
        part = rows[rows["role"] == role]
        for number, (section, own) in enumerate(part.groupby("section", sort=False)):
            quartiles = {"q1": own["q25"], "median": own["median"], "q3": own["q75"]}
            fences = {"lowerfence": own["q25"], "upperfence": own["q75"]}
            entry = {"name": role, "legendgroup": role, "showlegend": number == 0}
            look = {"marker_color": ROLE_COLOUR[role], "line_width": 1.2, "offsetgroup": section}
            hover = {"hovertext": section, "hoverinfo": "text+y"}
            fig.add_box(x=own["method"], **quartiles, **fences, **entry, **look, **hover)
    fig.add_hline(y=0, **ZERO_LINE).update_xaxes(tickangle=-25).update_yaxes(title="PCC per gene")
    return plain(fig, 420, boxmode="group", legend=ABOVE)
