"""The directives of the pages about methods: tables and drawings that are made from the registry whenever the pages are built."""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from compendium import __version__
from compendium.book.notebook.commit import commit
from compendium.book.notebook.show import to_csv, to_html
from compendium.book.site import method_drawings, method_tables
from compendium.book.site.plates import TableFigure, plate
from compendium.book.site.scrolled import scrolled
from compendium.methods import Recipe, Step, names, recipe

STRUCTURE = "structure"
CAPTIONS = {
    "methods": "Every registered method; the word in the first column is the one that a run takes. {sources}",
    "inputs": "What a method sees, in the form of the benchmark's Table S1: tile, pixel values, augmentation in training, and the expression that it is trained towards, "
    "where c is the count of a gene in a spot.",
    "architectures": "How a method is built, in the form of the benchmark's Table S2: encoder, what passes between spots, head, and loss. Frozen: keeps its ImageNet weights.",
    "training": "How a method is trained by its recipe (budget full), and what the budget laptop changes.",
    "parameters": "Parameters, all and those that are trained, counted on the networks as registered, for 785 and for 12 genes, the panels at which the authors' networks "
    "were counted. A classifier has two classes here.",
    "origins": "Where a method comes from, in the form of the benchmark's Table S4: year, the data and the rivals of its first evaluation. {sources}",
    "protocols": "The words of a run that the two protocols set differently: first for every method, then for those whose own words they are.",
    "deviations": "Where the methods of this book depart from their papers or from the code behind these, and why. What several methods share stands once.",
}

SHARED = (
    "What the methods have in common, in the form of the benchmark's Figure 1a, and which of them have a part of it. The main way runs from the tile to the expression; "
    "branches are fed by it or feed it. In the drawings of the methods a dashed box keeps the weights that it came with."
)


class RegistryDirective(SphinxDirective):
    """What both have in common: a figure from the registry, noted anew at every build."""

    def _plate(
        self, figure: nodes.figure, kind: str, name: str, body: str, caption: str, csv: str
    ) -> nodes.figure:
        self.env.note_reread()
        provenance = f"registry of methods · {commit(Path(self.env.srcdir).parent)} · compendium {__version__}"
        inline, messages = self.state.inline_text(caption, self.lineno)
        facts = {"name": name, "csv": csv, "provenance": provenance}
        return plate(
            figure,
            kind,
            body,
            nodes.caption(caption, "", *inline, *messages),
            {},
            facts,
            self.env.docname,
            self.state.document,
        )


class TableDirective(RegistryDirective):
    """```{methods-table} training``` in MyST: one table of compendium.book.site.method_tables."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The numbered table with its caption and data."""
        name = self.arguments[0]
        frame = method_tables.table(name)
        body = scrolled(to_html(frame), f"Table {name.replace('-', ' ')}", "compendium-methods")
        return [
            self._plate(
                TableFigure(),
                "table",
                name,
                body,
                CAPTIONS[name].format(sources=sources()),
                to_csv(frame),
            )
        ]


class DrawingDirective(RegistryDirective):
    """```{method-drawing} stnet``` in MyST: a method by its name, `structure` for what all share; without a name, every method not yet drawn on the page."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The numbered drawings."""
        asked = self.arguments[0] if self.arguments else ""
        if asked == STRUCTURE:
            return [
                self._drawing(
                    STRUCTURE, "The common structure", method_drawings.structure(), SHARED
                )
            ]
        found = (
            [recipe(asked)]
            if asked
            else [
                facts
                for facts in method_tables.reviewed()
                if f"fig-{facts.name}" not in self.state.document.ids
            ]
        )
        return [
            self._drawing(
                facts.name, facts.title, method_drawings.boxes(facts), drawing_caption(facts)
            )
            for facts in found
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


def drawing_caption(facts: Recipe) -> str:
    """Title, citation and summary of a method."""
    return f"{facts.title}{cited(facts)}: {facts.summary}"


def cited(facts: Recipe) -> str:
    """The role that cites the method's paper, with a space before it."""
    return f" {{cite}}`{facts.citation}`" if facts.citation else ""


def sources() -> str:
    """One sentence that cites the paper of every method."""
    keys = dict.fromkeys(recipe(name).citation for name in names() if recipe(name).citation)
    return f"Sources: {{cite}}`{','.join(keys)}`."
