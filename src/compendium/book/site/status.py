"""The status page: what made each chapter, and whether it would come out the same today.

Read from the notebooks when the pages are built.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from compendium.book.notebook import chapter_files
from compendium.book.notebook.commit import commit
from compendium.book.notebook.markup import filled
from compendium.book.notebook.rerun import as_text, duration
from compendium.book.run import chapters, executed
from compendium.errors import BadInput

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TEMPLATE = Path(__file__).with_name("templates") / "status.html"
COLUMNS = ("fits", "run", "took", "profile", "device", "commit")
FACTS = {"fits": "records", "run": "date"}
"""Column -> fact, of those that have other names."""

NOT_NOTED = "not noted"  # what an older version of the package did not write down


@dataclass(frozen=True)
class Status:
    """One chapter."""

    page: str
    """Its page's name in the book."""

    facts: dict[str, Any]
    """What was noted when it ran, {} if nothing can be read."""

    due: str
    """Why it is not as it would be made today, or ""."""

    @property
    def cells(self) -> dict[str, str]:
        """Column -> text; {} for a chapter of which nothing can be read."""
        noted = {name: str(self.facts.get(FACTS.get(name, name), NOT_NOTED)) for name in COLUMNS}
        noted["took"] = took(self.facts.get("seconds"))
        noted["device"] = noted["device"] or "none named"
        noted["commit"] = noted["commit"].removeprefix("commit ")
        return noted if self.facts else {}

    @property
    def parameters(self) -> dict[str, str]:
        """What the chapter was run with."""
        return {name: as_text(value) for name, value in self.facts.get("parameters", {}).items()}

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the software that it was run by."""
        own = {"compendium": str(self.facts.get("version", NOT_NOTED))}
        return own | self.facts.get("versions", {})


class StatusNode(nodes.General, nodes.Element):
    """The place of the table on the page; filled when the titles of all pages are known."""


class StatusDirective(SphinxDirective):
    """```{chapter-status}``` in MyST: a row for each chapter."""

    def run(self) -> list[nodes.Node]:
        """Leave the place; the page is read again at every build, as what it tells may change."""
        self.env.note_reread()
        return [StatusNode()]


def statuses(root: Path) -> list[Status]:
    """Every chapter of the repository at `root`, in order, run or not."""
    return [_status(name, root) for name in chapter_files.chapters(root)]


def _status(name: str, root: Path) -> Status:
    path = chapters.page_path(name, root)
    facts: dict[str, Any] = {}
    try:
        facts = executed.facts_of(path)
        due = chapters.outdated(name, str(facts.get("profile")), root)
    except BadInput as error:
        due = str(error)
    return Status(f"chapters/{path.stem}", facts, due)


def fill(app: "Sphinx", doctree: nodes.document, docname: str) -> None:
    """Put the table where the directive left its place."""
    places = list(doctree.findall(StatusNode))
    if not places:
        return
    root = Path(app.srcdir).parent
    found = statuses(root)
    titles = {status.page: title(app, status.page) for status in found}
    known = [page for page in titles if page in app.env.found_docs]
    links = {page: app.builder.get_relative_uri(docname, page) for page in known}
    markup = to_html(found, titles, links, commit(root))
    for place in places:
        place.replace_self(nodes.raw(markup, markup, format="html"))


def title(app: "Sphinx", page: str) -> str:
    """Number and title of a chapter up to its colon, or the name of its page where it has none."""
    if page not in app.env.titles:
        return page
    number = "".join(f"{part}." for part in app.env.toc_secnumbers.get(page, {}).get("", ()))
    return f"{number} {app.env.titles[page].astext().split(': ')[0]}".strip()


def to_html(found: list[Status], titles: dict[str, str], links: dict[str, str], today: str) -> str:
    """The table, and below it a fold-out for each chapter that was run.

    Parameters
    ----------
    found
        The chapters.
    titles, links
        Title and address by page.
    today
        The commit that the chapters are compared with.
    """
    rows = [(status, titles[status.page], links.get(status.page)) for status in found]
    return filled(TEMPLATE, columns=COLUMNS, rows=rows, today=today)


def took(seconds: float | None) -> str:
    """17 s, 3 min; None was not noted."""
    return NOT_NOTED if seconds is None else duration(seconds)
