"""The page that lists every figure and table of the benchmark with its counterpart here.

Where there is none, the reason stands there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

from compendium.book.site.plates import chapter_of
from compendium.errors import BadInput
from compendium.storage import resource
from compendium.texts import read_yaml

if TYPE_CHECKING:
    from docutils import nodes

HEAD = "| In the benchmark | Here |\n|---|---|\n"


@dataclass(frozen=True)
class Item:
    """One figure, table or algorithm of the benchmark."""

    item: str
    shows: str

    here: tuple[str, ...]
    """Labels PAGE:NAME of its counterparts, or PAGE."""

    remark: str
    """What differs, or why there is none."""


def items() -> list[Item]:
    """Every item of data/published/paper_items.yaml; one without a counterpart must say why."""
    listed = read_yaml(resource("published/paper_items.yaml"))
    found = [Item(**facts | {"here": tuple(facts["here"])}) for facts in listed]
    for each in found:
        if not each.here and not each.remark:
            wrong = f"{each.item} has neither a counterpart nor a reason"
            raise BadInput(f"paper_items.yaml: {wrong}; give one of them")
    return found


def markdown(found: list[Item], pages: dict[str, str]) -> str:
    """The table in MyST. pages: name of each page in the book by the first part of its labels."""
    rows = ((f"**{each.item}** {each.shows}", links(each, pages), each.remark) for each in found)
    return HEAD + "".join(f"| {item} | {here}. {remark} |\n" for item, here, remark in rows)


def links(each: Item, pages: dict[str, str]) -> str:
    """The numbers of the counterparts as links, or "None".

    Numbers come after the page where this is no chapter, which they would tell; a page stands alone
    where no name is given.
    """
    by_page: dict[str, list[str]] = {}
    for label in each.here:
        page = label.partition(":")[0]
        shown = f"{{numref}}`{label}`" if label != page else f"{{doc}}`/{pages[page]}`"
        by_page.setdefault(page, []).append(shown)
    for page, shown in by_page.items():
        if not pages[page].startswith("chapters/"):
            shown[0] = f"{{doc}}`/{pages[page]}` {shown[0]}"
    return ", ".join(label for shown in by_page.values() for label in shown) or "None"


class PaperMapDirective(SphinxDirective):
    """```{paper-map}``` in MyST: the table of all items."""

    def run(self) -> "list[nodes.Node]":
        """The table, its links resolved like those of the page's own text."""
        self.env.note_dependency(str(resource("published/paper_items.yaml")))
        return self.parse_text_to_nodes(
            markdown(items(), {chapter_of(name): name for name in sorted(self.env.found_docs)})
        )
