"""The table of verdicts on published tables, made when pages are built."""

from collections.abc import Iterator
from html import escape
from importlib import import_module
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from compendium.book.notebook import profiles, tables
from compendium.book.notebook.chapter_files import chapters
from compendium.evaluation.findings import Finding, decide_all, verdict_table
from compendium.evaluation.results import Results

SHORT = ["chapter", "claim", "verdict", "in the paper", "patients"]
"""Columns of the short table; what is read on a phone without scrolling stands first."""

COLUMNS = [*SHORT[:-1], "statistic", "value (interval)", "p (Holm)", "sections", "patients"]
COLUMNS += ["power", "limited by"]


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
    for chapter in chapters(root):
        if chapter in there:
            yield chapter, tables.reference(profile, chapter)


def verdicts(profile: str, root: Path) -> pd.DataFrame:
    """Return one row a finding of every chapter with published tables.

    Returns
    -------
    The columns of `verdict_table` after `chapter`, also where nothing is published.
    """
    parts = {}
    for chapter, results in published(profile, root):
        findings = findings_of(chapter)
        parts[chapter] = verdict_table(findings, decide_all(findings, results))
    parts = parts or {"": verdict_table([], {})}
    return pd.concat(parts, names=["chapter"]).reset_index("chapter").reset_index(drop=True)


class VerdictsDirective(SphinxDirective):
    """Print the verdicts in MyST: ```{verdicts}```, or with `:short:` without the statistics."""

    option_spec = {"short": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the table and the line that says what made it; read again at every build."""
        self.env.note_reread()
        root = Path(self.env.srcdir).parent
        found = [self._profile(profiles.load(name, root), root) for name in tables.references()]
        parsed = self.parse_text_to_nodes("\n\n".join(found))
        for table in (table for part in parsed for table in part.findall(nodes.table)):
            table["classes"].append("compendium-verdicts")
        return parsed

    def _profile(self, profile: profiles.Profile, root: Path) -> str:
        table = printed(verdicts(profile.name, root), root)
        if "short" in self.options:
            return f"**{profile.title}**\n\n{as_myst(table[SHORT])}"
        stored = (results for _, results in published(profile.name, root))
        made = dict.fromkeys(escape(tables.made_from(profile.name, each)) for each in stored)
        line = f'<p class="compendium-tables">{"<br>".join(made)}</p>'
        return f"**{profile.title}**\n\n{as_myst(table[COLUMNS])}\n\n{line}"


def printed(table: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Return verdicts in fewer columns: chapters as links, values with intervals, p with Holm's."""
    stems = {name: notebook.stem for name, notebook in chapters(root).items()}
    links = {name: f"{{doc}}`{int(stem[:2])} </chapters/{stem}>`" for name, stem in stems.items()}
    cells = table[["value", "low", "high", "p", "adjusted"]].map(_cell).astype(str)
    interval = (" (" + cells["low"] + " to " + cells["high"] + ")").where(table["low"].notna(), "")
    adjusted = (" (" + cells["adjusted"] + ")").where(table["adjusted"].notna(), "")
    shown = {"value (interval)": cells["value"] + interval, "p (Holm)": cells["p"] + adjusted}
    return table.assign(chapter=table["chapter"].map(links), **shown)


def as_myst(table: pd.DataFrame) -> str:
    """Return a table as MyST text: numbers to three digits, missing ones as a dash."""
    lines = [list(table), ["---"] * table.shape[1], *table.map(_cell).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if pd.notna(value) else "–"
    return str(value).replace("|", "\\|")
