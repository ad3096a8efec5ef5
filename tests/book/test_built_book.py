"""The built book in a browser that reaches nothing but the book."""

import functools
import gzip
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from compendium.book.notebook.show import strings
from visits import HTML, pages

DRAWN = """plot => [
  plot._fullData.filter(trace => trace.visible === true).length,
  plot.querySelectorAll(".point, .trace path, .hm image, .imagelayer image").length,
]"""
# Words that the edge of a figure cuts off, and names below an axis that lie over the one before.
UNREADABLE = """plots => plots.flatMap(plot => {
  const box = plot.getBoundingClientRect()
  const places = texts => [...texts]
    .filter(text => text.textContent.trim() && text.checkVisibility())
    .map(text => [text.textContent, text.getBoundingClientRect()])
  const cut = places(plot.querySelectorAll("svg.main-svg text"))
    .filter(([, at]) => at.width && (at.left < box.left - 1 || at.right > box.right + 1))
  const over = ([, a], [, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1
  const piled = [...plot.querySelectorAll(".xaxislayer-above")]
    .flatMap(axis => places(axis.querySelectorAll("text"))
      .filter((name, i, all) => i && over(all[i - 1], name)))
  return [...cut, ...piled].map(([words]) => `${plot.closest("figure").id}: ${words}`)
})"""
BUTTONS = {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}
COLD_MB, PAGE_KB = 3.0, 600
pytestmark = pytest.mark.usefixtures("built")


class Parts(HTMLParser):
    """What a page refers to, and what in it can be referred to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self.feed((HTML / page).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = {name: value for name, value in attributes if value is not None}
        self.anchors.add(found.get("id", ""))
        for name in ("href", "src"):
            if found.get(name):
                self.links.append((f"{tag} {found.get('rel', '')}".strip(), found[name]))


def specs(page: str) -> list[dict]:
    """The figures of a page as plotly gets them."""
    text = (HTML / page).read_text(encoding="utf-8")
    return [
        json.loads(spec.replace("<\\/", "</"))
        for spec in re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    ]


def test_the_book_has_chapters_with_figures():
    assert sum(len(specs(page)) for page in pages()) > 0
    assert any(page.startswith("chapters/") for page in pages())


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere():
    parts = {page: Parts(page) for page in pages()}
    wrong = []
    for page, part in parts.items():
        for what, link in part.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                wrong += [f"{page}: {what} {link}"] * (
                    what.startswith(("script", "img", "iframe")) or "stylesheet" in what
                )
                continue
            target = (HTML / page).parent / unquote(address.path) if address.path else HTML / page
            if not target.exists():
                wrong.append(f"{page}: {link} does not exist")
            elif address.fragment and target.suffix == ".html":
                name = target.resolve().relative_to(HTML.resolve()).as_posix()
                if (
                    unquote(address.fragment)
                    not in (parts[name] if name in parts else Parts(name)).anchors
                ):
                    wrong.append(f"{page}: {link} has no such anchor")
    assert not wrong, "\n".join(wrong)


def test_every_figure_has_words_and_data():
    for page in pages():
        text = (HTML / page).read_text(encoding="utf-8")
        figures = re.findall(
            r'<figure class="[^"]*compendium-(?:figure|table).*?</figure>', text, re.DOTALL
        )
        assert len(figures) >= len(specs(page))
        for figure in figures:
            csv = re.search(r'class="compendium-csv" href="([^"]+)"', figure)
            assert csv, f"{page}: a figure without data"
            assert len(((HTML / page).parent / csv[1]).read_text().splitlines()) > 1
            assert re.search(r'caption-text">\S', figure) and re.search(
                r'compendium-provenance">(profile|registry of methods|reference run|authors|'
                r"benchmarks)",
                figure,
            )
        assert all(re.findall(r'class="compendium-plot" role="group" aria-label="([^"]*)"', text))


def test_figures_hold_no_formulas_and_no_templates():
    for page in pages():
        for spec in specs(page):
            assert not [text for text in strings(spec) if "$" in text], page
            assert "template" not in spec["layout"]


def test_pages_are_light_and_plain():
    for page in pages():
        text = (HTML / page).read_text(encoding="utf-8")
        assert len(text.encode()) <= PAGE_KB * 1000, (
            f"{page}: {len(text.encode()) / 1000:.0f} kB of html"
        )
        assert not re.search(
            r"\\\(|\\\[|<script[^>]*mathjax|require\.min\.js|fontawesome\.js", text
        ), f"{page}: a formula or a script that the book does without"


@functools.cache
def packed(path: str) -> int:
    """Bytes that a file of the site takes on its way; what is packed is not packed again."""
    content = (HTML / unquote(path).lstrip("/")).read_bytes()
    return len(
        content if path.endswith((".woff2", ".jpg", ".png", ".webp")) else gzip.compress(content, 6)
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_figure_is_drawn_without_an_error_or_a_request_elsewhere(visit, theme):
    for page in pages():
        there = visit(page, theme=theme)
        plots = there.draw(theme)
        assert plots.count() == len(specs(page)), page
        for i in range(plots.count()):
            assert plots.nth(i).locator("svg.main-svg").count() >= 1
            assert min(plots.nth(i).evaluate(DRAWN)) > 0, f"{page}: figure {i + 1} is empty"
        buttons = set(
            there.tab.eval_on_selector_all(
                ".modebar-btn", "all => all.map(button => button.dataset.title)"
            )
        )
        assert buttons <= BUTTONS, f"{page}: {buttons - BUTTONS}"
        assert (there.errors, there.outside) == ([], []), page
        assert set(there.loaded.values()) <= {200, 304}, page
        assert ("/_static/vendor/plotly.min.js" in there.loaded) == bool(specs(page)), (
            "plotly is loaded where there are figures, and only there"
        )
        weight = (
            sum(map(packed, there.loaded)) / 1e6
        )  # the browser came without anything of the book
        assert weight <= COLD_MB, f"{page}: {weight:.2f} MB"
        there.close()


def test_the_theme_button_recolours_the_figures(visit):
    page = next(page for page in pages() if specs(page))
    there = visit(page)
    there.draw()
    before = there.colours()
    for _ in range(3):  # auto, light, dark in turn
        there.tab.locator("button.theme-switch-button").first.click()
        if there.tab.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    there.draw("dark")
    assert all(new != old for old, new in zip(before, there.colours(), strict=True))
    assert there.errors == []


def test_nothing_is_wider_than_a_phone_and_every_word_of_a_figure_can_be_read(visit):
    for page in pages():
        there = visit(page, width=390)
        there.draw()
        there.tab.eval_on_selector_all(
            "details", "all => all.forEach(each => { each.open = true })"
        )
        assert there.tab.evaluate("document.documentElement.scrollWidth") <= 390, page
        assert there.tab.eval_on_selector_all(".compendium-plot", UNREADABLE) == [], page
        assert all(
            width <= 390
            for width in there.tab.eval_on_selector_all(
                ".compendium-plot svg.main-svg",
                "all => all.map(svg => svg.getBoundingClientRect().right)",
            )
        ), page
        there.close()


def test_drawings_hold_their_words_and_one_form_is_shown(visit):
    for width in (1300, 390):
        there = visit("methods.html", width=width)
        shown, all_of = there.tab.eval_on_selector_all(
            ".compendium-drawing svg",
            "all => [all.filter(svg => svg.checkVisibility()).length, all.length]",
        )
        assert shown > 6 and all_of == 2 * shown
        beyond = there.tab.eval_on_selector_all(
            ".compendium-drawing g",
            """all => all.filter(group => group.checkVisibility()).flatMap(group => {
            const right = group.querySelector("rect").getBoundingClientRect().right
            return [...group.querySelectorAll("text")]
                .filter(text => text.getBoundingClientRect().right > right - 2)
                .map(text => text.textContent)
        })""",
        )
        assert beyond == []
        there.close()


def test_the_welcome_page_leads_three_ways(visit):
    there = visit("intro.html")
    ways = there.tab.eval_on_selector_all(
        ".sd-card",
        "all => all.map(card => "
        "[card.querySelector('.sd-card-title').innerText, card.querySelector('a').hash])",
    )
    assert [name for name, _ in ways] == ["Read", "Rerun", "Join the lab"]
    for name, place in ways:
        there.tab.locator(f".sd-card:has-text('{name}')").click()
        there.tab.wait_for_function(
            "place => location.hash === place && "
            "Math.abs(document.querySelector(place).getBoundingClientRect().top) < 200",
            arg=place,
        )
        assert (
            there.tab.locator(f"section:has({place}) > h2, section{place} > h2")
            .first.inner_text()
            .startswith(name)
        )
    led = set(
        there.tab.eval_on_selector_all(
            "article a", "all => all.map(link => link.getAttribute('href').split('#')[0])"
        )
    )
    assert {page for page in pages() if page != "intro.html"} <= led
    assert (there.errors, there.outside) == ([], [])


def test_the_status_page_lists_each_chapter_with_what_made_it(visit):
    there = visit("status.html")
    rows = there.tab.eval_on_selector_all(
        ".compendium-status tbody tr",
        "all => all.map(row => [row.querySelector('a').getAttribute('href'), row.innerText])",
    )
    assert [link for link, _ in rows] == [page for page in pages() if page.startswith("chapters/")]
    for i, (link, told) in enumerate(rows):
        facts = json.loads(
            (HTML / "_sources" / link).with_suffix(".ipynb").read_text(encoding="utf-8")
        )["metadata"]["compendium"]
        assert [
            what
            for what in ("date", "profile", "device", "commit")
            if facts[what].removeprefix("commit ") not in told
        ] == []
        assert ("up to date" in told) != ("out of date" in told)
        box = there.tab.locator("details.compendium-rerun").nth(i)
        assert not box.locator("table").first.is_visible()
        box.locator("summary").click()
        listed = {tuple(row.split("\t")) for row in box.inner_text().splitlines()}
        assert {
            (name, json.dumps(value, ensure_ascii=False))
            for name, value in facts["parameters"].items()
        } <= listed
        assert {("compendium", facts["version"]), *facts["versions"].items()} <= listed


def test_search_finds_a_chapter_by_a_word_of_its_title(visit):
    page = next(page for page in pages() if page.startswith("chapters/"))
    title = re.search(
        r"<h1>(?:<span[^>]*>[^<]*</span>)?([^<]+)", (HTML / page).read_text(encoding="utf-8")
    )[1]
    word = max(re.findall(r"[A-Za-z]+", title), key=len).lower()
    there = visit(f"search.html?q={word}")
    there.tab.wait_for_selector("#search-results li a", timeout=15_000)
    found = there.tab.eval_on_selector_all(
        "#search-results li a", "all => all.map(link => link.href)"
    )
    assert any(page in link for link in found), (word, found)
    assert (there.errors, there.outside) == ([], [])
