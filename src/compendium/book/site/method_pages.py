"""Directives of the pages about methods: tables and drawings made from the registry at a build."""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from compendium import __version__
from compendium.book.notebook.commit import commit
from compendium.book.notebook.markup import scrolled
from compendium.book.notebook.show import to_csv, to_html
from compendium.book.site import method_drawings, method_tables
from compendium.book.site.plates import TableFigure, plate
from compendium.methods import Step, describe, names

STRUCTURE = "structure"


class RegistryDirective(SphinxDirective):
    """Figure from the registry, read anew at every build; its content is the caption."""

    has_content = True

    @property
    def caption(self) -> str:
        """Caption as its author wrote it on the page; {sources} cites every paper."""
        self.assert_has_content()
        return " ".join(self.content).replace("{sources}", sources())

    def _plate(
        self, figure: nodes.figure, kind: str, name: str, body: str, caption: str, csv: str
    ) -> nodes.figure:
        self.env.note_reread()
        state = commit(Path(self.env.srcdir).parent)
        inline, messages = self.state.inline_text(caption, self.lineno)
        facts = {
            "name": name,
            "csv": csv,
            "provenance": f"registry of methods · {state} · compendium {__version__}",
        }
        title = nodes.caption(caption, "", *inline, *messages)
        page, document = self.env.docname, self.state.document
        return plate(figure, kind, body, title, {}, facts, page, document)


class TableDirective(RegistryDirective):
    """```{methods-table} training``` in MyST: one table of compendium.book.site.method_tables."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the numbered table with its caption and data."""
        name = self.arguments[0]
        frame = method_tables.table(name)
        body = scrolled(to_html(frame), f"Table {name.replace('-', ' ')}", "compendium-methods")
        return [self._plate(TableFigure(), "table", name, body, self.caption, to_csv(frame))]


class DrawingDirective(RegistryDirective):
    """```{method-drawing} stnet``` in MyST: a method, or `structure` for what all share.

    Without a name, every method that is not yet drawn on the page.
    """

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the numbered drawings."""
        if self.arguments == [STRUCTURE]:
            drawn = method_drawings.structure()
            return [self._drawing(STRUCTURE, "The common structure", drawn, self.caption)]
        drawn = self.state.document.ids
        missing = [name for name in method_tables.reviewed() if f"fig-{name}" not in drawn]
        return [
            self._drawing(
                name, describe(name).title, method_drawings.boxes(name), drawing_caption(name)
            )
            for name in self.arguments or missing
        ]

    def _drawing(self, name: str, title: str, drawn: list[Step], caption: str) -> nodes.figure:
        return self._plate(
            nodes.figure(),
            "figure",
            name,
            method_drawings.to_html(title, drawn),
            caption,
            to_csv(method_drawings.frame(drawn)),
        )


def drawing_caption(name: str) -> str:
    """Return title, citation and summary of a method."""
    text = describe(name)
    cited = f" {{cite}}`{text.citation}`" if text.citation else ""
    return f"{text.title}{cited}: {text.summary}"


def sources() -> str:
    """Cite the paper of every method."""
    keys = dict.fromkeys(filter(None, (describe(name).citation for name in names())))
    return f"Sources: {{cite}}`{','.join(keys)}`."
