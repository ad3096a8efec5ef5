"""What figures share: colours for light and dark pages, a slide under its spots, the layout."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8
from PIL import Image
from plotly.subplots import make_subplots

from compendium.data.section import Section

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#B8A800")
"""Palette of Okabe and Ito without its black, in an order of contrast."""
ROLE_COLOUR = dict(zip(("training", "validation", "test"), COLOURS, strict=False))
SEQUENTIAL = "Viridis"
DIVERGING = "RdBu_r"
SLIDE_PX = 360
ZERO_LINE = {"line_width": 1, "line_dash": "dot", "line_color": "#888888"}
ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": ""}
"""Legend above the panels."""


def colour_of(names: list[str]) -> dict[str, str]:
    """Return a colour for each name, by its place in the list."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def data_uri(image: UInt8[np.ndarray, "height width 3"], longest: int = SLIDE_PX) -> str:
    """Return an image as a WebP data URI, its longer side at most `longest` pixels."""
    picture = Image.fromarray(image)
    scale = min(1.0, longest / max(picture.size))
    size = round(picture.width * scale), round(picture.height * scale)
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=72, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def lay_slide(
    fig: go.Figure, section: Section, row: int = 1, col: int = 1, opacity: float = 1.0
) -> None:
    """Put a section's thumbnail under a panel whose axes are pixels of the full image.

    Parameters
    ----------
    fig
        Figure with panels.
    section
        Section; without a thumbnail only the axes are set.
    row, col
        The panel.
    opacity
        Of the thumbnail, 0 to 1.
    """
    margin = 1.5 * 200 / section.um_per_px if section.um_per_px else 0
    lay_axes(fig, section.pixels, margin, row, col)
    if section.thumbnail is not None:
        height, width = (side / section.thumbnail_scale for side in section.thumbnail.shape[:2])
        fig.add_layout_image(
            source=data_uri(section.thumbnail, 520),
            x=0,
            y=0,
            sizex=float(width),
            sizey=float(height),
            sizing="stretch",
            layer="below",
            opacity=opacity,
            row=row,
            col=col,
        )


def lay_axes(
    fig: go.Figure, pixels: Float[np.ndarray, "spot 2"], margin: float, row: int = 1, col: int = 1
) -> None:
    """Set the axes of a panel to pixels of the full image, y down, around the spots.

    Parameters
    ----------
    fig
        Figure with panels.
    pixels
        Positions of the spots.
    margin
        Distance of the ends of the axes from the outermost spots, in px.
    row, col
        The panel.
    """
    x = fig.get_subplot(row, col)[0].plotly_name.replace("axis", "")
    low, high = pixels.min(axis=0) - margin, pixels.max(axis=0) + margin
    hidden = {"visible": False, "constrain": "domain", "row": row, "col": col}
    fig.update_xaxes(range=[float(low[0]), float(high[0])], **hidden)
    fig.update_yaxes(range=[float(high[1]), float(low[1])], scaleanchor=x, **hidden)


def stacked(titles: list[str], spacing: float = 0.08, **options) -> go.Figure:
    """Return panels with titles, one below the other, that share their x axis."""
    shared = {"shared_xaxes": True, "vertical_spacing": spacing}
    return make_subplots(len(titles), 1, subplot_titles=titles, **shared | options)


def name_panels(fig: go.Figure) -> go.Figure:
    """Shorten the titles COLUMN=VALUE that plotly.express gives to panels to the value."""
    return fig.for_each_annotation(lambda note: note.update(text=note.text.partition("=")[2]))


def plain(fig: go.Figure, height: int = 440, **layout) -> go.Figure:
    """Set height, margins and hover of a figure; the page adds colours for its theme."""
    fig.update_xaxes(automargin=True).update_yaxes(automargin=True)
    return fig.update_layout(
        height=height, margin={"l": 60, "r": 20, "t": 40, "b": 60}, hovermode="closest", **layout
    )
