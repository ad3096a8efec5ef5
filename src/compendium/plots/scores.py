"""Figures of scores that several chapters draw: boxes, section by method, training curves."""

from collections.abc import Mapping

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from compendium.data.splits import MATCHED
from compendium.plots.style import ABOVE, COLOURS, DIVERGING, ZERO_LINE, colour_of, plain, stacked

SPLITS = ("section-out", "patient-out", *MATCHED)
SPLIT_COLOUR = {split: COLOURS[i] for split, i in zip(SPLITS, (0, 1, 5, 4), strict=True)}
BELOW = {"orientation": "h", "x": 0, "y": -0.25, "yanchor": "top", "title": ""}
"""Legend below the axis, for many names."""
QUARTILES = {"q1": "q25", "median": "median", "q3": "q75"}
"""Argument of a box -> column of `compendium.evaluation.scores.summary`."""
FENCES = {"lowerfence": "low", "upperfence": "high"}
"""Argument of its whiskers -> column of the same table."""


def boxes(
    rows: pd.DataFrame,
    methods: list[str],
    titles: dict[str, str],
    colours: Mapping[str, str] = SPLIT_COLOUR,
) -> go.Figure:
    """Draw one box a method and split; whiskers reach the 5th and 95th percentile.

    Parameters
    ----------
    rows
        Summary of scores by method and split (`compendium.evaluation.scores.summary`).
    methods, titles
        Methods in order, and the title of each; those without a score are left out.
    colours
        Split -> colour.
    """
    fig = go.Figure()
    methods = _scored(rows, methods)
    for split, group in rows.groupby("split", sort=False):
        colour = colours.get(split, COLOURS[2])
        fig.add_box(**_box(group, methods, titles), name=split, marker_color=colour, line_width=1.5)
    fig.add_hline(y=0, **ZERO_LINE)
    axes = {"yaxis_title": "PCC per gene and section", "xaxis_tickangle": -25}
    return plain(fig, 460, boxmode="group", legend=ABOVE, **axes)


def panel_boxes(rows: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> go.Figure:
    """Draw the boxes of `boxes`, one colour a part of the gene panel, one row a split.

    Parameters
    ----------
    rows
        Summary of scores by panel, split and method.
    methods, titles
        Methods in order, and the title of each.
    """
    methods = _scored(rows, methods)
    splits, panels = (list(dict.fromkeys(rows[column])) for column in ("split", "panel"))
    fig, colours = stacked(splits), colour_of(panels)
    for (panel, split), group in rows.groupby(["panel", "split"], sort=False):
        fig.add_box(
            **_box(group, methods, titles),
            name=panel,
            legendgroup=panel,
            showlegend=split == splits[0],
            marker_color=colours[panel],
            line_width=1.2,
            row=splits.index(split) + 1,
            col=1,
        )
    fig.add_hline(y=0, **ZERO_LINE)
    fig.update_yaxes(title_text="PCC").update_xaxes(tickangle=-35, row=len(splits), col=1)
    legend = ABOVE | {"y": 1 + 35 / (250 * len(splits))}  # above the title of the first panel
    fig = plain(fig, 200 + 250 * len(splits), boxmode="group", legend=legend)
    return fig.update_layout(margin_t=80)


def _scored(rows: pd.DataFrame, methods: list[str]) -> list[str]:
    scored = set(rows.loc[rows["median"].notna(), "method"])
    return [method for method in methods if method in scored]


def _box(rows: pd.DataFrame, methods: list[str], titles: dict[str, str]) -> dict:
    group = rows.set_index("method").reindex(methods)
    quartiles = {name: group[column] for name, column in (QUARTILES | FENCES).items()}
    return {"x": [titles[method] for method in methods], "hoverinfo": "y+name"} | quartiles


def section_by_method(
    medians: pd.DataFrame,
    methods: list[str],
    titles: dict[str, str],
    score: str = "median PCC",
) -> go.Figure:
    """Draw the median PCC over genes: sections down, methods across, one panel a split.

    Parameters
    ----------
    medians
        section, method, split, median.
    methods, titles
        Methods in order, and the title of each; those without a score are left out.
    score
        What the score is.
    """
    drawn = medians.dropna(subset="median")
    methods = _scored(drawn, methods)
    sizes = drawn.groupby("split", sort=False)["section"].nunique().to_dict()
    height = 90 + 30 * sum(sizes.values()) + 40 * len(sizes)
    gap = max(0.09, 40 / height)  # room for a title
    fig = stacked(list(sizes), gap, row_heights=list(sizes.values()))
    for row, split in enumerate(sizes, start=1):
        part = drawn[drawn["split"] == split]
        cells = part.pivot(index="section", columns="method", values="median")
        cells = cells.reindex(columns=methods).sort_index(ascending=False)
        fig.add_heatmap(
            **heat_cells(cells.rename(columns=titles), "{:z.2f}"),
            hovertemplate=f"%{{y}}, %{{x}}: {score} %{{z:.3f}}<extra></extra>",
            row=row,
            col=1,
        )
    fig.update_xaxes(tickangle=-35, showgrid=False).update_yaxes(type="category", showgrid=False)
    bound = float(drawn["median"].abs().max()) if len(drawn) else 1.0
    scale = {
        "colorscale": DIVERGING,
        "cmin": -bound,
        "cmax": bound,
        "colorbar": {"title": score, "thickness": 12},
    }
    return plain(fig, 100 + height, coloraxis=scale)


def heat_cells(cells: pd.DataFrame, form: str) -> dict[str, object]:
    """Return the arguments of a heat map with its values written in; missing ones stay empty."""
    text = cells.map(form.format).where(cells.notna(), "").to_numpy()
    return {
        "x": list(cells.columns),
        "y": list(cells.index),
        "z": cells.to_numpy(),
        "text": text,
        "texttemplate": "%{text}",
        "xgap": 1,
        "ygap": 1,
        "coloraxis": "coloraxis",
    }


def curves(rows: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """Draw the training loss by step relative to the first epoch, one thin line a row and fold.

    Parameters
    ----------
    rows
        Table of `compendium.evaluation.comparison.Fitted.curves`.
    titles
        Key of a row -> title; rows of one title share its colour.
    """
    rows = rows.assign(line=rows["method"] + rows["fold"], method=rows["method"].map(titles))
    line = {"color": "method", "line_group": "line", "color_discrete_sequence": COLOURS}
    along = "step" if "step" in rows else "epoch"
    fig = px.line(rows, x=along, y="relative", render_mode="svg", **line)
    hover = f"%{{fullData.name}}, {along} %{{x}}: %{{y:.2f}}<extra></extra>"
    fig.update_traces(line_width=1.2, opacity=0.7, hovertemplate=hover)
    ticks = {"type": "log", "tickvals": [1, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]}
    return plain(fig, 400, yaxis={"title": "training loss / first epoch"} | ticks, legend=BELOW)
