"""Figures of the augmentation chapter: one tile through everything, boxes in and out of distribution, paired differences, and how alike stains make sections."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from jaxtyping import UInt8

from compendium.book.figures import ROLE_COLOUR, data_uri, plain
from compendium.data.section import Section
from compendium.evidence.image_names import TITLES
from compendium.images.augment import FAMILIES
from compendium.images.colour_spaces import lab
from compendium.images.stain import NORMALISERS, STAINS, changes

COLUMNS, TILE, FRAME, LONG = 5, 158, 150, 12  # of the plate; height of a row in px, grey of its frames, letters from which on a title is broken
Picture = tuple[str, str, UInt8[np.ndarray, "px px 3"]]  # kind, title, image


def pictures(section: Section, train: Sequence[Section], seed: int = 0) -> list[Picture]:
    """One tile of the section, that with the most contrast, as it is, after one draw of every family, and in every other stain; fitted on the training sections."""
    row = int(np.argmax([lab(tile[::4, ::4])[..., 0].std() for tile in section.patches]))
    tile = np.asarray(section.patches[row])
    image, found = torch.tensor(tile).permute(2, 0, 1)[None], [("", "as it is", tile)]
    with torch.random.fork_rng(devices=[]):
        for name, family in FAMILIES.items():
            torch.manual_seed(seed)
            found += [("family", family.title, family(image)[0].permute(1, 2, 0).numpy())] if name != "none" else []
    kinds = {word: "normaliser" if word in NORMALISERS else "drawn stain" for word in STAINS}
    return found + [(kinds[word], TITLES[word], changes(section, train, word)(slice(row, row + 1))[0]) for word in STAINS]


def plate(shown: Sequence[Picture]) -> go.Figure:
    """Tiles side by side below their titles, in rows of five."""
    fig, rows = go.Figure(), -(-len(shown) // COLUMNS)
    for i, (_, title, image) in enumerate(shown):
        y, x = divmod(i, COLUMNS)
        fig.add_layout_image(source=data_uri(framed(image), 224), x=x + 0.5, y=y + 0.25, sizex=0.94, sizey=0.75, xref="x", yref="y", xanchor="center", yanchor="top")
        fig.add_annotation(x=x + 0.5, y=y + 0.25, text=title if len(title) < LONG else title.replace(", ", ",<br>", 1), showarrow=False, yanchor="bottom", font={"size": 10})
    fig.add_scatter(x=[0, COLUMNS], y=[0, rows], mode="markers", marker_opacity=0, hoverinfo="skip", showlegend=False)
    hidden = {"visible": False, "fixedrange": True}
    axes = {"xaxis": {"range": [0, COLUMNS], **hidden}, "yaxis": {"range": [rows, 0], **hidden}}
    return plain(fig, rows * TILE, **axes).update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})


def framed(image: UInt8[np.ndarray, "px px 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """The image within a grey line, so that a white one is seen on white."""
    return np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=FRAME)


def plate_data(shown: Sequence[Picture]) -> pd.DataFrame:
    """Mean red, green and blue of each picture."""
    return pd.DataFrame([{"kind": kind, "picture": title} | dict(zip(("red", "green", "blue"), image.mean(axis=(0, 1)), strict=True)) for kind, title, image in shown])


def boxes(table: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """One box a row and role, over genes and sections; whiskers reach the 5th and 95th percentile. table: rows of one group of the table `boxes` of a study."""
    fig, keys = go.Figure(), [key for key in titles if key in set(table["row"])]
    for role, part in table.groupby("role", sort=False):
        part = part.set_index("row").reindex(keys)
        fig.add_box(
            x=[titles[key] for key in keys], q1=part["q25"], median=part["median"], q3=part["q75"], lowerfence=part["low"], upperfence=part["high"], name=role,
            marker_color=ROLE_COLOUR[role], line_width=1.5, hoverinfo="y+name",
        )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    return plain(fig, 420, boxmode="group", yaxis_title="PCC per gene and section", xaxis_tickangle=-35, legend={"orientation": "h", "y": 1.08, "x": 0})


def apart(found: pd.DataFrame, titles: dict[str, str], bar: float) -> go.Figure:
    """Difference of each row to its reference, one dot a section; the band is what another seed moves. found: rows of one group of the table `differences`."""
    fig, keys = go.Figure(), [key for key in titles if key in set(found["row"])]
    for role, part in found.groupby("role", sort=False):
        fig.add_scatter(
            x=part["difference"], y=part["row"].map(titles), mode="markers", name=role, text=part["section"],
            marker={"color": ROLE_COLOUR[role], "size": 9, "opacity": 0.85}, hovertemplate="%{text}: %{x:.3f}<extra></extra>",
        )
    if np.isfinite(bar):
        fig.add_vrect(x0=-bar, x1=bar, fillcolor="#888888", opacity=0.15, line_width=0)
    fig.add_vline(x=0, line_width=1, line_dash="dot", line_color="#888888")
    order = {"categoryorder": "array", "categoryarray": [titles[key] for key in reversed(keys)]}
    return plain(fig, 170 + 30 * len(keys), xaxis_title="difference of PCC,<br>mean over genes", yaxis=order, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})


def distances(looks: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """How far the mean colour of each section lies from that of the training sections, by stain; titles of the names, in order."""
    fig, names = go.Figure(), [name for name in titles if name in set(looks["name"])]
    for role, part in looks.groupby("role", sort=False):
        fig.add_scatter(
            x=part["distance"], y=part["name"].map(titles), mode="markers", name=role, text=part["section"],
            marker={"color": ROLE_COLOUR[role], "size": 9, "opacity": 0.85}, hovertemplate="%{text}: %{x:.1f}<extra></extra>",
        )
    order = {"categoryorder": "array", "categoryarray": [titles[name] for name in reversed(names)]}
    axis = {"title": "distance to the training<br>colour (CIELAB)", "rangemode": "tozero"}
    return plain(fig, 170 + 30 * len(names), xaxis=axis, yaxis=order, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
