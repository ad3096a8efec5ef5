"""The page that lists every figure and table of the benchmark with its counterpart here, or the reason why there is none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from sphinx.util.docutils import SphinxDirective

from compendium.book.site.plates import chapter_of
from compendium.errors import BadInput
from compendium.storage import resource

if TYPE_CHECKING:
    from docutils import nodes

HEAD = "| In the benchmark | Here |\n|---|---|\n"


@dataclass(frozen=True)
class Item:
    """One figure, table or algorithm of the benchmark. here: labels PAGE:NAME of its counterparts, or PAGE; remark: what differs, or why there is none."""

    item: str
    shows: str
    here: tuple[str, ...]
    remark: str


def items() -> list[Item]:
    """Every item of data/published/paper_items.yaml, in its order; one without a counterpart must say why."""
    listed = yaml.safe_load(resource("published/paper_items.yaml").read_text(encoding="utf-8"))
    found = [Item(**facts | {"here": tuple(facts["here"])}) for facts in listed]
    for each in found:
        if not each.here and not each.remark:
            raise BadInput(
                f"paper_items.yaml: {each.item} has neither a counterpart nor a reason; give one of them"
            )
    return found


def markdown(found: list[Item], pages: dict[str, str]) -> str:
    """The table in MyST. pages: name of each page in the book by the first part of its labels."""
    return HEAD + "".join(
        f"| **{each.item}** {each.shows} | {f'{links(each, pages)}. {each.remark}' if each.here else f'None. {each.remark}'} |\n"
        for each in found
    )


def links(each: Item, pages: dict[str, str]) -> str:
    """The numbers of the counterparts as links, after the page where these are not numbered by chapter; a page itself where no name is given."""
    by_page: dict[str, list[str]] = {}
    for label in each.here:
        page, _, name = label.partition(":")
        by_page.setdefault(page, []).append(
            f"{{numref}}`{label}`" if name else f"{{doc}}`/{pages[page]}`"
        )
    return ", ".join(
        ("" if pages[page].startswith("chapters/") else f"{{doc}}`/{pages[page]}` ")
        + ", ".join(shown)
        for page, shown in by_page.items()
    )


class PaperMapDirective(SphinxDirective):
    """```{paper-map}``` in MyST: the table of all items."""

    def run(self) -> "list[nodes.Node]":
        """The table, its links resolved like those of the page's own text."""
        self.env.note_dependency(str(resource("published/paper_items.yaml")))
        return self.parse_text_to_nodes(
            markdown(items(), {chapter_of(name): name for name in sorted(self.env.found_docs)})
        )
