"""From a published figure or table to the nodes of the page: a numbered figure with caption, data and provenance."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from docutils import nodes

from compendium.book.notebook.show import PLOTLY, TABLE
from compendium.book.site.scrolled import scrolled

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer

FILES = "compendium_files"  # attribute of a figure node: path in the site -> bytes
EMBEDDED = re.compile(r"data:image/(png|jpeg|webp|gif|svg\+xml);base64,(.+)", re.DOTALL)


class TableFigure(nodes.figure):
    """A table with its caption: drawn like a figure, counted among the tables."""


class PlotlyRenderer:
    """Turns what compendium.book.notebook.show published into page nodes (myst-nb finds it by its entry point)."""

    mime_priority_overrides = [("html", PLOTLY, 0), ("html", TABLE, 0)]

    @staticmethod
    def handle_mime(
        renderer: "NbElementRenderer", data: "MimeData", inline: bool
    ) -> list[nodes.Element] | None:
        """The nodes of a figure or a table; None leaves any other output to myst-nb."""
        if data.mime_type == PLOTLY:
            facts = data.content["layout"].get("meta")
            if not isinstance(facts, dict) or "caption" not in facts:
                renderer.logger.warning(
                    "a figure was displayed without page.show: it has no caption, alternative text or data",
                    subtype="figure",
                    line=data.line,
                )
                return []
            return [
                _shown(
                    nodes.figure(),
                    "figure",
                    *plot(data.content, renderer.renderer.sphinx_env.docname),
                    facts,
                    renderer,
                    data,
                )
            ]
        if data.mime_type == TABLE:
            body = scrolled(data.content["html"], f"Table {data.content['name'].replace('-', ' ')}")
            return [_shown(TableFigure(), "table", body, {}, data.content, renderer, data)]
        return None


def chapter_of(docname: str) -> str:
    """chapters/02_id_loocv -> id-loocv."""
    return re.sub(r"^\d+_", "", docname.rsplit("/", 1)[-1]).replace("_", "-").lower()


def _shown(
    figure: nodes.figure,
    kind: str,
    body: str,
    files: dict[str, bytes],
    facts: dict[str, Any],
    renderer: "NbElementRenderer",
    data: "MimeData",
) -> nodes.figure:
    page = renderer.renderer
    caption = nodes.caption()
    with page.current_node_context(caption):
        page.nested_render_text(facts["caption"], data.line or 0, inline=True)
    return plate(figure, kind, body, caption, files, facts, page.sphinx_env.docname, page.document)


def plate(
    figure: nodes.figure,
    kind: str,
    body: str,
    caption: nodes.caption,
    files: dict[str, bytes],
    facts: Mapping[str, Any],
    docname: str,
    document: nodes.document,
) -> nodes.figure:
    """Body, caption and the line below it, from the facts name, csv and provenance. The anchor is fig-NAME or table-NAME; the label for numref is CHAPTER:NAME."""
    name = facts["name"]
    csv = f"_downloads/csv/{chapter_of(docname)}/{name}.csv"
    content = facts["csv"].encode()
    below = (
        f'<p class="compendium-source"><a class="compendium-csv" href="{escape(up(docname) + csv)}" download="{chapter_of(docname)}-{name}.csv">'
        f'Data (CSV, {max(1, round(len(content) / 1000))} kB)</a> <span class="compendium-provenance">{escape(facts["provenance"])}</span></p>'
    )
    figure += [
        nodes.raw(body, body, format="html"),
        caption,
        nodes.legend("", nodes.raw(below, below, format="html")),
    ]
    figure["classes"].append(f"compendium-{kind}")
    figure["ids"].append(f"{'fig' if kind == 'figure' else kind}-{name}")
    figure["names"].append(f"{chapter_of(docname)}:{name}")
    figure[FILES] = {csv: content} | files
    document.note_explicit_target(figure, figure)
    return figure


def plot(bundle: dict[str, Any], docname: str) -> tuple[str, dict[str, bytes]]:
    """The HTML that compendium.js draws from, and the images that were embedded in the figure, as files of the site."""
    facts = bundle["layout"]["meta"]
    layout = dict(bundle["layout"], meta={"name": facts["name"]})
    files: dict[str, bytes] = {}
    if "images" in layout:
        layout["images"] = [_unembed(image, docname, files) for image in layout["images"]]
    spec = json.dumps(
        {"data": bundle["data"], "layout": layout, "config": bundle.get("config", {})},
        separators=(",", ":"),
    ).replace("</", "<\\/")
    return (
        f'<div class="compendium-plot" role="group" aria-label="{escape(facts["alt"])}" style="min-height:{int(layout.get("height", 440))}px" '
        f'data-engine="vendor/plotly.min.js?v={version("plotly")}"><p class="compendium-alt">{escape(facts["alt"])}</p></div>'
        f'<script type="application/json">{spec}</script>\n'
    ), files


def _unembed(image: dict[str, Any], docname: str, files: dict[str, bytes]) -> dict[str, Any]:
    """An image of a figure as a file named by its content, so that figures and pages share it."""
    embedded = EMBEDDED.fullmatch(image.get("source", ""))
    if not embedded:
        return image
    content = base64.b64decode(embedded[2])
    path = f"_images/{hashlib.sha256(content).hexdigest()[:20]}.{embedded[1].replace('jpeg', 'jpg').replace('svg+xml', 'svg')}"
    files[path] = content
    return image | {"source": up(docname) + path}


def up(docname: str) -> str:
    """The way from a page to the root of the site."""
    return "../" * docname.count("/")
