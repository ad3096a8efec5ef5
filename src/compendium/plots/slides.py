"""Figures of the data review: depth by section, the physical scale, the slides, spots on tissue, colours."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.data.section import NO_LABEL, Section
from compendium.evaluation.review import CHANNELS, TILES, image_sides
from compendium.plots.style import SEQUENTIAL, colour_of, lay_slide, plain

GAP = 0.9  # between two patients, in sections
CLASSES = (
    "invasive cancer",
    "cancer in situ",
    "connective tissue",
    "adipose tissue",
    "immune infiltrate",
    "breast glands",
)
CLASS_COLOURS = dict(
    zip(CLASSES, ("#D55E00", "#CC79A7", "#0072B2", "#F0E442", "#009E73", "#56B4E9"), strict=True)
)
UNCLASSED = "#8a8a8a"


def by_section(numbers: pd.DataFrame) -> tuple[np.ndarray, list[float], list[str]]:
    """Where each section stands on an axis that groups patients, and the patients' ticks."""
    change = (numbers["patient"] != numbers["patient"].shift()).cumsum().to_numpy() - 1
    at = np.arange(len(numbers)) + GAP * change
    ticks = pd.Series(at).groupby(change).mean().tolist()
    return at, ticks, numbers["patient"].groupby(change).first().tolist()


def depth(numbers: pd.DataFrame, chosen: list[str]) -> go.Figure:
    """Spots, UMIs and genes of every section, patient by patient; sections that are not `chosen` are drawn hollow.

    numbers: evidence.review.section_numbers. Points are medians over spots, bars reach from the first to the third quartile.
    """
    at, ticks, patients = by_section(numbers)
    fig = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.26, 0.42, 0.32]
    )
    colours = colour_of(patients)
    for patient in dict.fromkeys(patients):
        mine = (numbers["patient"] == patient).to_numpy()
        _depth_of(fig, numbers[mine], at[mine], colours[patient], chosen)
    fig.update_xaxes(
        tickvals=ticks,
        ticktext=patients,
        range=[at[0] - 1, at[-1] + 1],
        showgrid=False,
        zeroline=False,
    )
    fig.update_xaxes(title_text="patient, one mark a section", row=3, col=1)
    for row, title in enumerate(("spots", "UMIs per spot", "genes per spot"), start=1):
        fig.update_yaxes(title_text=title, row=row, col=1, rangemode="tozero")
    low, high = numbers["umi_q1"].clip(lower=1).min(), numbers["umi_q3"].max()
    ladder = [
        tick
        for power in range(7)
        for tick in (10**power, 3 * 10**power)
        if low / 1.6 <= tick <= high * 1.6
    ]
    fig.update_yaxes(
        type="log",
        tickvals=ladder,
        ticktext=[f"{tick:,}" for tick in ladder],
        range=np.log10([low / 1.25, high * 1.25]).tolist(),
        row=2,
        col=1,
    )
    fig.update_yaxes(tickformat=",", row=3, col=1)
    return plain(fig, 590, showlegend=False, bargap=0.15).update_layout(margin_t=20)


def _depth_of(
    fig: go.Figure, mine: pd.DataFrame, at: np.ndarray, colour: str, chosen: list[str]
) -> None:
    """One patient's sections in the three panels."""
    solid = mine["section"].isin(chosen).to_numpy()
    who = ("section " + mine["section"] + ", patient " + mine["patient"]).tolist()
    fill = [colour if here else "rgba(0,0,0,0)" for here in solid]
    bar = {"color": fill, "line": {"color": colour, "width": 1.5}}
    fig.add_bar(
        x=at,
        y=mine["spots"].tolist(),
        customdata=who,
        marker=bar,
        hovertemplate="%{customdata}<br>%{y:,} spots<extra></extra>",
        row=1,
        col=1,
    )
    symbols = ["circle" if here else "circle-open" for here in solid]
    for row, what in ((2, "umi"), (3, "genes")):
        q1, middle, q3 = (mine[f"{what}_{q}"].to_numpy() for q in ("q1", "median", "q3"))
        unit = "UMIs" if what == "umi" else "genes"
        told = [
            [name, f"{m:,.0f}", f"{a:,.0f}", f"{b:,.0f}"]
            for name, a, m, b in zip(who, q1, middle, q3, strict=True)
        ]
        fig.add_scatter(
            x=at, y=middle, customdata=told, mode="markers", marker={"color": colour, "symbol": symbols, "size": 8, "line": {"color": colour, "width": 1.5}},
            error_y={"type": "data", "array": q3 - middle, "arrayminus": middle - q1, "color": colour, "thickness": 1.5, "width": 0},
            hovertemplate="%{customdata[0]}<br>median %{customdata[1]} " + unit + " a spot<br>quartiles %{customdata[2]} to %{customdata[3]}<extra></extra>", row=row, col=1,
        )  # fmt: skip


def scale(numbers: pd.DataFrame, tiles: dict[int, str] = TILES) -> go.Figure:
    """A spot's diameter in pixels, section by section, against the tiles that the methods cut."""
    at, ticks, patients = by_section(numbers)
    colours = colour_of(patients)
    fig = go.Figure()
    for px, methods in tiles.items():
        fig.add_hline(y=px, line={"dash": "dot", "width": 1.5, "color": UNCLASSED})
        fig.add_annotation(
            x=1,
            xref="paper",
            y=px,
            text=f"{px} px tile: {methods}",
            showarrow=False,
            xanchor="right",
            yanchor="top",
            font={"size": 11},
        )
    told = [
        [name, patient, f"{px:.1f}", f"{um:.3f}"]
        for name, patient, px, um in zip(
            *(numbers[key] for key in ("section", "patient", "spot_px", "um_per_px")), strict=True
        )
    ]
    fig.add_scatter(
        x=at, y=numbers["spot_px"].to_numpy(), mode="markers", customdata=told, marker={"size": 9, "color": [colours[patient] for patient in numbers["patient"]]},
        hovertemplate="section %{customdata[0]}, patient %{customdata[1]}<br>spot diameter %{customdata[2]} px<br>%{customdata[3]} µm per px<extra></extra>",
    )  # fmt: skip
    fig.update_xaxes(
        tickvals=ticks,
        ticktext=patients,
        range=[at[0] - 1, at[-1] + 1],
        showgrid=False,
        zeroline=False,
        title_text="patient, one mark a section",
    )
    fig.update_yaxes(
        title_text="pixels of the full image", range=[min(tiles) - 40, max(tiles) + 20]
    )
    return plain(fig, 330, showlegend=False).update_layout(margin_t=20)


def gallery(
    sections: list[Section], columns: int = 3, titles: list[str] | None = None
) -> go.Figure:
    """The slides side by side, all at one scale, each with a bar of 1 mm and its title, without titles its name."""
    rows = -(-len(sections) // columns)
    fig = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles or [section.name for section in sections],
        horizontal_spacing=0.02,
        vertical_spacing=0.1,
    )
    reach_um = min(
        widest(sections) / 2 + 350,
        min(min(image_sides(section)) * section.um_per_px for section in sections) / 2,
    )
    for i, section in enumerate(sections):
        row, col = i // columns + 1, i % columns + 1
        lay_slide(fig, section, row, col)
        reach = reach_um / section.um_per_px
        left, top = window(section, reach)
        right, bottom = left + 2 * reach, top + 2 * reach
        fig.update_xaxes(range=[left, right], constraintoward="center", row=row, col=col)
        fig.update_yaxes(range=[bottom, top], constraintoward="top", row=row, col=col)
        mm = 1000 / section.um_per_px
        fig.add_scatter(
            x=[left + 0.05 * reach, left + 0.05 * reach + mm], y=[bottom - 0.08 * reach] * 2, mode="lines", line={"color": "#222222", "width": 4},
            hovertemplate=f"section {section.name}, patient {section.patient}<br>1 mm are {mm:,.0f} px<extra></extra>", row=row, col=col,
        )  # fmt: skip
    for i in range(len(sections), rows * columns):
        fig.update_xaxes(visible=False, row=i // columns + 1, col=i % columns + 1)
        fig.update_yaxes(visible=False, row=i // columns + 1, col=i % columns + 1)
    return plain(fig, 40 + 200 * rows, showlegend=False).update_layout(
        margin={"l": 4, "r": 4, "t": 36, "b": 8}
    )


def widest(sections: list[Section]) -> float:
    """Largest extent of any section's spots in µm."""
    return float(
        max(np.ptp(section.pixels, axis=0).max() * section.um_per_px for section in sections)
    )


def window(section: Section, reach: float) -> tuple[float, float]:
    """Left and top edge of a square of side 2 `reach` (px) around a section's spots, moved into the slide where it fits."""
    middle = (section.pixels.min(axis=0) + section.pixels.max(axis=0)) / 2
    left, top = np.maximum(
        np.minimum(middle - reach, np.array(image_sides(section)) - 2 * reach), 0
    )
    return float(left), float(top)


def spots(sections: list[Section]) -> go.Figure:
    """One section at a time, chosen in a menu: its slide with its spots, coloured by tissue class where one is known, else by UMIs."""
    fig = make_subplots(rows=1, cols=1)
    marks = [
        _classes(section) if section.labels is not None else [_depths(section)]
        for section in sections
    ]
    fig.add_traces([trace for own in marks for trace in own])
    views = []
    for i, section in enumerate(sections):
        lay_slide(fig, section)
        ranges = {
            "xaxis.range": list(fig.layout.xaxis.range),
            "yaxis.range": list(fig.layout.yaxis.range),
        }
        views.append(
            [
                {"visible": [j == i for j, own in enumerate(marks) for _ in own]},
                ranges | {f"images[{j}].visible": j == i for j in range(len(sections))},
            ]
        )
    fig.plotly_update(restyle_data=views[0][0], relayout_data=views[0][1])
    names = [
        f"{section.name}, patient {section.patient}"
        + (f", classes from {section.labels_from}" if section.labels_from else "")
        for section in sections
    ]
    buttons = [
        {"label": name, "method": "update", "args": view}
        for name, view in zip(names, views, strict=True)
    ]
    menu = {
        "buttons": buttons,
        "x": 0,
        "xanchor": "left",
        "y": 1.01,
        "yanchor": "bottom",
        "pad": {"l": 56, "b": 4},
    }
    word = {
        "text": "section",
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 1.01,
        "yref": "paper",
        "yanchor": "bottom",
        "yshift": 10,
        "showarrow": False,
    }
    plain(
        fig,
        540,
        updatemenus=[menu],
        annotations=[word],
        coloraxis=_depth_scale(np.concatenate([_totals(section) for section in sections])),
    )
    return fig.update_layout(
        margin={"l": 4, "r": 4, "t": 48, "b": 8}, legend={"y": 0.98, "itemsizing": "constant"}
    )


def _depth_scale(totals: np.ndarray) -> dict:
    """A colour axis for log10 UMI totals, from their 2nd to their 98th percentile, with its bar below the picture."""
    low, high = np.quantile(np.log10(totals.clip(min=1)), [0.02, 0.98]).tolist()
    ladder = [
        tick
        for power in range(7)
        for tick in (10**power, 3 * 10**power)
        if low <= np.log10(tick) <= high
    ]
    bar = {
        "title": {"text": "UMIs of a spot", "side": "top"},
        "tickvals": np.log10(ladder).tolist(),
        "ticktext": [f"{tick:,}" for tick in ladder],
    }
    bar |= {"orientation": "h", "y": -0.01, "yanchor": "top", "x": 0.5, "len": 0.6, "thickness": 10}
    return {"colorscale": SEQUENTIAL, "cmin": low, "cmax": high, "colorbar": bar}


def _totals(section: Section) -> np.ndarray:
    return np.asarray(section.counts.sum(axis=1)).ravel()


def _depths(section: Section) -> go.Scatter:
    totals = _totals(section)
    told = [
        f"spot {spot}<br>{total:,} UMIs"
        for spot, total in zip(section.spots, totals.tolist(), strict=True)
    ]
    marker = {
        "size": 8,
        "color": np.log10(totals.clip(min=1)),
        "coloraxis": "coloraxis",
        "line": {"width": 0.5, "color": "#ffffff"},
    }
    x, y = section.pixels.T
    return go.Scatter(
        x=x,
        y=y,
        mode="markers",
        marker=marker,
        customdata=told,
        hovertemplate="%{customdata}<extra></extra>",
        name=section.name,
        showlegend=False,
    )


def _classes(section: Section) -> list[go.Scatter]:
    """One trace a tissue class, the unlabelled and undetermined spots together at the end."""
    labels = np.where(np.isin(section.labels, CLASSES), section.labels, NO_LABEL)
    totals, traces = _totals(section), []
    for kind in [*CLASSES, NO_LABEL]:
        mine = labels == kind
        if mine.any():
            told = [
                f"spot {spot}<br>{total:,} UMIs"
                for spot, total in zip(section.spots[mine], totals[mine].tolist(), strict=True)
            ]
            name = kind or "undetermined"
            marker = {
                "size": 8,
                "color": CLASS_COLOURS.get(kind, UNCLASSED),
                "line": {"width": 0.5, "color": "#ffffff"},
            }
            x, y = section.pixels[mine].T
            traces.append(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="markers",
                    marker=marker,
                    customdata=told,
                    hovertemplate=f"{name}<br>%{{customdata}}<extra></extra>",
                    name=name,
                )
            )
    return traces


def colours(shares: pd.DataFrame, groups: Sequence[str], kind: str = "") -> go.Figure:
    """Brightness of red, green and blue around the spots: a line a section, coloured by the column `kind`: by laboratory if there are several, else by patient.

    groups: every laboratory, patient or what else of the cohort, so that each has the colour it has elsewhere.
    """
    kind = kind or ("lab" if shares["lab"].nunique() > 1 else "patient")
    palette = colour_of(list(groups))
    fig = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.05)
    seen: set[str] = set()
    for row, channel in enumerate(CHANNELS, start=1):
        for (name, group), lines in shares[shares["channel"] == channel].groupby(
            ["section", kind], sort=False
        ):
            label = f"patient {group}" if kind == "patient" else group
            line = {"color": palette[group], "width": 1.8, "shape": "spline", "smoothing": 0.6}
            fig.add_scatter(
                x=lines["level"].to_numpy(), y=lines["share"].to_numpy(), mode="lines", line=line, name=label, legendgroup=group, showlegend=group not in seen,
                hovertemplate=f"section {name}, {label}<br>{channel} level %{{x:.0f}}: %{{y:.1%}} of pixels<extra></extra>", row=row, col=1,
            )  # fmt: skip
            seen.add(group)
        fig.update_yaxes(
            title_text=channel, tickformat=".0%", rangemode="tozero", nticks=4, row=row, col=1
        )
    fig.update_xaxes(range=[0, 255], tickvals=[0, 64, 128, 192, 255], zeroline=False)
    fig.update_xaxes(title_text="brightness level, 0 dark to 255 bright", row=3, col=1)
    return plain(fig, 520, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
