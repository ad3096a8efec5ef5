"""Figures of chapter 6: the sweep over gamma, ROC curves, confusion matrices."""

from collections.abc import Iterator

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.plots.slides import CLASS_COLOURS
from compendium.plots.style import COLOURS, ZERO_LINE, colour_of, plain

REFERENCE = "reference"
CANCER_LINE = {"color": "#8B6FD0", "width": 3.5, "dash": "dash"}
CHANCE_LINE = {"color": "#888888", "width": 1, "dash": "dot"}
PANEL_PX = 290
DASHES = ("solid", "dash", "dot")
RATE = {"range": [-0.02, 1.02], "tickvals": [0, 0.5, 1]}
BAR = {
    "title": {"text": "share of the class", "side": "top"},
    "tickformat": ".0%",
    "orientation": "h",
    "thickness": 10,
    "len": 0.6,
    "yanchor": "top",
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
    fig = make_subplots(
        2,
        1,
        shared_xaxes=True,
        vertical_spacing=0.08,
        subplot_titles=("expression (reference: Hist2ST)", "classes (reference: the commonest)"),
    )
    fig.update_annotations(font_size=13)
    gammas = sorted(rows["gamma"].dropna().unique())
    colours = colour_of(list(dict.fromkeys(rows["section"])))
    dashes = dict(zip(dict.fromkeys(rows["split"]), DASHES, strict=False))
    for (section, split), group in rows.groupby(["section", "split"], sort=False):
        line = {"color": colours[section], "width": 1.8, "dash": dashes[split]}
        _add_sweep(fig, f"{section}, {split}", group, gammas, line)
    fig.add_vline(x=0.5, **ZERO_LINE)
    fig.update_xaxes(type="category")
    fig.update_xaxes(title_text="weight γ of the classes in the loss", row=2, col=1)
    fig.update_yaxes(title_text="median PCC", row=1, col=1)
    fig.update_yaxes(title_text="F1, mean of classes", rangemode="tozero", row=2, col=1)
    return plain(fig, 560, legend={"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0})


def _add_sweep(
    fig: go.Figure, name: str, group: pd.DataFrame, gammas: list[float], line: dict
) -> None:
    swept = group.dropna(subset="gamma").set_index("gamma").reindex(gammas)
    reference = group[group["gamma"].isna()]
    for row, (value, beside) in enumerate((("pcc", "pcc"), ("f1", "majority_f1")), start=1):
        first = (reference if beside == "pcc" else swept)[beside].mean()
        fig.add_scatter(
            x=[REFERENCE, *(f"{gamma:g}" for gamma in gammas)],
            y=[first, *swept[value]],
            mode="lines+markers",
            name=name,
            legendgroup=name,
            showlegend=row == 1,
            line=line,
            marker={"size": 8, "symbol": ["diamond-open", *["circle"] * len(gammas)]},
            hovertemplate=f"{name}<br>γ %{{x}}: %{{y:.3f}}<extra></extra>",
            row=row,
            col=1,
        )


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
    fig, panels = _panels(curves, wide=0.14, high=60)
    classes = sorted(set(curves["class"]) - {"cancer"})
    colours = class_colours(classes)
    lines = {name: {"color": colours[name], "width": 1.6} for name in classes}
    lines["cancer"] = CANCER_LINE  # last, on top of the others
    listed: set[str] = set()
    for title, group, place in panels:
        diagonal = {"mode": "lines", "line": CHANCE_LINE, "hoverinfo": "skip"}
        fig.add_scatter(x=[0, 1], y=[0, 1], showlegend=False, **diagonal, **place)
        for name in [name for name in lines if name in set(group["class"])]:
            curve = group[group["class"] == name]
            fig.add_scatter(
                x=curve["false_positive"],
                y=curve["true_positive"],
                mode="lines",
                line=lines[name],
                name=name,
                legendgroup=name,
                showlegend=name not in listed,
                hovertemplate=f"{title}, {name}<br>true positive %{{y:.0%}}, "
                "false positive %{x:.0%}<extra></extra>",
                **place,
            )
            listed.add(name)
    high = _height(curves)
    fig.update_xaxes(**RATE).update_yaxes(**RATE)
    fig.update_xaxes(title_text="false positive rate", row=high // PANEL_PX)
    fig.update_yaxes(title_text="true positive rate", col=1)
    legend = {"orientation": "h", "y": -55 / high, "yanchor": "top", "x": 0}
    return plain(fig, 130 + high, legend=legend)


def confusions(cells: pd.DataFrame) -> go.Figure:
    """Draw the share of each class (down) by the answer (across), one panel a section and split.

    The number of spots stands in each cell.

    Parameters
    ----------
    cells
        Table `confusion` of the chapter.
    """
    fig, panels = _panels(cells, wide=0.3, high=100)
    for title, group, place in panels:
        table = group.pivot(index="class", columns="answer", values="spots")
        table = table.reindex(index=table.columns[::-1])
        total = table.sum(axis=1)
        fig.add_heatmap(
            z=table.div(total.where(total > 0), axis=0).to_numpy(),
            x=[_short(name) for name in table.columns],
            y=[_short(name) for name in table.index],
            text=[[str(n) if n else "" for n in line] for line in table.to_numpy()],
            texttemplate="%{text}",
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            customdata=table.to_numpy(),
            hovertemplate=f"{title}<br>%{{y}}, answered %{{x}}: %{{customdata}} spots, "
            "%{z:.0%}<extra></extra>",
            **place,
        )
    fig.update_xaxes(tickangle=-45, showgrid=False).update_yaxes(showgrid=False)
    high = _height(cells)
    scale = {"colorscale": [[0, "#EAF2F8"], [1, COLOURS[0]]], "cmin": 0, "cmax": 1}
    axis = scale | {"colorbar": BAR | {"y": -75 / high}}
    return plain(fig, 170 + high, coloraxis=axis).update_layout(margin_b=130)


Panel = tuple[str, pd.DataFrame, dict[str, int]]  # title, rows, place in the figure


def _panels(table: pd.DataFrame, wide: float, high: float) -> tuple[go.Figure, Iterator[Panel]]:
    """Return a figure with two panels a row, one a section and split, and the panels.

    wide, high: space between panels, as share of the width and in px, for the names of classes.
    """
    groups = [
        (", ".join(key), part) for key, part in table.groupby(["section", "split"], sort=False)
    ]
    px = _height(table)
    fig = make_subplots(
        px // PANEL_PX,
        2,
        subplot_titles=[title for title, _ in groups],
        horizontal_spacing=wide,
        vertical_spacing=high / px,
    )
    panels = (
        (title, part, {"row": i // 2 + 1, "col": i % 2 + 1})
        for i, (title, part) in enumerate(groups)
    )
    return fig.update_annotations(font_size=13), panels


def _height(table: pd.DataFrame) -> int:
    """Return the height of all panels in px."""
    panels = len(table[["section", "split"]].drop_duplicates())
    return PANEL_PX * max(1, -(-panels // 2))


def _short(name: str) -> str:
    """Return what distinguishes a class: invasive cancer -> invasive, breast glands -> glands."""
    for word in (" cancer", " tissue", " infiltrate"):
        name = name.removesuffix(word)
    return name.removeprefix("cancer ").removeprefix("breast ")
