"""Figures of classes: the sweep over gamma, ROC curves, confusion matrices."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.plots.slides import CLASS_COLOURS
from compendium.plots.style import COLOURS, colour_of, plain

REFERENCE = "reference"
CANCER_LINE = {"color": "#8B6FD0", "width": 3.5, "dash": "dash"}
PANEL_PX = 290
DASHES = ("solid", "dash", "dot")


def gamma_sweep(rows: pd.DataFrame) -> go.Figure:
    """Median PCC (above) and mean F1 over classes (below) against gamma, one line a section and split; left, the references: Hist2ST, and the commonest class.

    rows: evidence.gamma.sweep without twins; a row whose gamma is NaN is Hist2ST's.
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
    ticks = [REFERENCE, *(f"{gamma:g}" for gamma in gammas)]
    colours, dashes = (
        colour_of(list(dict.fromkeys(rows["section"]))),
        dict(zip(dict.fromkeys(rows["split"]), DASHES, strict=False)),
    )
    for (section, split), group in rows.groupby(["section", "split"], sort=False):
        swept, reference = (
            group.dropna(subset="gamma").set_index("gamma").reindex(gammas),
            group[group["gamma"].isna()],
        )
        name = f"{section}, {split}"
        line = {"color": colours[section], "width": 1.8, "dash": dashes[split]}
        for row, (first, rest) in enumerate(
            ((reference["pcc"].mean(), swept["pcc"]), (swept["majority_f1"].mean(), swept["f1"])),
            start=1,
        ):
            fig.add_scatter(
                x=ticks,
                y=[first, *rest],
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
    fig.add_vline(x=0.5, line_width=1, line_dash="dot", line_color="#888888")
    fig.update_xaxes(type="category").update_xaxes(
        title_text="weight γ of the classes in the loss", row=2, col=1
    )
    fig.update_yaxes(title_text="median PCC", row=1, col=1).update_yaxes(
        title_text="F1, mean of classes", rangemode="tozero", row=2, col=1
    )
    return plain(fig, 560, legend={"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0})


def class_colours(names: list[str]) -> dict[str, str]:
    """The colour of each class: those of chapter 1 for its classes, others by their place in the list."""
    return {name: CLASS_COLOURS.get(name, colour) for name, colour in colour_of(names).items()}


def roc_curves(curves: pd.DataFrame) -> go.Figure:
    """One panel a section and split: the ROC curve of each class against the rest, and thick and dashed that of cancer against all else.

    curves: evidence.classes.roc with the columns section and split.
    """
    panels, fig = _panels(curves, "square")
    classes = sorted(set(curves["class"]) - {"cancer"})
    lines = {
        name: {"color": colour, "width": 1.6} for name, colour in class_colours(classes).items()
    } | {"cancer": CANCER_LINE}  # last, for it may cover a class
    seen: set[str] = set()
    for (key, group), (row, col) in zip(panels, _places(len(panels)), strict=True):
        fig.add_scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"dash": "dot", "color": "#888888", "width": 1},
            hoverinfo="skip",
            showlegend=False,
            row=row,
            col=col,
        )
        for name in [name for name in lines if name in set(group["class"])]:
            curve = group[group["class"] == name]
            fig.add_scatter(
                x=curve["false_positive"],
                y=curve["true_positive"],
                mode="lines",
                line=lines[name],
                name=name,
                legendgroup=name,
                showlegend=name not in seen,
                hovertemplate=f"{', '.join(key)}, {name}<br>true positive %{{y:.0%}}, false positive %{{x:.0%}}<extra></extra>",
                row=row,
                col=col,
            )
            seen.add(name)
    fig.update_xaxes(range=[-0.02, 1.02], tickvals=[0, 0.5, 1]).update_yaxes(
        range=[-0.02, 1.02], tickvals=[0, 0.5, 1]
    )
    fig.update_xaxes(title_text="false positive rate", row=_rows(len(panels))).update_yaxes(
        title_text="true positive rate", col=1
    )
    high = PANEL_PX * _rows(len(panels))
    return plain(
        fig, 130 + high, legend={"orientation": "h", "y": -55 / high, "yanchor": "top", "x": 0}
    )


def confusions(cells: pd.DataFrame) -> go.Figure:
    """One panel a section and split: of the spots of each class (down) the share that was answered with each (across); the number stands in the cell.

    cells: [section, split, class, answer, spots].
    """
    panels, fig = _panels(cells, "matrix")
    for (key, group), (row, col) in zip(panels, _places(len(panels)), strict=True):
        table = group.pivot(index="class", columns="answer", values="spots")
        table = table.reindex(index=table.columns[::-1])
        total = table.sum(axis=1)
        share = table.div(total.where(total > 0), axis=0).to_numpy()
        text = [[str(n) if n else "" for n in line] for line in table.to_numpy()]
        fig.add_heatmap(
            z=share,
            x=[_short(name) for name in table.columns],
            y=[_short(name) for name in table.index],
            text=text,
            texttemplate="%{text}",
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            customdata=table.to_numpy(),
            row=row,
            col=col,
            hovertemplate=f"{', '.join(key)}<br>%{{y}}, answered %{{x}}: %{{customdata}} spots, %{{z:.0%}}<extra></extra>",
        )
    fig.update_xaxes(tickangle=-45, showgrid=False).update_yaxes(showgrid=False)
    high = PANEL_PX * _rows(len(panels))
    bar = {
        "title": {"text": "share of the class", "side": "top"},
        "tickformat": ".0%",
        "orientation": "h",
        "thickness": 10,
        "len": 0.6,
        "y": -75 / high,
        "yanchor": "top",
    }
    axis = {"colorscale": [[0, "#EAF2F8"], [1, COLOURS[0]]], "cmin": 0, "cmax": 1, "colorbar": bar}
    return plain(fig, 170 + high, coloraxis=axis).update_layout(margin_b=130)


def within_class(rows: pd.DataFrame) -> go.Figure:
    """A panel a split: the median PCC of each method over all labelled spots and within classes, mean of sections, sections as small dots; dashed, the class-mean control.

    rows: evidence.within_class.within_class; a method without any correlation is left out.
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
    for row, (split, part) in enumerate(rows.groupby("split", sort=False), start=1):
        for value, name, colour in (
            ("pcc", "all labelled spots", COLOURS[0]),
            ("within", "within classes", COLOURS[1]),
        ):
            mean = part.groupby("title", sort=False)[value].mean().reindex(titles)
            shared = {"legendgroup": name, "row": row, "col": 1}
            fig.add_scatter(
                x=part["title"],
                y=part[value],
                mode="markers",
                marker={"size": 5, "color": colour, "opacity": 0.4},
                name=name,
                showlegend=False,
                customdata=part[["section"]],
                hovertemplate=f"%{{x}}, %{{customdata[0]}}, {name}: %{{y:.3f}}<extra></extra>",
                **shared,
            )
            fig.add_scatter(
                x=titles,
                y=mean,
                mode="markers",
                marker={"size": 11, "color": colour, "symbol": "diamond"},
                name=name,
                showlegend=row == 1,
                hovertemplate=f"%{{x}}, {name}: %{{y:.3f}}, mean of sections<extra></extra>",
                **shared,
            )
        control = part.drop_duplicates("section")["control"].mean()
        fig.add_scatter(
            x=titles,
            y=[control] * len(titles),
            mode="lines",
            line={"dash": "dash", "color": CANCER_LINE["color"], "width": 2},
            name="class means (control)",
            legendgroup="control",
            showlegend=row == 1,
            hovertemplate=f"class means of training, {split}: %{{y:.3f}}<extra></extra>",
            row=row,
            col=1,
        )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    fig.update_yaxes(title_text="median PCC").update_xaxes(tickangle=-35, row=len(splits), col=1)
    return plain(
        fig,
        180 + 240 * len(splits),
        legend={"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"},
    ).update_layout(margin_t=90)


def _panels(table: pd.DataFrame, kind: str) -> tuple[list, go.Figure]:
    """The table by section and split, and a figure with two panels a row for them."""
    panels = list(table.groupby(["section", "split"], sort=False))
    wide, high = (
        (0.14, 60) if kind == "square" else (0.3, 100)
    )  # share of the width, px: room for the names of classes
    spacing = {
        "horizontal_spacing": wide,
        "vertical_spacing": high / (PANEL_PX * _rows(len(panels))),
    }
    fig = make_subplots(
        _rows(len(panels)), 2, subplot_titles=[", ".join(key) for key, _ in panels], **spacing
    )
    return panels, fig.update_annotations(font_size=13)


def _rows(panels: int) -> int:
    return max(1, -(-panels // 2))


def _places(panels: int) -> list[tuple[int, int]]:
    return [(i // 2 + 1, i % 2 + 1) for i in range(panels)]


def _short(name: str) -> str:
    """invasive cancer -> invasive, cancer in situ -> in situ, breast glands -> glands: what tells one class from the others."""
    return (
        name.removesuffix(" cancer")
        .removeprefix("cancer ")
        .removesuffix(" tissue")
        .removesuffix(" infiltrate")
        .removeprefix("breast ")
    )
