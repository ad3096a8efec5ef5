"""Figures of the transform chapter: boxes on own and common target, spread over genes by section, how much of each target is depth."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.transforms.results import COMMON, OWN, TRANSFORMS
from compendium.methods import describe
from compendium.plots import scores as score_figures
from compendium.plots.style import colour_of, plain

ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


def own_and_common(boxes: pd.DataFrame) -> go.Figure:
    """Quartile boxes over genes and sections by transform: scored on the target of its own, and on the common one; one row of the figure a method."""
    return _by_transform(boxes.assign(panel=boxes["scored_on"]))


def by_panel(panels: pd.DataFrame) -> go.Figure:
    """The boxes on the common target, one colour for each part of the gene panel."""
    return _by_transform(panels[panels["scored_on"] == COMMON])


def _by_transform(boxes: pd.DataFrame) -> go.Figure:
    rows = boxes.assign(
        split=[describe(name).title for name in boxes["method"]], method=boxes["transform"]
    )
    return score_figures.panel_boxes(rows, list(dict.fromkeys(rows["method"])), TRANSFORMS)


def spreads(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Standard deviation of PCC over genes, one dot a section, one line a row, one panel a target; coloured by patient."""
    order = [title for key, title in titles.items() if key in set(rows["row"])]
    fig = make_subplots(
        2, 1, subplot_titles=[OWN, COMMON], shared_xaxes=True, vertical_spacing=0.09
    )
    for panel, target in enumerate((OWN, COMMON), start=1):
        for patient, colour in colour_of(sorted(rows["patient"].unique())).items():
            part = rows[(rows["patient"] == patient) & (rows["scored_on"] == target)]
            fig.add_scatter(
                x=part["sd"].to_numpy(),
                y=part["row"].map(titles).to_numpy(),
                mode="markers",
                name=f"patient {patient}",
                legendgroup=patient,
                showlegend=panel == 1,
                marker={"color": colour, "size": 9, "opacity": 0.8},
                text=part["section"].to_numpy(),
                hovertemplate="%{text}: %{x:.3f}<extra></extra>",
                row=panel,
                col=1,
            )
    fig.update_yaxes(categoryorder="array", categoryarray=order[::-1]).update_xaxes(
        title_text="standard deviation of PCC<br>over genes", rangemode="tozero", row=2, col=1
    )
    return plain(
        fig,
        180 + 48 * len(order),
        legend={"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"},
    ).update_layout(margin_t=80)


def depth_in_targets(rows: pd.DataFrame) -> go.Figure:
    """Median correlation of each target with depth, one dot a section."""
    fig = go.Figure()
    for section, colour in colour_of(list(dict.fromkeys(rows["section"]))).items():
        part = rows[rows["section"] == section]
        fig.add_scatter(
            x=part["pcc"].to_numpy(),
            y=part["transform"].map(TRANSFORMS).to_numpy(),
            mode="markers",
            name=section,
            marker={"color": colour, "size": 9, "opacity": 0.8},
            hovertemplate=f"{section}, %{{y}}: %{{x:.2f}}<extra></extra>",
        )
    fig.add_vline(x=0, line_width=1, line_dash="dot", line_color="#888888")
    order = {
        "categoryorder": "array",
        "categoryarray": [TRANSFORMS[word] for word in dict.fromkeys(rows["transform"])][::-1],
    }
    return plain(
        fig,
        150 + 34 * rows["transform"].nunique(),
        xaxis_title="correlation with depth,<br>median over genes",
        yaxis=order,
        legend=ABOVE,
    )
