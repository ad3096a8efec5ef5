"""Publish a figure or a table: what a chapter's cell leaves in the notebook for its page.

A figure is plotly's own bundle (so JupyterLab draws it), with `layout.meta` = name, alt, caption,
csv, provenance. A table is HTML beside a bundle of the same facts. compendium.book.site.sphinx
turns both into the page.
"""

import base64
import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from compendium.errors import BadInput
from compendium.evaluation.planned import PLANNED_ONLY

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

PLOTLY = "application/vnd.plotly.v1+json"
TABLE = "application/vnd.compendium.table+json"
NOTED = "application/vnd.compendium.noted+json"
"""What a chapter notes for the status page: its device, or how many records it rests on."""

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TRACES = set(
    "bar box contour heatmap histogram histogram2d histogram2dcontour image pie scatter "
    "scatterternary violin".split()
)
"""Kinds of traces that are drawn as SVG, without WebGL and without fetching maps."""


def show(
    fig: "go.Figure", name: str, alt: str, caption: str, data: "pd.DataFrame", provenance: str = ""
) -> None:
    """Publish a plotly figure. Its template is dropped: the page sets its own, light or dark.

    Parameters
    ----------
    fig
        The figure.
    name
        Slug, unique in the chapter: the anchor `fig-NAME` and the file name of the data.
    alt
        What a reader who cannot see it must know.
    caption
        MyST text that states the finding (inline markup, formulas and citations allowed).
    data
        The numbers drawn, offered as CSV.
    provenance
        One line on what made it.

    Raises
    ------
    BadInput
        A text is missing, the name is no slug, or the page could not draw the figure.
    """
    _check_texts(name, alt=alt, caption=caption)
    bundle = compact(fig.to_dict())
    check_bundle(bundle, name)
    height = bundle["layout"].setdefault("height", 440)
    facts = {"name": name, "alt": alt, "caption": caption, "csv": to_csv(data)}
    bundle["layout"]["meta"] = facts | {"provenance": provenance}
    bundle["config"] = {"responsive": True, "displaylogo": False, "plotlyServerURL": ""}
    publish({PLOTLY: bundle, "text/plain": f"Figure {name} ({height} px): {alt}"})


def show_table(df: "pd.DataFrame", name: str, caption: str, provenance: str = "") -> None:
    """Publish a table without its index; numbers are set right, missing ones as a dash.

    The CSV holds them unrounded to six digits.
    """
    _check_texts(name, caption=caption)
    table = to_html(df)
    facts = {"name": name, "caption": caption, "html": table, "csv": to_csv(df)}
    plain = df.to_string(index=False)
    publish({TABLE: facts | {"provenance": provenance}, "text/html": table, "text/plain": plain})


def _check_texts(name: str, **texts: str) -> None:
    if not SLUG.fullmatch(name):
        cure = "use lower-case letters, digits and single hyphens"
        raise BadInput(f"figure or table name {name!r} is no slug: {cure}")
    for what, text in texts.items():
        if not text.strip():
            raise BadInput(f"figure or table {name} has no {what}: say in words what it shows")


def publish(bundle: dict[str, Any]) -> None:
    """Leave one output, mime type -> content, in the notebook's cell."""
    if PLANNED_ONLY.get():
        return
    from IPython.display import publish_display_data

    publish_display_data(bundle)


def check_bundle(bundle: dict[str, Any], name: str) -> None:
    """Refuse what a page without WebGL, formulas in figures or network cannot draw."""
    for kind in (trace.get("type", "scatter") for trace in bundle["data"]):
        if kind not in TRACES:
            cure = f"use one of {', '.join(sorted(TRACES))} (plotly.express: render_mode='svg')"
            raise BadInput(
                f"figure {name}: traces of type {kind} are not drawn in the book; {cure}"
            )
    drawn = {key: value for key, value in bundle["layout"].items() if key != "meta"}
    if formula := next((text for text in strings(bundle | {"layout": drawn}) if "$" in text), None):
        wrong = f"formulas are not set inside figures, found {formula!r}"
        raise BadInput(f"figure {name}: {wrong}; write Unicode or <i>, <sub>, <sup>")
    for image in drawn.get("images", []):
        if not str(image.get("source", "")).startswith("data:image/"):
            cure = "give it as a data:image/... address, so that the page needs no network"
            raise BadInput(f"figure {name}: an image is not embedded; {cure}")


def strings(value: Any) -> Iterator[str]:
    """Every text inside a figure's bundle, encoded arrays and images left out."""
    if isinstance(value, str) and not value.startswith("data:"):
        yield value
    elif isinstance(value, dict):
        yield from strings([inner for key, inner in value.items() if key != "bdata"])
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def compact(figure: dict[str, Any]) -> dict[str, Any]:
    """A figure's dict as plain JSON: no template, arrays as float32, other floats to 7 digits."""
    bundle = _plain(figure)
    bundle.setdefault("layout", {}).pop("template", None)
    bundle.pop("frames", None)
    return bundle


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict) and "bdata" not in value:
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, dict) and value["dtype"] == "f8":
        array = np.frombuffer(base64.b64decode(value["bdata"]), "<f8").astype("<f4")
        return value | {"dtype": "f4", "bdata": base64.b64encode(array.tobytes()).decode()}
    if isinstance(value, float):
        return float(f"{value:.7g}") if np.isfinite(value) else None
    return value


def to_csv(df: "pd.DataFrame") -> str:
    """The table as CSV text: no index, floats to six significant digits, missing values empty."""
    if df is None or not len(df.columns):
        raise BadInput("a figure or table without data: give the numbers it shows as a DataFrame")
    return df.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def to_html(df: "pd.DataFrame") -> str:
    """The table as HTML: a text column in first place as row heads, numbers right.

    Numbers of a column have as many places as `places` says.
    """
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    numeric = [is_numeric_dtype(kind) and not is_bool_dtype(kind) for kind in df.dtypes]
    digits = [places(df.iloc[:, i]) if number else None for i, number in enumerate(numeric)]
    scopes = ["" if i or number else "row" for i, number in enumerate(numeric)]
    named = zip(df.columns, numeric, strict=True)
    head = "".join(_cell(str(name), number, "col") for name, number in named)
    body = ""
    for values in df.itertuples(index=False, name=None):
        cells = zip(values, digits, numeric, scopes, strict=True)
        row = "".join(
            _cell(cell_text(value, digit), number, scope) for value, digit, number, scope in cells
        )
        body += f"<tr>{row}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, number: bool, scope: str) -> str:
    """A cell, which is the head of a row or column where it has a scope."""
    tag, head = ("th", f' scope="{scope}"') if scope else ("td", "")
    how = ' class="number"' if number else ""
    return f"<{tag}{head}{how}>{html.escape(text)}</{tag}>"


def places(values: "pd.Series | list[float]") -> int:
    """Places after the point of a column of numbers.

    None for counts, of which a median may end in a half; else four digits of the largest, three
    places at most.
    """
    found = np.abs(np.asarray(values, dtype=float))
    found = found[np.isfinite(found)]
    largest = found.max(initial=0.0)
    if largest > 1 and np.array_equal(found * 2, np.round(found * 2)):
        return 0
    return max(0, 3 - int(np.log10(max(largest, 1.0))))


def cell_text(value: Any, digits: int | None = None) -> str:
    """One cell for the eye: 13,620; 0.123; no minus before a zero; a dash for what is missing.

    digits: places after the point, else those of the value alone.
    """
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        digits = places([value]) if digits is None else digits
        return f"{value:,.1f}" if digits == 0 and value % 1 == 0.5 else f"{value:z,.{digits}f}"
    return str(value)
