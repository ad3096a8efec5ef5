"""The page of the paper's figures and tables.

Each has a counterpart that some page publishes, or a reason.
"""

import ast
import json
import re

import pytest
import yaml

from compendium.book.site import paper_map
from compendium.book.site.paper_map import Item, items, links, markdown
from compendium.book.site.plates import chapter_of
from compendium.errors import BadInput
from compendium.storage import CHECKOUT

PANELS = {"1": "abc", "2": "abcd", "S1": "abcde", "S2": "abc", "S3": "ab", "S4": "ab"}
PRINTED = (
    "Table 1",
    "Algorithm 1",
    *(f"Table S{n}" for n in (1, 2, 3, 4)),
    *(f"Fig. {figure}{panel}" for figure, panels in PANELS.items() for panel in panels),
)


def pages() -> dict[str, str]:
    """The first part of a page's labels -> its source, for every page of the table of contents."""
    listed = re.findall(
        r"^\s*- file: (\S+)", (CHECKOUT / "book" / "_toc.yml").read_text(), re.MULTILINE
    )
    return {chapter_of(name): source(name) for name in listed}


def source(name: str) -> str:
    if name.startswith("chapters/"):
        cells = json.loads(
            (CHECKOUT / "notebooks" / f"{name.removeprefix('chapters/')}.ipynb").read_text()
        )["cells"]
        folder = CHECKOUT / "src" / "compendium" / "chapters" / name.split("_", 1)[1]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        return "\n".join([*code, *(file.read_text() for file in folder.glob("figures.py"))])
    return (CHECKOUT / "book" / f"{name}.md").read_text()


def published(label: str, known: dict[str, str]) -> bool:
    """Whether the page of a label publishes a figure or table of its name.

    The name is stated as it is or with a word filled in: f"{group}-boxes".
    """
    page, _, name = label.partition(":")
    filled = [re.escape(end) for end in re.findall(r'f"\{\w+\}(-[a-z-]+)"', known.get(page, ""))]
    stated = re.search(
        rf'"{name}"|{{(?:methods-table|method-drawing)}} {name}\n', known.get(page, "")
    )
    return page in known and (
        not name or bool(stated) or any(re.fullmatch(f"[a-z-]+{end}", name) for end in filled)
    )


def test_everything_that_is_printed_is_listed_once():
    assert sorted(each.item for each in items()) == sorted(PRINTED)


def test_each_counterpart_is_published_by_its_page():
    known = pages()
    labels = [label for each in items() for label in each.here]
    assert len(labels) > len(PRINTED) / 2
    assert [label for label in labels if not published(label, known)] == []
    assert (
        not published("id-loocv:no-such-figure", known)
        and not published("nowhere:reference", known)
        and not published("nowhere", known)
    )


def maybe(node: ast.AST, under: bool = False) -> dict[str, bool]:
    """Every figure and table with a name of its own in code -> whether only on a condition."""
    found = {}
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("show", "table")
    ):
        found |= {each.value: under for each in node.args if isinstance(each, ast.Constant)}
    for each in ast.iter_child_nodes(node):
        for name, so in maybe(each, under or isinstance(node, ast.If)).items():
            found[name] = so and found.get(name, True)
    return found


def test_a_counterpart_that_is_named_is_there_whatever_lies_on_the_machine():
    told = {
        page: maybe(ast.parse(text)) for page, text in pages().items() if "page = start(" in text
    }
    labels = [
        label.partition(":") for each in items() for label in each.here if label.partition(":")[2]
    ]
    assert ("augmentation", ":", "tiles") in labels and len(told) == 10
    assert [f"{page}:{name}" for page, _, name in labels if told.get(page, {}).get(name)] == []
    assert maybe(ast.parse("if so:\n    page.show(fig, 'a')\npage.show(fig, 'b')")) == {
        "a": True,
        "b": False,
    }


def test_numbers_are_links_with_their_page_where_chapters_do_not_tell_it():
    each = Item(
        "Fig. 1",
        "what it shows",
        ("id-loocv:boxes", "gat", "methods:inputs", "methods:bleep"),
        "Why.",
    )
    ways = {"id-loocv": "chapters/02_id_loocv", "gat": "chapters/08_gat", "methods": "methods"}
    assert (
        links(each, ways) == "{numref}`id-loocv:boxes`, {doc}`/chapters/08_gat`, "
        "{doc}`/methods` {numref}`methods:inputs`, {numref}`methods:bleep`"
    )
    table = markdown([each, Item("Fig. 2", "more", (), "No data.")], ways).splitlines()
    assert table[2:] == [
        f"| **Fig. 1** what it shows | {links(each, ways)}. Why. |",
        "| **Fig. 2** more | None. No data. |",
    ]


def test_an_item_without_counterpart_and_reason_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "items.yaml"
    path.write_text(yaml.safe_dump([{"item": "Fig. 9", "shows": "x", "here": [], "remark": ""}]))
    monkeypatch.setattr(paper_map, "resource", lambda name: path)
    with pytest.raises(BadInput, match=r"Fig\. 9 has neither a counterpart nor a reason"):
        items()
