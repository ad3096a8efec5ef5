"""Figures of chapter 6: the sweep over gamma, ROC curves, confusion matrices."""

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.plots.scores import heat_cells
from compendium.plots.slides import CLASS_COLOURS
from compendium.plots.style import COLOURS, ZERO_LINE, colour_of, name_panels, plain

REFERENCE = "reference"
CANCER_LINE = {"color": "#8B6FD0", "width": 3.5, "dash": "dash"}
CHANCE_LINE = {"color": "#888888", "width": 1, "dash": "dot"}
PANEL_PX = 290
DASHES = ("solid", "dash", "dot")
RATE = {"range": [-0.02, 1.02], "tickvals": [0, 0.5, 1]}
PANELS = {
    "pcc": "expression (reference: Hist2ST)",
    "f1": "classes (reference: the commonest)",
}
BELOW = {"orientation": "h", "x": 0, "yanchor": "top", "title": ""}
BAR = {
    "orientation": "h",
    "yanchor": "top",
    "thickness": 10,
    "len": 0.6,
    "tickformat": ".0%",
    "title": {"text": "share of the class", "side": "top"},
}


def gamma_sweep(rows: pd.DataFrame) -> go.Figure:
    """Draw median PCC (above) and mean F1 over classes (below) against gamma.

    One line a section and split; left, the references: Hist2ST, and the commonest class.

    Parameters
    ----------
    rows
        Table `sweep` of the chapter without permuted-image controls; a row whose gamma is NaN is
        Hist2ST's.
    """
    test = ["section", "split"]
    rows = rows.sort_values("gamma", na_position="first", kind="stable")
    weights = rows["gamma"].map("{:g}".format).where(rows["gamma"].notna(), REFERENCE)
    commonest = rows.groupby(test)["majority_f1"].transform("mean")
    f1 = rows["f1"].where(rows["gamma"].notna(), commonest)
    long = rows.assign(f1=f1, weight=weights).melt([*test, "weight"], list(PANELS), "panel")
    fig = px.line(
        long.replace({"panel": PANELS}),
        x="weight",
        y="value",
        color="section",
        line_dash="split",
        facet_col="panel",
        facet_col_wrap=1,
        color_discrete_sequence=COLOURS,
        line_dash_sequence=DASHES,
        category_orders={"weight": list(dict.fromkeys(weights))},
        markers=True,
    )
    symbols = ["diamond-open", *["circle"] * (weights.nunique() - 1)]
    hover = "%{fullData.name}<br>γ %{x}: %{y:.3f}<extra></extra>"
    fig.update_traces(line_width=1.8, marker={"size": 8, "symbol": symbols}, hovertemplate=hover)
    name_panels(fig).update_annotations(font_size=13).add_vline(x=0.5, **ZERO_LINE)
    fig.update_xaxes(type="category")
    fig.update_xaxes(title_text="weight γ of the classes in the loss", row=1)
    fig.update_yaxes(matches=None, title_text="median PCC", row=2)
    fig.update_yaxes(title_text="F1, mean of classes", rangemode="tozero", row=1)
    return plain(fig, 560, legend=BELOW | {"y": -0.16})


def class_colours(names: list[str]) -> dict[str, str]:
    """Return the colour of each class: chapter 1's where it has one, else by place in the list."""
    return {name: CLASS_COLOURS.get(name, colour) for name, colour in colour_of(names).items()}


def roc_curves(curves: pd.DataFrame) -> go.Figure:
    """Draw the ROC curve of each class against the rest, one panel a section and split.

    Thick and dashed: cancer against all else.

    Parameters
    ----------
    curves
        Table `roc` of the chapter.
    """
    classes, high = sorted(set(curves["class"]) - {"cancer"}), _height(curves)
    titles = {"false_positive": "false positive rate", "true_positive": "true positive rate"}
    fig = px.line(
        curves.assign(panel=_test(curves)).rename(columns=titles),
        x=titles["false_positive"],
        y=titles["true_positive"],
        color="class",
        color_discrete_map=class_colours(classes),
        category_orders={"class": [*classes, "cancer"]},  # cancer on top of the others
        facet_col="panel",
        facet_col_wrap=2,
        facet_col_spacing=0.14,
        facet_row_spacing=60 / high,
        render_mode="svg",
    )
    hover = "%{fullData.name}<br>true positive %{y:.0%}, false positive %{x:.0%}<extra></extra>"
    fig.update_traces(line_width=1.6, hovertemplate=hover).update_traces(
        line=CANCER_LINE, selector={"name": "cancer"}
    )
    name_panels(fig).update_annotations(font_size=13)
    fig.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line=CHANCE_LINE, row="all", col="all")
    fig.update_xaxes(**RATE).update_yaxes(**RATE)
    return plain(fig, 130 + high, legend=BELOW | {"y": -55 / high})


def confusions(cells: pd.DataFrame) -> go.Figure:
    """Draw the share of each class (down) by the answer (across), one panel a section and split.

    The number of spots stands in each cell.

    Parameters
    ----------
    cells
        Table `confusion` of the chapter.
    """
    groups, high = dict(list(cells.groupby(_test(cells), sort=False))), _height(cells)
    spacing = {"horizontal_spacing": 0.3, "vertical_spacing": 100 / high}
    fig = make_subplots(high // PANEL_PX, 2, subplot_titles=list(groups), **spacing)
    fig.update_annotations(font_size=13)
    for i, (title, group) in enumerate(groups.items()):
        table = group.pivot(index="class", columns="answer", values="spots")
        table = table.reindex(index=table.columns[::-1]).rename(index=_short, columns=_short)
        total = table.sum(axis=1)
        cell = heat_cells(table.where(table > 0), "{:.0f}")
        cell["z"] = table.div(total.where(total > 0), axis=0).to_numpy()
        fig.add_heatmap(
            **cell,
            customdata=table.to_numpy(),
            hovertemplate=f"{title}<br>%{{y}}, answered %{{x}}: %{{customdata}} spots, "
            "%{z:.0%}<extra></extra>",
            row=i // 2 + 1,
            col=i % 2 + 1,
        )
    fig.update_xaxes(tickangle=-45, showgrid=False).update_yaxes(showgrid=False)
    axis = {
        "colorscale": [[0, "#EAF2F8"], [1, COLOURS[0]]],
        "cmin": 0,
        "cmax": 1,
        "colorbar": {**BAR, "y": -75 / high},
    }
    return plain(fig, 170 + high, coloraxis=axis).update_layout(margin_b=130)


def _test(table: pd.DataFrame) -> pd.Series:
    return table["section"] + ", " + table["split"]


def _height(table: pd.DataFrame) -> int:
    """Return the height of two panels a row, one a section and split, in px."""
    return PANEL_PX * max(1, -(-_test(table).nunique() // 2))


def _short(name: str) -> str:
    """Return what distinguishes a class: invasive cancer -> invasive, breast glands -> glands."""
    for word in (" cancer", " tissue", " infiltrate"):
        name = name.removesuffix(word)
    return name.removeprefix("cancer ").removeprefix("breast ")
