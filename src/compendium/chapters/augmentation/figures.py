"""Figures of the augmentation chapter: one tile through everything, boxes in and out of distribution, paired differences, and how alike stains make sections."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from jaxtyping import UInt8

from compendium import __version__
from compendium.chapters.augmentation.image_names import TITLES
from compendium.chapters.augmentation.results import MAIN, STAIN, STAIN_RIDGE, VIEWS
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.colour_spaces import lab
from compendium.images.stain.store import NORMALISERS, STAINS, changes
from compendium.plots.dots import differences, dots
from compendium.plots.style import ROLE_COLOUR, data_uri, plain

COLUMNS, TILE, FRAME, LONG = (
    5,
    158,
    150,
    12,
)  # of the plate; height of a row in px, grey of its frames, letters from which on a title is broken
GENERATED, ONES = (
    "demo",
    ("P1a", "Q1a"),
)  # cohort that can be drawn from anywhere, and its sections of two laboratories
MOVED = {  # what stands for the rows of a group in how far another seed moves them; see evidence.discernible.chance
    VIEWS: "Hist2ST without distillation (how far one moves the distilled rows was not measured)",
    MAIN: "the head on tiles of one family",
    STAIN: "this network on tiles as they are (ridge, below, is held to it too)",
    STAIN_RIDGE: "Hist2ST without distillation on tiles as they are, since ridge has no seed",
}
Picture = tuple[str, str, UInt8[np.ndarray, "px px 3"]]  # kind, title, image


def pictured(
    slides: Mapping[str, Section | None], roles: Mapping[str, str]
) -> tuple[list[Section], Section, str]:
    """Training sections and the first test section, whose tiles the plate shows, and "". Where one has no image here: sections of the demo cohort, and what made the plate.

    slides: section -> it, None where it is not prepared. roles: section -> its role.
    """
    needed = {
        role: [slides[name] for name, its in roles.items() if its == role]
        for role in ("training", "test")
    }
    needed["test"] = needed["test"][:1]
    if all(
        each is not None and each.patches is not None for group in needed.values() for each in group
    ):
        return needed["training"], needed["test"][0], ""
    train, test = found = open_sections(GENERATED, list(ONES))
    return (
        [train],
        test,
        f"cohort {GENERATED}, sections {' and '.join(ONES)}, not those of this page · data {GENERATED} {digest(found)[:10]} · compendium {__version__}",
    )


def pictures(section: Section, train: Sequence[Section], seed: int = 0) -> list[Picture]:
    """One tile of the section, that with the most contrast, as it is, after one draw of every family, and in every other stain; fitted on the training sections."""
    row = int(np.argmax([lab(tile[::4, ::4])[..., 0].std() for tile in section.patches]))
    tile = np.asarray(section.patches[row])
    image, found = torch.tensor(tile).permute(2, 0, 1)[None], [("", "as it is", tile)]
    with torch.random.fork_rng(devices=[]):
        for name, family in FAMILIES.items():
            torch.manual_seed(seed)
            found += (
                [("family", family.title, family(image)[0].permute(1, 2, 0).numpy())]
                if name != "none"
                else []
            )
    kinds = {word: "normaliser" if word in NORMALISERS else "drawn stain" for word in STAINS}
    return found + [
        (kinds[word], TITLES[word], changes(section, train, word)(slice(row, row + 1))[0])
        for word in STAINS
    ]


def plate(shown: Sequence[Picture]) -> go.Figure:
    """Tiles side by side below their titles, in rows of five."""
    fig, rows = go.Figure(), -(-len(shown) // COLUMNS)
    for i, (_, title, image) in enumerate(shown):
        y, x = divmod(i, COLUMNS)
        fig.add_layout_image(
            source=data_uri(framed(image), 224),
            x=x + 0.5,
            y=y + 0.25,
            sizex=0.94,
            sizey=0.75,
            xref="x",
            yref="y",
            xanchor="center",
            yanchor="top",
        )
        fig.add_annotation(
            x=x + 0.5,
            y=y + 0.25,
            text=title if len(title) < LONG else title.replace(", ", ",<br>", 1),
            showarrow=False,
            yanchor="bottom",
            font={"size": 10},
        )
    fig.add_scatter(
        x=[0, COLUMNS],
        y=[0, rows],
        mode="markers",
        marker_opacity=0,
        hoverinfo="skip",
        showlegend=False,
    )
    hidden = {"visible": False, "fixedrange": True}
    axes = {"xaxis": {"range": [0, COLUMNS], **hidden}, "yaxis": {"range": [rows, 0], **hidden}}
    return plain(fig, rows * TILE, **axes).update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})


def framed(image: UInt8[np.ndarray, "px px 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """The image within a grey line, so that a white one is seen on white."""
    return np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=FRAME)


def plate_data(shown: Sequence[Picture]) -> pd.DataFrame:
    """Mean red, green and blue of each picture."""
    return pd.DataFrame(
        [
            {"kind": kind, "picture": title}
            | dict(zip(("red", "green", "blue"), image.mean(axis=(0, 1)), strict=True))
            for kind, title, image in shown
        ]
    )


def boxes(table: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """One box a row and role, over genes and sections; whiskers reach the 5th and 95th percentile. table: rows of one group of the table `boxes` of a study."""
    fig, keys = go.Figure(), [key for key in titles if key in set(table["row"])]
    for role, part in table.groupby("role", sort=False):
        part = part.set_index("row").reindex(keys)
        fig.add_box(
            x=[titles[key] for key in keys],
            q1=part["q25"],
            median=part["median"],
            q3=part["q75"],
            lowerfence=part["low"],
            upperfence=part["high"],
            name=role,
            marker_color=ROLE_COLOUR[role],
            line_width=1.5,
            hoverinfo="y+name",
        )
    fig.add_hline(y=0, line_width=1, line_dash="dot", line_color="#888888")
    return plain(
        fig,
        420,
        boxmode="group",
        yaxis_title="PCC per gene and section",
        xaxis_tickangle=-35,
        legend={"orientation": "h", "y": 1.08, "x": 0},
    )


def apart(found: pd.DataFrame, titles: dict[str, str], bar: float) -> go.Figure:
    """Difference of each row to its reference, one dot a section; the band is what another seed moves. found: rows of one group of the table `differences`."""
    return differences(
        found.assign(line=found["row"].map(titles), of=found["role"]),
        [titles[key] for key in titles if key in set(found["row"])],
        ROLE_COLOUR,
        bar=bar,
    )


def band_told(group: str, bar: float, seed: int) -> str:
    """What the band of `apart` is, for its caption; seed: of the fits."""
    return f"The band, {bar:.3f} to either side, is the most, over the sections, that another seed moved {MOVED[group]}; it rests on one pair of seeds, {seed} and {seed + 1}."


def distances(looks: pd.DataFrame, titles: dict[str, str]) -> go.Figure:
    """How far the mean colour of each section lies from that of the training sections, by stain; titles of the names, in order."""
    axis = {"title": "distance to the training<br>colour (CIELAB)", "rangemode": "tozero"}
    return dots(
        looks.assign(line=looks["name"].map(titles), of=looks["role"]),
        "distance",
        list(titles.values()),
        ROLE_COLOUR,
        axis,
        digits=1,
    )
