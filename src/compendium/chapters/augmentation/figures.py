"""Figures of the augmentation chapter: one tile in many forms, boxes, differences, colours."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from jaxtyping import UInt8

from compendium import __version__
from compendium.chapters.augmentation.catalogue import TITLES
from compendium.chapters.augmentation.design import GROUPS, PLAIN
from compendium.chapters.augmentation.results import seed_band
from compendium.data.partition import OUTSIDE, TRAINING
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.evaluation import comparison
from compendium.evaluation.describe import CHANNELS
from compendium.evaluation.results import Results
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.colour_spaces import lab
from compendium.images.stain.store import NORMALISERS, STAINS, changes
from compendium.plots import dots, scores
from compendium.plots.style import ROLE_COLOUR, data_uri, plain

COLUMNS, ROW_PX, FRAME = 5, 158, 150
"""Tiles in a row, height of a row in px, grey level of the frame of a tile."""
LONG = 12
"""Letters from which on a title is broken into two lines."""
SYNTHETIC, ONES = "demo", ("P1a", "Q1a")
"""Cohort that can be drawn anywhere, and its sections of two laboratories."""


class Variant(NamedTuple):
    """One form of a tile."""

    kind: str
    title: str
    image: UInt8[np.ndarray, "px px 3"]


def shown_sections(
    slides: Mapping[str, Section | None], roles: Mapping[str, str]
) -> tuple[list[Section], Section, str]:
    """Choose the sections of the figure of tiles.

    Parameters
    ----------
    slides
        Section of each name, None where it is not prepared.
    roles
        Role of each section.

    Returns
    -------
    Training sections, first test section and an empty text; where one of these has no image here,
    sections of the synthetic cohort, and the provenance of the figure.
    """
    train = [slides[name] for name, role in roles.items() if role == TRAINING]
    test = next(slides[name] for name, role in roles.items() if role == OUTSIDE)
    if all(section is not None and section.stored_tiles is not None for section in (*train, test)):
        return train, test, ""
    both = open_sections(SYNTHETIC, list(ONES))
    names = f"cohort {SYNTHETIC}, sections {' and '.join(ONES)}, not those of this page"
    data = f"data {SYNTHETIC} {digest(both)[:10]} · compendium {__version__}"
    return both[:1], both[1], f"{names} · {data}"


def variants(section: Section, train: Sequence[Section], seed: int = 0) -> list[Variant]:
    """Return the tile of most contrast as it is, under every family, and in every stain.

    Parameters
    ----------
    section
        Section whose tile is shown.
    train
        Sections that stain maps are fitted on.
    seed
        Seed of the draw of each family.
    """
    row = int(np.argmax([lab(tile[::4, ::4])[..., 0].std() for tile in section.stored_tiles]))
    tile = np.asarray(section.stored_tiles[row])
    image, forms = torch.tensor(tile).permute(2, 0, 1)[None], [Variant("", "as it is", tile)]
    with torch.random.fork_rng(devices=[]):
        for family in (family for name, family in FAMILIES.items() if name != PLAIN):
            torch.manual_seed(seed)
            drawn = family(image)[0].permute(1, 2, 0).numpy()
            forms.append(Variant("family", family.title, drawn))
    for name in STAINS:
        kind = "normaliser" if name in NORMALISERS else "drawn stain"
        mapped = changes(section, train, name)(slice(row, row + 1))[0]
        forms.append(Variant(kind, TITLES[name], mapped))
    return forms


def tiles(shown: Sequence[Variant]) -> go.Figure:
    """Draw tiles side by side below their titles, in rows of `COLUMNS`."""
    fig, rows = go.Figure(), -(-len(shown) // COLUMNS)
    for i, each in enumerate(shown):
        y, x = divmod(i, COLUMNS)
        at = {"x": x + 0.5, "y": y + 0.25}
        size = {"sizex": 0.94, "sizey": 0.75, "xanchor": "center", "yanchor": "top"}
        picture = data_uri(framed(each.image), 224)
        fig.add_layout_image(source=picture, xref="x", yref="y", **size, **at)
        short = len(each.title) < LONG
        text = each.title if short else each.title.replace(", ", ",<br>", 1)
        fig.add_annotation(**at, text=text, showarrow=False, yanchor="bottom", font={"size": 10})
    ends = {"x": [0, COLUMNS], "y": [0, rows], "mode": "markers", "marker_opacity": 0}
    fig.add_scatter(**ends, hoverinfo="skip", showlegend=False)
    hidden = {"visible": False, "fixedrange": True}
    axes = {"xaxis": {"range": [0, COLUMNS], **hidden}, "yaxis": {"range": [rows, 0], **hidden}}
    return plain(fig, rows * ROW_PX, **axes).update_layout(margin=dict.fromkeys("lrtb", 4))


def framed(image: UInt8[np.ndarray, "px px 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """Put a grey frame around a tile, so that a white one can be seen on white."""
    return np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=FRAME)


def mean_colours(shown: Sequence[Variant]) -> pd.DataFrame:
    """Return the mean colour of each form: kind, form, red, green, blue (0 to 255)."""
    rows = [(each.kind, each.title, *each.image.mean(axis=(0, 1))) for each in shown]
    return pd.DataFrame(rows, columns=["kind", "form", *CHANNELS])


def of_group(
    results: Results, group: str
) -> Iterator[tuple[go.Figure, str, str, str, pd.DataFrame]]:
    """Yield the figures of one group of rows, as arguments of `Page.show`.

    Boxes by role, differences to the reference, and boxes by part of the gene panel where it has
    several.
    """
    named, what = comparison.titles(results), GROUPS[group]
    by_role, apart, panels = (
        each[each["group"] == group].assign(title=each["row"].map(named))
        for each in (results[name] for name in ("boxes", "differences", "panels"))
    )
    alt = f"Box plots of PCC by row, in validation and in test: {what}."
    text = f"PCC per gene and section, {what}. Whiskers: 5th and 95th percentile."
    yield boxes(by_role, named), f"{group}-boxes", alt, text, by_role
    alt = f"Dots: difference of PCC to the reference by row, a dot a section: {what}."
    text = f"Difference of PCC to the reference, mean over genes, {what}. Dot: section. "
    text += "Band: the most that another seed moves a section."
    fig = differences(apart, named, seed_band(results["differences"], group))
    yield fig, f"{group}-differences", alt, text, apart
    if panels["panel"].nunique() > 1:
        alt = f"Box plots of PCC by row and part of the gene panel, by role: {what}."
        text = f"The same fits, scored on each part of the gene panel, {what}."
        rows = panels.assign(method=panels["row"], split=panels["role"])
        fig = scores.panel_boxes(rows, list(named), named)
        yield fig, f"{group}-by-panel", alt, text, panels


def boxes(table: pd.DataFrame, titles: Mapping[str, str]) -> go.Figure:
    """Draw a box a row and role over genes and sections, of rows of one group."""
    rows = table.assign(method=table["row"], split=table["role"])
    return scores.boxes(rows, list(titles), titles, ROLE_COLOUR)


def differences(table: pd.DataFrame, titles: Mapping[str, str], band: float) -> go.Figure:
    """Draw the difference of each row to its reference, a dot a section.

    Parameters
    ----------
    table
        Rows of one group of the table `differences`.
    band
        What another seed moves.
    """
    lines = [titles[key] for key in titles if key in set(table["row"])]
    rows = table.assign(line=table["row"].map(titles), of=table["role"])
    return dots.differences(rows, lines, ROLE_COLOUR, bar=band)


def colour_distances(table: pd.DataFrame, titles: Mapping[str, str]) -> go.Figure:
    """Draw how far the mean colour of each section lies from the training sections, by stain.

    Parameters
    ----------
    table
        Table `tile_colours`.
    titles
        Title of each name, in order.
    """
    axis = {"title": "distance to the training<br>colour (CIELAB)", "rangemode": "tozero"}
    rows = table.assign(line=table["name"].map(titles), of=table["role"])
    return dots.dots(rows, "distance", list(titles.values()), ROLE_COLOUR, axis, digits=1)
