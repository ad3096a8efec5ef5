"""Slides and their colours: thumbnails at one scale, brightness around the spots."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from compendium.data.section import Section
from compendium.evaluation.describe import CHANNELS, image_sides
from compendium.plots.style import ABOVE, colour_of, lay_slide, name_panels, plain

CLASS_COLOURS = {
    "invasive cancer": "#D55E00",
    "cancer in situ": "#CC79A7",
    "connective tissue": "#0072B2",
    "adipose tissue": "#F0E442",
    "immune infiltrate": "#009E73",
    "breast glands": "#56B4E9",
}
"""Tissue classes of the HER2+ sections and their colours."""
GREY = "#8a8a8a"
MARGIN_UM = 350


def gallery(
    sections: Sequence[Section], columns: int = 3, titles: Sequence[str] | None = None
) -> go.Figure:
    """Draw slides side by side at one scale, each with a bar of 1 mm.

    Parameters
    ----------
    titles
        A title for each section; its name by default.
    """
    rows, titles = -(-len(sections) // columns), titles or [section.name for section in sections]
    spacing = {"horizontal_spacing": 0.02, "vertical_spacing": 0.1}
    fig = make_subplots(rows, columns, subplot_titles=titles, **spacing)
    smallest = min(min(image_sides(each)) * each.um_per_px for each in sections)
    widest = max(np.ptp(each.pixels, axis=0).max() * each.um_per_px for each in sections)
    reach_um = min(float(widest) / 2 + MARGIN_UM, smallest / 2)
    for i in range(rows * columns):
        at = {"row": i // columns + 1, "col": i % columns + 1}
        if i < len(sections):
            _cut_slide(fig, sections[i], reach_um / sections[i].um_per_px, at)
        else:
            fig.update_xaxes(visible=False, **at).update_yaxes(visible=False, **at)
    fig = plain(fig, 40 + 200 * rows, showlegend=False)
    return fig.update_layout(margin={"l": 4, "r": 4, "t": 36, "b": 8})


def _cut_slide(fig: go.Figure, section: Section, reach: float, at: dict[str, int]) -> None:
    """Draw a square of side 2 `reach` px of a slide, and 1 mm in its lower left corner."""
    lay_slide(fig, section, **at)
    left, top = window(section, reach)
    right, bottom = left + 2 * reach, top + 2 * reach
    fig.update_xaxes(range=[left, right], constraintoward="center", **at)
    fig.update_yaxes(range=[bottom, top], constraintoward="top", **at)
    mm, start = 1000 / section.um_per_px, left + 0.05 * reach
    x, y = [start, start + mm], [bottom - 0.08 * reach] * 2
    who = f"section {section.name}, patient {section.patient}<br>1 mm is {mm:,.0f} px"
    line = {"mode": "lines", "line": {"color": "#222222", "width": 4}}
    fig.add_scatter(x=x, y=y, hovertemplate=f"{who}<extra></extra>", **line, **at)


def window(section: Section, reach: float) -> tuple[float, float]:
    """Return left and top of a square around the spots, moved into the slide where it fits.

    Parameters
    ----------
    reach
        Half the side of the square in px.
    """
    middle = (section.pixels.min(axis=0) + section.pixels.max(axis=0)) / 2
    inside = np.minimum(middle - reach, np.array(image_sides(section)) - 2 * reach)
    left, top = np.maximum(inside, 0)
    return float(left), float(top)


def colours(shares: pd.DataFrame, groups: Sequence[str], kind: str = "") -> go.Figure:
    """Draw the brightness of red, green and blue around the spots, a line a section.

    Parameters
    ----------
    shares
        Table of `evaluation.describe.channel_shares`.
    groups
        Every group of the cohort, so that each has the colour that it has elsewhere.
    kind
        Column that lines are coloured by; by default lab where there are several, else patient.
    """
    kind = kind or ("lab" if shares["lab"].nunique() > 1 else "patient")
    labels = {each: f"patient {each}" if kind == "patient" else each for each in groups}
    rows = shares.assign(of=shares[kind].map(labels))
    colours = dict(zip(labels.values(), colour_of(list(groups)).values(), strict=True))
    fig = px.line(
        rows,
        x="level",
        y="share",
        color="of",
        line_group="section",
        hover_name="section",
        facet_col="channel",
        facet_col_wrap=1,
        facet_row_spacing=0.05,
        color_discrete_map=colours,
        category_orders={"channel": list(CHANNELS)},
        render_mode="svg",
    )
    hover = "section %{hovertext}, %{fullData.name}<br>level %{x:.0f}: %{y:.1%}<extra></extra>"
    line = {"width": 1.8, "shape": "spline", "smoothing": 0.6}
    fig.update_traces(line=line, hovertemplate=hover)
    axis = {"tickformat": ".0%", "rangemode": "tozero", "nticks": 4}
    fig.update_yaxes(title_text="", matches=None, **axis)
    fig.update_xaxes(range=[0, 255], tickvals=[0, 64, 128, 192, 255], zeroline=False)
    fig.update_xaxes(title_text="brightness level, 0 dark to 255 bright", row=1)
    return plain(name_panels(fig), 520, legend=ABOVE)
