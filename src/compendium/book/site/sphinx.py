"""The Sphinx extension of the book.

Figures and tables from executed notebooks, formulas, provenance, and the files that go with them.
"""

import json
import shutil
from html import escape
from importlib.metadata import files as package_files
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.writers.html5 import HTML5Translator

from compendium import __version__
from compendium.book.notebook.rerun import banner
from compendium.book.site.address import add_buttons
from compendium.book.site.formulas import visit_math, visit_math_block
from compendium.book.site.method_pages import DrawingDirective, TableDirective
from compendium.book.site.paper_map import PaperMapDirective
from compendium.book.site.plates import FILES, PlotlyRenderer, TableFigure
from compendium.book.site.status import StatusDirective, StatusNode, fill, took
from compendium.book.site.verdicts import VerdictsDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

__all__ = ["PlotlyRenderer", "setup"]

TEMPLATES = str(Path(__file__).with_name("templates"))
"""Of this package, before the theme's."""


def setup(app: "Sphinx") -> dict[str, Any]:
    """Register everything with Sphinx."""
    app.add_config_value("compendium_address", "", "html")
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.add_node(StatusNode)
    app.add_directive("chapter-status", StatusDirective)
    app.add_directive("methods-table", TableDirective)
    app.add_directive("method-drawing", DrawingDirective)
    app.add_directive("paper-map", PaperMapDirective)
    app.add_directive("verdicts", VerdictsDirective)
    drawn = HTML5Translator.visit_figure, HTML5Translator.depart_figure
    app.add_enumerable_node(TableFigure, "table", html=drawn)
    app.connect("config-inited", put_templates_first)
    app.connect("doctree-resolved", write_files)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", add_origin, priority=400)
    app.connect("html-page-context", add_buttons, priority=502)  # the theme makes its own at 501
    app.connect("build-finished", finish)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}


def put_templates_first(app: "Sphinx", config: "Config") -> None:
    """Make Sphinx look for templates in this package before it looks in the theme."""
    config.templates_path.insert(0, TEMPLATES)


def write_files(app: "Sphinx", doctree: nodes.document, docname: str) -> None:
    """Write the data and images of a page's figures into the site.

    The doctree carries them, so that a page written again has them again.
    """
    if app.builder.format != "html":
        return
    for figure in doctree.findall(nodes.figure):
        for name, content in figure.get(FILES, {}).items():
            path = Path(app.outdir) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def origin(app: "Sphinx", docname: str) -> dict[str, Any]:
    """What made a chapter's page (metadata.compendium of its notebook); {} for a page of prose."""
    stated = app.env.metadata.get(docname, {}).get("compendium", {})
    return json.loads(stated) if isinstance(stated, str) else dict(stated)


def add_origin(
    app: "Sphinx", pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Give templates `compendium`, and end a chapter with what made it and its notebook.

    The chapters' banners are repeated where prose cites chapters.
    """
    context["compendium"] = facts = origin(app, pagename)
    if "body" not in context or doctree is None:
        return
    source = Path(app.env.doc2path(pagename))
    if facts:
        notebook = context["pathto"](f"_sources/{context['sourcename']}", 1)
        context["body"] += made_by(facts, notebook)
    elif pagename == app.config.root_doc or "chapters/" in source.read_text(encoding="utf-8"):
        stated = {origin(app, docname).get("banner") for docname in app.env.found_docs}
        banners = "".join(map(banner, sorted(stated - {"", None})))
        context["body"] = context["body"].replace("</h1>", f"</h1>{banners}", 1)


def made_by(facts: dict[str, Any], notebook: str) -> str:
    """The last line of a chapter."""
    text = (
        f"This page was run on {facts['date']} with profile {facts['profile']} in "
        f"{took(facts['seconds'])}, {facts['commit']}, compendium {facts['version']}."
    )
    link = f'<a href="{escape(notebook)}" download>Download the executed notebook</a>'
    return f'<p class="compendium-made">{escape(text)} {link}</p>\n'


def finish(app: "Sphinx", error: Exception | None) -> None:
    """Copy plotly.js, with its licence, out of the installed plotly package.

    Leave out the theme's script that no page loads.
    """
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    vendor, licence = static / "vendor", f"plotly-{version('plotly')}-LICENSE.txt"
    vendor.mkdir(parents=True, exist_ok=True)
    for file in package_files("plotly") or []:
        if str(file) == "plotly/package_data/plotly.min.js":
            shutil.copyfile(file.locate(), vendor / "plotly.min.js")
        elif file.name.startswith("LICENSE") and ".dist-info" in str(file):
            shutil.copyfile(file.locate(), vendor / licence)
    for unused in (static / "scripts").glob("fontawesome.js*"):
        unused.unlink()
