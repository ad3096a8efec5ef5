import nbformat
import pytest

from compendium.book.run import chapters
from compendium.book.site import status
from compendium.book.site.render import render
from tiny_book import FIGURE, make_root, make_site

FACTS = {
    "profile": "demo",
    "date": "2026-01-02 03:04 UTC",
    "seconds": 61.4,
    "device": "CPU (<two> threads)",
    "commit": "commit 1a2b3c4+changes",
    "version": "0.1.0",
    "records": 52,
    "parameters": {"methods": ["a<b"], "seed": 1},
    "versions": {"torch": "2.11.0"},
}


@pytest.fixture
def root(tmp_path, home, monkeypatch):
    """A checkout whose chapter is noted as run without a kernel."""
    monkeypatch.setattr(chapters, "execute", lambda notebook, *rest: nbformat.read(notebook, 4))
    return make_root(tmp_path / "checkout", FIGURE)


def only(root) -> status.Status:
    (found,) = status.statuses(root)
    return found


def table(found: status.Status, link: str = "") -> str:
    return status.to_html(
        [found],
        {found.page: "1. Tiny & more"},
        {found.page: link} if link else {},
        "commit 5d6e7f8",
    )


def test_a_chapter_is_up_to_date_until_something_it_rests_on_changes(root):
    assert only(root) == status.Status("chapters/01_tiny", {}, "it has not been run")
    chapters.run_chapter("tiny", root=root)
    assert only(root).due == ""
    assert {"date", "seconds", "profile", "parameters", "device", "versions", "commit"} <= set(
        only(root).facts
    )
    make_root(root, FIGURE, "'one cell more'")
    assert only(root).due == "changed: notebook"
    chapters.run_chapter("tiny", overrides={"spots": "5"}, root=root)
    assert only(root).due == "changed: parameters"
    make_root(root, FIGURE, "'one cell more'").joinpath("notebooks/profiles/demo.yaml").rename(
        root / "notebooks/profiles/other.yaml"
    )
    assert only(root).due == "unknown profile demo (known: other)"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"metadata": {}}', '{"metadata": {"compendium": 3}}', "\x00"]
)
def test_a_damaged_page_is_told_and_run_again(root, text):
    page = chapters.page_path("tiny", root)
    page.parent.mkdir(parents=True)
    page.write_text(text)
    found = only(root)
    assert found.facts == {} and found.due.startswith("its page cannot be read (")
    assert chapters.outdated("tiny", root=root) == found.due
    assert "its page cannot be read" in table(found) and "<details" not in table(found)


def test_the_table_tells_what_made_a_chapter():
    html = table(status.Status("chapters/01_tiny", FACTS, ""), "chapters/01_tiny.html")
    assert (
        '<th scope="row"><a href="chapters/01_tiny.html">1. Tiny &amp; more</a></th>\n'
        '<td data-label="state">up to date</td>' in html
    )
    assert '<td data-label="fits">52</td>' in html
    for label, value in [
        ("run", "2026-01-02 03:04 UTC"),
        ("took", "61 s"),
        ("profile", "demo"),
        ("device", "CPU (&lt;two&gt; threads)"),
        ("commit", "1a2b3c4<wbr>+changes"),
    ]:
        assert f'<td data-label="{label}">{value}</td>' in html
    for name, value in [
        ("methods", "[&#34;a&lt;b&#34;]"),
        ("seed", "1"),
        ("compendium", "0.1.0"),
        ("torch", "2.11.0"),
    ]:
        assert f"<code>{name}</code></th><td><code>{value}</code>" in html
    assert (
        "commit 5d6e7f8" in html
        and "<b" not in html.replace("<wbr>", "")
        and "compendium-due" not in html
    )


def test_what_was_not_said_is_not_made_up():
    silent = table(status.Status("chapters/01_tiny", FACTS | {"device": ""}, "changed: notebook"))
    assert '<td data-label="device">none named</td>' in silent
    assert (
        '<span class="compendium-due">out of date</span>' in silent
        and "Out of date, changed: notebook." in silent
    )
    old = table(status.Status("chapters/01_tiny", {"profile": "demo"}, ""))
    assert [
        old.count(f'<td data-label="{label}">not noted</td>')
        for label in ("fits", "run", "took", "device", "commit")
    ] == [1, 1, 1, 1, 1]
    never = table(status.Status("chapters/01_tiny", {}, "it has not been run"))
    assert never.count(">–</td>") == 6 and "<a " not in never and "<details" not in never


def test_times_are_told_in_words():
    assert [status.took(seconds) for seconds in (0.4, 119.4, 120, 3600, None)] == [
        "0 s",
        "119 s",
        "2 min",
        "60 min",
        "not noted",
    ]


@pytest.mark.slow
def test_the_page_is_built_strictly_with_numbers_and_links(root):
    make_site(root, "# A tiny chapter: all of it\n", [], {"compendium": FACTS})
    (root / "book" / "intro.md").write_text(
        "# Welcome\n\n{cite}`one2020`\n\n```{bibliography}\n```\n"
    )
    (root / "book" / "status.md").write_text(
        "# Status\n\nBefore.\n\n```{chapter-status}\n```\n\nAfter.\n"
    )
    with (root / "book" / "_toc.yml").open("a") as toc:
        toc.write("  - chapters:\n      - file: status\n")
    render(root)
    page = (root / "_build" / "html" / "status.html").read_text()
    assert '<a href="chapters/01_tiny.html">1. A tiny chapter</a>' in page
    assert page.index("Before.") < page.index("2026-01-02 03:04 UTC") < page.index("After.")
    assert "out of date" in page and "Compared with no git" in page
