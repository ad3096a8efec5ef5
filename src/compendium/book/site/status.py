"""The status page: what made each chapter, and whether it would come out the same today, read from the notebooks when the pages are built."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from compendium.book.notebook import rerun
from compendium.book.notebook.commit import commit
from compendium.book.run import chapters, executed
from compendium.book.site.scrolled import scrolled
from compendium.errors import BadInput

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COLUMNS = ("chapter", "state", "fits", "run", "took", "profile", "device", "commit")


@dataclass(frozen=True)
class Status:
    """One chapter: its page's name in the book, what was noted when it ran ({} if nothing can be read), and why it is not as it would be made today, or ""."""

    page: str
    facts: dict[str, Any]
    due: str


class StatusNode(nodes.General, nodes.Element):
    """The place of the table on the page; filled when the titles of all pages are known."""


class StatusDirective(SphinxDirective):
    """```{chapter-status}``` in MyST: a row for each chapter."""

    def run(self) -> list[nodes.Node]:
        """Leave the place; the page is read again at every build, for what it tells may have changed though it did not."""
        self.env.note_reread()
        return [StatusNode()]


def statuses(root: Path) -> list[Status]:
    """Every chapter of the repository at `root`, in order, run or not."""
    return [_status(name, root) for name in chapters.chapters(root)]


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
    links = {
        page: app.builder.get_relative_uri(docname, page)
        for page in titles
        if page in app.env.found_docs
    }
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
    """The table, and below it a fold-out for each chapter that was run. titles, links: by page. today: the commit that the chapters are compared with."""
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    rows = "".join(
        _row(status, titles[status.page], links.get(status.page, "")) for status in found
    )
    return (
        scrolled(
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>",
            "Status of the chapters",
            "compendium-status",
        )
        + "\n"
        f'<p class="compendium-today">Compared with {escape(today)}, from which these pages were built.</p>\n'
        + "".join(_details(status, titles[status.page]) for status in found if status.facts)
    )


def _row(status: Status, title: str, link: str) -> str:
    facts = status.facts
    state = (
        f'<span class="compendium-due">{escape("out of date" if facts else status.due)}</span>'
        if status.due
        else "up to date"
    )
    made_by = _noted(facts, "commit").removeprefix("commit ")
    values = [
        _noted(facts, "date"),
        took(facts.get("seconds")),
        _noted(facts, "profile"),
        _noted(facts, "device", "none named"),
        made_by,
    ]
    cells = [
        state,
        fits(facts) if facts else "–",
        *(escape(value).replace("+", "<wbr>+") if facts else "–" for value in values),
    ]
    head = f'<a href="{escape(link)}">{escape(title)}</a>' if link else escape(title)
    return (
        f'<tr><th scope="row">{head}</th>'
        + "".join(
            f'<td data-label="{name}">{cell}</td>'
            for name, cell in zip(COLUMNS[1:], cells, strict=True)
        )
        + "</tr>\n"
    )


def fits(facts: dict[str, Any]) -> str:
    """How many stored fits a chapter rests on."""
    return _noted(facts, "records", "none")


def _noted(facts: dict[str, Any], what: str, empty: str = "") -> str:
    """A fact in words: `empty` where the chapter named nothing; what an older version of the package did not write down is called so."""
    return str(facts[what]) or empty if what in facts else "not noted"


def took(seconds: float | None) -> str:
    """17 s, 3 min; None was not noted."""
    if seconds is None:
        return "not noted"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _details(status: Status, title: str) -> str:
    facts = status.facts
    chosen = {name: rerun.as_text(value) for name, value in facts.get("parameters", {}).items()}
    versions = {"compendium": _noted(facts, "version")} | facts.get("versions", {})
    due = f'<p class="compendium-due">Out of date, {escape(status.due)}.</p>' if status.due else ""
    return (
        f'<details class="compendium-rerun"><summary>{escape(title)}: parameters and versions</summary>{due}'
        f"{_pairs('parameter', 'this run', chosen)}{_pairs('software', 'version', versions)}</details>\n"
    )


def _pairs(left: str, right: str, values: dict[str, str]) -> str:
    head = f'<th scope="col">{left}</th><th scope="col">{right}</th>'
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(name)}</code></th><td><code>{escape(value)}</code></td></tr>'
        for name, value in values.items()
    )
    return scrolled(
        f'<table class="compendium-pairs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>',
        f"Table of {left} and {right}",
    )
