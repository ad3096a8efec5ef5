"""The table of verdicts on published tables: every finding of every chapter, made when pages are built."""

from collections.abc import Iterator
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from compendium.book.notebook import profiles, tables
from compendium.book.run import chapters
from compendium.evaluation.findings import Finding, decide_all, verdict_table
from compendium.evaluation.results import Results

if TYPE_CHECKING:
    from docutils import nodes

COLUMNS = ["statement", "claimed in", "verdict", "sections", "patients"]
"""Columns of the short table."""


def findings_of(chapter: str) -> tuple[Finding, ...]:
    """Return the findings of a chapter; none where its folder has no module of that name."""
    name = f"compendium.chapters.{chapter.replace('-', '_')}.findings"
    try:
        return import_module(name).FINDINGS
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return ()


def published(profile: str, root: Path) -> Iterator[tuple[str, Results]]:
    """Yield the name and the published tables of each chapter of a profile, in the book's order."""
    there = tables.chapters_of(profile)
    for chapter in chapters.chapters(root):
        if chapter in there:
            yield chapter, tables.reference(profile, chapter)


def verdicts(profile: str, root: Path) -> pd.DataFrame:
    """Return one row a finding of every chapter with published tables.

    Returns
    -------
    The columns of `verdict_table` after `chapter`.
    """
    parts = []
    for chapter, results in published(profile, root):
        findings = findings_of(chapter)
        table = verdict_table(findings, decide_all(findings, results))
        parts.append(table.assign(chapter=chapter))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["chapter"])
    return table[["chapter", *(name for name in table if name != "chapter")]]


class VerdictsDirective(SphinxDirective):
    """Print the verdicts in MyST: ```{verdicts}```, or with `:short:` without the statistics."""

    option_spec = {"short": directives.flag}

    def run(self) -> "list[nodes.Node]":
        """Return the table and the line that says what made it; read again at every build."""
        self.env.note_reread()
        root = Path(self.env.srcdir).parent
        text = "\n\n".join(
            self._profile(profiles.load(name, root), root) for name in tables.references()
        )
        return self.parse_text_to_nodes(text)

    def _profile(self, profile: profiles.Profile, root: Path) -> str:
        table = verdicts(profile.name, root)
        links = [
            f"{{doc}}`/chapters/{chapters.find(name, root).stem}`" for name in table["chapter"]
        ]
        table = table.assign(chapter=links)
        if "short" in self.options:
            return f"**{profile.title}**\n\n{as_myst(table[['chapter', *COLUMNS]])}"
        made = [
            escape(tables.made_from(profile.name, results))
            for _, results in published(profile.name, root)
        ]
        lines = "<br>".join(dict.fromkeys(made))
        return (
            f'**{profile.title}**\n\n{as_myst(table)}\n\n<p class="compendium-tables">{lines}</p>'
        )


def as_myst(table: pd.DataFrame) -> str:
    """Return a table as MyST text: numbers to three digits, missing ones as a dash."""
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    lines = [list(table), ["---"] * table.shape[1], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if pd.notna(value) else "–"
    return str(value).replace("|", "\\|")
