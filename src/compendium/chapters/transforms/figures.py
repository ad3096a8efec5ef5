"""Figures of the transform chapter: boxes, spread over genes, depth in each target."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.transforms.design import TRANSFORMS
from compendium.chapters.transforms.results import COMMON, OWN
from compendium.methods import describe
from compendium.plots import scores
from compendium.plots.style import colour_of, plain

ABOVE = {"orientation": "h", "x": 0, "yanchor": "bottom"}


def own_and_common(boxes: pd.DataFrame) -> go.Figure:
    """Draw a box a transform, on its own target and on the common one, a panel a method."""
    return _by_transform(boxes.assign(panel=boxes["scored_on"]))


def by_panel(panels: pd.DataFrame) -> go.Figure:
    """Draw the boxes on the common target, one colour for each part of the gene panel."""
    return _by_transform(panels[panels["scored_on"] == COMMON])


def _by_transform(boxes: pd.DataFrame) -> go.Figure:
    method_titles = [describe(name).title for name in boxes["method"]]
    rows = boxes.assign(split=method_titles, method=boxes["transform"])
    return scores.panel_boxes(rows, list(dict.fromkeys(rows["method"])), TRANSFORMS)


def spreads(rows: pd.DataFrame, titles: Mapping[str, str]) -> go.Figure:
    """Draw the standard deviation of PCC over genes, a dot a section, a panel a target."""
    order = [title for key, title in titles.items() if key in set(rows["row"])]
    spacing = {"shared_xaxes": True, "vertical_spacing": 0.09}
    fig = make_subplots(2, 1, subplot_titles=[OWN, COMMON], **spacing)
    for panel, target in enumerate((OWN, COMMON), start=1):
        for patient, colour in colour_of(sorted(rows["patient"].unique())).items():
            part = rows[(rows["patient"] == patient) & (rows["scored_on"] == target)]
            fig.add_scatter(
                **_dots(part["sd"], part["row"].map(titles), colour),
                name=f"patient {patient}",
                legendgroup=patient,
                showlegend=panel == 1,
                text=part["section"].to_numpy(),
                hovertemplate="%{text}: %{x:.3f}<extra></extra>",
                row=panel,
                col=1,
            )
    fig.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    title = "standard deviation of PCC<br>over genes"
    fig.update_xaxes(title_text=title, rangemode="tozero", row=2, col=1)
    fig = plain(fig, 180 + 48 * len(order), legend=ABOVE | {"y": 1.06})
    return fig.update_layout(margin_t=80)


def depth_in_targets(rows: pd.DataFrame) -> go.Figure:
    """Draw the median correlation of each target with depth, a dot a section."""
    fig, order = go.Figure(), [TRANSFORMS[name] for name in dict.fromkeys(rows["transform"])]
    for section, colour in colour_of(list(dict.fromkeys(rows["section"]))).items():
        part = rows[rows["section"] == section]
        fig.add_scatter(
            **_dots(part["pcc"], part["transform"].map(TRANSFORMS), colour),
            name=section,
            hovertemplate=f"{section}, %{{y}}: %{{x:.2f}}<extra></extra>",
        )
    fig.add_vline(x=0, line_width=1, line_dash="dot", line_color="#888888")
    fig.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    title = "correlation with depth,<br>median over genes"
    legend = ABOVE | {"y": 1.02}
    return plain(fig, 150 + 34 * len(order), xaxis_title=title, legend=legend)


def _dots(x: pd.Series, y: pd.Series, colour: str) -> dict[str, object]:
    marker = {"color": colour, "size": 9, "opacity": 0.8}
    return {"x": x.to_numpy(), "y": y.to_numpy(), "mode": "markers", "marker": marker}
