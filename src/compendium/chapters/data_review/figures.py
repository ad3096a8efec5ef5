"""Figures of the data review: depth, scale, and spots on their slides."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.chapters.data_review.sections import spot_facts, umi_totals
from compendium.data.section import NO_LABEL, Section
from compendium.evaluation.describe import TILES
from compendium.plots.slides import CLASS_COLOURS, GREY
from compendium.plots.style import COLOURS, SEQUENTIAL, colour_of, lay_slide, plain

GAP = 0.9
"""Room between two patients, in sections."""
PANELS = {"spots": "spots", "umi": "UMIs per spot", "genes": "genes per spot"}


def by_section(numbers: pd.DataFrame) -> tuple[np.ndarray, list[float], list[str]]:
    """Place sections on an axis that groups patients.

    Returns
    -------
    Position of each section, position of each patient's tick, and the patients.
    """
    change = (numbers["patient"] != numbers["patient"].shift()).cumsum().to_numpy() - 1
    at = np.arange(len(numbers)) + GAP * change
    ticks = pd.Series(at).groupby(change).mean().tolist()
    return at, ticks, numbers["patient"].groupby(change).first().tolist()


def _patient_axis(numbers: pd.DataFrame) -> dict[str, object]:
    at, ticks, patients = by_section(numbers)
    ticked = {"tickvals": ticks, "ticktext": patients, "range": [at[0] - 1, at[-1] + 1]}
    return ticked | {"showgrid": False, "zeroline": False}


def depth(numbers: pd.DataFrame, chosen: Collection[str]) -> go.Figure:
    """Draw spots, UMIs and genes of every section, patient by patient.

    Points are medians over the spots, bars reach from the first to the third quartile.

    Parameters
    ----------
    numbers
        Table of `section_numbers`.
    chosen
        Sections that are drawn solid; the others are hollow.
    """
    at, _, patients = by_section(numbers)
    heights = [0.26, 0.42, 0.32]
    fig = make_subplots(3, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=heights)
    for patient, colour in colour_of(patients).items():
        mine = (numbers["patient"] == patient).to_numpy()
        _depth_of(fig, numbers[mine], at[mine], colour, chosen)
    fig.update_xaxes(**_patient_axis(numbers))
    fig.update_xaxes(title_text="patient, one mark a section", row=3, col=1)
    for row, title in enumerate(PANELS.values(), start=1):
        fig.update_yaxes(title_text=title, row=row, col=1, rangemode="tozero")
    low, high = numbers["umi_q1"].clip(lower=1).min(), numbers["umi_q3"].max()
    ends = np.log10([low / 1.25, high * 1.25]).tolist()
    fig.update_yaxes(type="log", range=ends, **_log_ticks(low / 1.6, high * 1.6), row=2, col=1)
    fig.update_yaxes(tickformat=",", row=3, col=1)
    return plain(fig, 590, showlegend=False, bargap=0.15).update_layout(margin_t=20)


def _depth_of(
    fig: go.Figure, mine: pd.DataFrame, at: np.ndarray, colour: str, chosen: Collection[str]
) -> None:
    """Draw one patient's sections in the three panels."""
    solid, line = mine["section"].isin(chosen), {"color": colour, "width": 1.5}
    fill = solid.map({True: colour, False: "rgba(0,0,0,0)"}).tolist()
    symbols = solid.map({True: "circle", False: "circle-open"}).tolist()
    who, facts = "section %{customdata[0]}, patient %{customdata[1]}<br>", ["section", "patient"]
    bars = {"marker": {"color": fill, "line": line}, "customdata": mine[facts].to_numpy()}
    hover = f"{who}%{{y:,}} spots<extra></extra>"
    fig.add_bar(x=at, y=mine["spots"].tolist(), hovertemplate=hover, **bars, row=1, col=1)
    points = {"color": colour, "symbol": symbols, "size": 8, "line": line}
    text = "median %{y:,.0f}<br>quartiles %{customdata[2]:,.0f} to %{customdata[3]:,.0f}"
    for row, what in ((2, "umi"), (3, "genes")):
        q1, middle, q3 = (mine[f"{what}_{name}"].to_numpy() for name in ("q1", "median", "q3"))
        bar = {"array": q3 - middle, "arrayminus": middle - q1, "thickness": 1.5, "width": 0}
        ends = mine[[*facts, f"{what}_q1", f"{what}_q3"]].to_numpy()
        look = {"mode": "markers", "marker": points, "error_y": bar | {"color": colour}}
        hover = f"{who}{text} {PANELS[what]}<extra></extra>"
        fig.add_scatter(
            x=at, y=middle, customdata=ends, hovertemplate=hover, **look, row=row, col=1
        )


def _log_ticks(low: float, high: float) -> dict[str, list]:
    ticks = [tick for power in range(7) for tick in (10**power, 3 * 10**power)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    return {"tickvals": ticks, "ticktext": [f"{tick:,}" for tick in ticks]}


def scale(numbers: pd.DataFrame) -> go.Figure:
    """Draw the diameter of a spot in px, section by section, against the tiles of the methods."""
    at, _, patients = by_section(numbers)
    colours, fig = colour_of(patients), go.Figure()
    line, below = {"dash": "dot", "width": 1.5, "color": GREY}, "bottom right"
    for px, methods in TILES.items():
        note = {"text": f"{px} px tile: {methods}", "font": {"size": 11}}
        fig.add_hline(y=px, line=line, annotation=note, annotation_position=below)
    hover = "section %{customdata[0]}, patient %{customdata[1]}<br>spot diameter %{y:.1f} px<br>"
    hover += "%{customdata[2]:.3f} µm per px<extra></extra>"
    marker = {"size": 9, "color": numbers["patient"].map(colours).tolist()}
    look = {"mode": "markers", "marker": marker, "hovertemplate": hover}
    facts = numbers[["section", "patient", "um_per_px"]].to_numpy()
    fig.add_scatter(x=at, y=numbers["spot_px"].to_numpy(), customdata=facts, **look)
    fig.update_xaxes(**_patient_axis(numbers), title_text="patient, one mark a section")
    ends = [min(TILES) - 40, max(TILES) + 20]
    fig.update_yaxes(title_text="pixels of the full image", range=ends)
    return plain(fig, 330, showlegend=False).update_layout(margin_t=20)


def spots(sections: Sequence[Section]) -> go.Figure:
    """Draw one section at a time, chosen in a menu: its slide with its spots.

    Spots are coloured by tissue class where one is known, else by their UMI total.
    """
    fig = make_subplots(rows=1, cols=1)
    traces = [_spots_of(section) for section in sections]
    fig.add_traces([trace for own in traces for trace in own])
    buttons = []
    for i, section in enumerate(sections):
        lay_slide(fig, section)
        axes = {f"{axis}axis.range": list(fig.layout[f"{axis}axis"].range) for axis in "xy"}
        visible = {"visible": [j == i for j, own in enumerate(traces) for _ in own]}
        images = {f"images[{j}].visible": j == i for j in range(len(sections))}
        update = {"method": "update", "args": [visible, axes | images]}
        buttons.append({"label": _named(section)} | update)
    shown, layout = buttons[0]["args"]
    fig.plotly_update(restyle_data=shown, relayout_data=layout)
    above = {"x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"}
    menu = above | {"buttons": buttons, "pad": {"l": 56, "b": 4}}
    label = {"text": "section", "xref": "paper", "yref": "paper", "yshift": 10, "showarrow": False}
    scale = _depth_scale(np.concatenate([umi_totals(section) for section in sections]))
    plain(fig, 540, updatemenus=[menu], annotations=[above | label], coloraxis=scale)
    margin, legend = {"l": 4, "r": 4, "t": 48, "b": 8}, {"y": 0.98, "itemsizing": "constant"}
    return fig.update_layout(margin=margin, legend=legend)


def _named(section: Section) -> str:
    source = f", classes from {section.labels_from}" if section.labels_from else ""
    return f"{section.name}, patient {section.patient}{source}"


def _depth_scale(totals: np.ndarray) -> dict[str, object]:
    """Colour axis of log10 UMI totals, from their 2nd to their 98th percentile."""
    low, high = np.quantile(np.log10(totals.clip(min=1)), [0.02, 0.98]).tolist()
    ticks = _log_ticks(10**low, 10**high)
    ticks["tickvals"] = np.log10(ticks["tickvals"]).tolist()
    place = {"orientation": "h", "x": 0.5, "y": -0.01, "yanchor": "top", "len": 0.6}
    bar = {"title": {"text": "UMIs of a spot", "side": "top"}, "thickness": 10}
    return {"colorscale": SEQUENTIAL, "cmin": low, "cmax": high, "colorbar": ticks | place | bar}


def _spots_of(section: Section) -> list[go.Scatter]:
    """One trace a tissue class, spots of no known class last; without labels one by UMI total."""
    spots = spot_facts(section)
    if section.labels is None:
        colour = {"color": np.log10(spots["umi"].clip(lower=1)), "coloraxis": "coloraxis"}
        return [_markers(spots, section.name, colour).update(showlegend=False)]
    kinds = spots["class"].where(spots["class"].isin(list(CLASS_COLOURS)), NO_LABEL)
    colours = {kind: CLASS_COLOURS.get(kind, GREY) for kind in (*CLASS_COLOURS, NO_LABEL)}
    return [
        _markers(spots[kinds == kind], kind or "undetermined", {"color": colour})
        for kind, colour in colours.items()
        if (kinds == kind).any()
    ]


def _markers(spots: pd.DataFrame, name: str, colour: Mapping) -> go.Scatter:
    marker = {"size": 8, "line": {"width": 0.5, "color": "#ffffff"}} | dict(colour)
    hover = f"{name}<br>spot %{{customdata[0]}}<br>%{{customdata[1]}} UMIs<extra></extra>"
    places, facts = {"x": spots["x"], "y": spots["y"]}, spots[["spot", "umi"]]
    shown = {"mode": "markers", "marker": marker, "customdata": facts, "hovertemplate": hover}
    return go.Scatter(**places, **shown, name=name)


def ceilings(numbers: pd.DataFrame, table: pd.DataFrame) -> go.Figure:
    """Draw the attainable correlation of a section's genes against the section's depth.

    Parameters
    ----------
    numbers
        Table of `section_numbers`.
    table
        Table of `compendium.evaluation.ceiling.by_gene`.
    """
    quartiles = table.groupby("section")["attainable"].quantile([0.25, 0.5, 0.75]).unstack()
    places = numbers.set_index("section").join(quartiles)
    colours = colour_of(list(dict.fromkeys(places["patient"])))
    fig = go.Figure()
    for patient, mine in places.groupby("patient", sort=False):
        bars = [(mine[q] - mine[0.5]).abs().tolist() for q in (0.75, 0.25)]
        fig.add_scatter(
            x=mine["umi_median"].tolist(),
            y=mine[0.5].tolist(),
            error_y={"type": "data", "array": bars[0], "arrayminus": bars[1], "width": 0},
            mode="markers",
            marker={"color": colours[patient], "size": 8},
            name=f"patient {patient}",
            customdata=mine.index.tolist(),
            hovertemplate="section %{customdata}<br>%{x:,.0f} UMIs: %{y:.2f}<extra></extra>",
        )
    low, high = places["umi_median"].clip(lower=1).min(), places["umi_median"].max()
    ends = np.log10([low / 1.25, high * 1.25]).tolist()
    fig.update_xaxes(type="log", range=ends, title_text="median UMIs of a spot")
    fig.update_xaxes(**_log_ticks(low / 1.6, high * 1.6))
    fig.update_yaxes(range=[0, 1], title_text="attainable PCC of a gene")
    return plain(fig, 420)


def gene_sets(table: pd.DataFrame) -> go.Figure:
    """Draw the attainable correlation of the mean of each gene set beside that of its genes.

    Parameters
    ----------
    table
        Table of `compendium.evaluation.ceiling.by_set`.
    """
    fig = go.Figure()
    names = {"attainable": "mean of the set", "attainable_gene": "one gene of it (median)"}
    for column, (colour, name) in zip(
        names, zip(COLOURS, names.values(), strict=False), strict=True
    ):
        fig.add_box(
            x=table[column].astype(float).tolist(),
            y=table["set"].tolist(),
            orientation="h",
            name=name,
            marker_color=colour,
            boxpoints="all",
            customdata=table["section"].tolist(),
            hovertemplate="section %{customdata}: %{x:.2f}<extra></extra>",
        )
    fig.update_xaxes(range=[0, 1], title_text="attainable PCC")
    return plain(fig, 120 + 70 * table["set"].nunique(), boxmode="group")
