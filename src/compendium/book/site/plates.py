"""From a published figure or table to the nodes of the page.

A numbered figure with caption, data and provenance.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from docutils import nodes

from compendium.book.notebook.markup import scrolled
from compendium.book.notebook.show import PLOTLY, TABLE

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer

FILES = "compendium_files"  # attribute of a figure node: path in the site -> bytes
UNCAPTIONED = (
    "a figure was displayed without page.show: it has no caption, alternative text or data"
)
EMBEDDED = re.compile(r"data:image/(png|jpeg|webp|gif|svg\+xml);base64,(.+)", re.DOTALL)


class TableFigure(nodes.figure):
    """A table with its caption: drawn like a figure, counted among the tables."""


class PlotlyRenderer:
    """Turns what compendium.book.notebook.show published into page nodes.

    myst-nb finds it by its entry point.
    """

    mime_priority_overrides = [("html", PLOTLY, 0), ("html", TABLE, 0)]

    @staticmethod
    def handle_mime(
        renderer: "NbElementRenderer", data: "MimeData", inline: bool
    ) -> list[nodes.Element] | None:
        """The nodes of a figure or a table; None leaves any other output to myst-nb."""
        if data.mime_type not in (PLOTLY, TABLE):
            return None
        page = renderer.renderer
        docname = page.sphinx_env.docname
        if data.mime_type == TABLE:
            kind, figure = "table", TableFigure()
            facts = data.content
            label = f"Table {facts['name'].replace('-', ' ')}"
            body, files = scrolled(facts["html"], label), {}
        else:
            kind, figure = "figure", nodes.figure()
            facts = data.content["layout"].get("meta")
            if not isinstance(facts, dict) or "caption" not in facts:
                renderer.logger.warning(UNCAPTIONED, subtype="figure", line=data.line)
                return []
            body, files = plot(data.content, docname)
        caption = nodes.caption()
        with page.current_node_context(caption):
            page.nested_render_text(facts["caption"], data.line or 0, inline=True)
        return [plate(figure, kind, body, caption, files, facts, docname, page.document)]


def chapter_of(docname: str) -> str:
    """chapters/02_id_loocv -> id-loocv."""
    return re.sub(r"^\d+_", "", docname.rsplit("/", 1)[-1]).replace("_", "-").lower()


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
    """Body, caption and the line below it, from the facts name, csv and provenance.

    The anchor is fig-NAME or table-NAME; the label for numref is CHAPTER:NAME.
    """
    name, chapter, content = facts["name"], chapter_of(docname), facts["csv"].encode()
    csv = f"_downloads/csv/{chapter}/{name}.csv"
    address = f'href="{escape(up(docname) + csv)}" download="{chapter}-{name}.csv"'
    size = max(1, round(len(content) / 1000))
    below = (
        f'<p class="compendium-source"><a class="compendium-csv" {address}>Data (CSV, {size} kB)'
        f'</a> <span class="compendium-provenance">{escape(facts["provenance"])}</span></p>'
    )
    legend = nodes.legend("", nodes.raw(below, below, format="html"))
    figure += [nodes.raw(body, body, format="html"), caption, legend]
    figure["classes"].append(f"compendium-{kind}")
    figure["ids"].append(f"{'fig' if kind == 'figure' else kind}-{name}")
    figure["names"].append(f"{chapter}:{name}")
    figure[FILES] = {csv: content} | files
    document.note_explicit_target(figure, figure)
    return figure


def plot(bundle: dict[str, Any], docname: str) -> tuple[str, dict[str, bytes]]:
    """The HTML that compendium.js draws from, and images embedded in the figure as files."""
    facts = bundle["layout"]["meta"]
    layout = dict(bundle["layout"], meta={"name": facts["name"]})
    files: dict[str, bytes] = {}
    if "images" in layout:
        layout["images"] = [_unembed(image, docname, files) for image in layout["images"]]
    spec = {"data": bundle["data"], "layout": layout, "config": bundle.get("config", {})}
    text = json.dumps(spec, separators=(",", ":")).replace("</", "<\\/")
    alt, height = escape(facts["alt"]), int(layout.get("height", 440))
    script = f"vendor/plotly.min.js?v={version('plotly')}"
    return (
        f'<div class="compendium-plot" role="group" aria-label="{alt}" '
        f'style="min-height:{height}px" data-engine="{script}">'
        f'<p class="compendium-alt">{alt}</p></div>'
        f'<script type="application/json">{text}</script>\n'
    ), files


def _unembed(image: dict[str, Any], docname: str, files: dict[str, bytes]) -> dict[str, Any]:
    """An image of a figure as a file named by its content, so that figures and pages share it."""
    embedded = EMBEDDED.fullmatch(image.get("source", ""))
    if not embedded:
        return image
    content = base64.b64decode(embedded[2])
    suffix = embedded[1].replace("jpeg", "jpg").replace("svg+xml", "svg")
    path = f"_images/{hashlib.sha256(content).hexdigest()[:20]}.{suffix}"
    files[path] = content
    return image | {"source": up(docname) + path}


def up(docname: str) -> str:
    """The way from a page to the root of the site."""
    return "../" * docname.count("/")
