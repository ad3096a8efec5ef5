import base64
import re

import pandas as pd
import plotly.graph_objects as go
import pytest

from compendium.book.notebook.show import show, show_table
from compendium.book.site.address import links
from compendium.book.site.formulas import to_mathml
from compendium.book.site.render import render
from compendium.errors import BadInput
from tiny_book import make_site

pytestmark = pytest.mark.slow

RECORD = "application/papermill.record/"

DATA = pd.DataFrame({"gene": ["ERBB2", "GNAS"], "pcc": [0.5, 0.25]})
PIXEL = "data:image/png;base64," + base64.b64encode(b"any bytes").decode()
TEXT = (
    "# A tiny chapter\n\nThe score $r_g$ is\n\n$$r = \\frac{a}{b}$$ (score)\n\n"
    "as in {eq}`score`.\n\n\\begin{align}a &= b \\\\ c &= \\sum_{i=1}^n d_i\\end{align}\n"
)


@pytest.fixture
def outputs(monkeypatch) -> list[tuple[dict, dict]]:
    """What a chapter with two figures that share an image, a table and a number publishes."""
    published: list[tuple[dict, dict]] = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data",
        lambda bundle, metadata=None: published.append((bundle, {})),
    )
    for name in ("line", "bars"):
        fig = go.Figure(go.Bar(y=[1, 2], name="</script><b>")).update_layout(
            images=[{"source": PIXEL, "x": 0, "y": 1}]
        )
        show(
            fig,
            name,
            "two & bars",
            "It *rises*, $r = 1$ {cite}`one2020`.",
            DATA,
            "profile demo · commit <1>",
        )
    show_table(DATA, "genes", "Two genes.", "profile demo")
    published.append(
        ({f"{RECORD}text/plain": "0.5"}, {"scrapbook": {"name": "half", "mime_prefix": RECORD}})
    )
    return published


FACTS = {
    "profile": "demo",
    "banner": "Made <up>.",
    "seconds": 61.0,
    "date": "2026-01-02",
    "commit": "commit 1a2b3c4",
    "version": "0.1.0",
    "records": 52,
}


def test_a_strict_build_gives_a_whole_page_that_needs_nothing_from_elsewhere(tmp_path, outputs):
    render(make_site(tmp_path, TEXT, outputs, {"compendium": FACTS}))
    site = tmp_path / "_build" / "html"
    page = (site / "chapters" / "01_tiny.html").read_text()
    assert (
        page.count('class="compendium-figure') + page.count(' compendium-figure"') == 2
        and 'id="fig-line"' in page
        and 'id="fig-bars"' in page
    )
    assert len(re.findall(r'<script type="application/json">', page)) == 2
    assert (
        "Fig. 1.1" in page
        and "Fig. 1.2" in page
        and "Table 1.1" in page
        and "<em>rises</em>" in page
    )
    assert "\\u003c" in page or "<\\/script>" in page, (
        "a closing tag inside the figure would end its script"
    )
    assert 'aria-label="two &amp; bars"' in page and "commit &lt;1&gt;" in page
    for name in ("line", "bars", "genes"):
        assert (
            site / "_downloads" / "csv" / "tiny" / f"{name}.csv"
        ).read_text() == "gene,pcc\nERBB2,0.5\nGNAS,0.25\n"
        assert f'href="../_downloads/csv/tiny/{name}.csv" download="tiny-{name}.csv"' in page
    images = list((site / "_images").iterdir())
    assert (
        len(images) == 1
        and images[0].read_bytes() == b"any bytes"
        and page.count(f"../_images/{images[0].name}") == 2
        and "base64,YW55" not in page
    )
    assert '<th scope="row">ERBB2</th><td class="number">0.500</td>' in page
    assert (
        page.count("<math") == 5
        and not re.search("<script[^>]*mathjax", page, re.I)
        and '<span class="eqno">(1.1)' in page
    )
    assert "Made &lt;up&gt;." not in page, "the chapter's own first cell prints the banner"
    assert (
        "run on 2026-01-02 with profile demo in 61 s, commit 1a2b3c4" in page
        and 'href="../_sources/chapters/01_tiny.ipynb" download' in page
    )
    assert (site / "_static" / "vendor" / "plotly.min.js").stat().st_size > 1e6
    assert list((site / "_static" / "vendor").glob("plotly-*LICENSE*"))
    welcome = (site / "intro.html").read_text()
    assert (
        "0.50" in welcome
        and "Fig. 1.1" in welcome
        and "Made &lt;up&gt;." in welcome
        and "compendium-plot" not in welcome
    )
    for text in (page, welcome):
        assert not re.findall(
            r'(?:<script[^>]*src|<link[^>]*rel="stylesheet"[^>]*href|<img[^>]*src)="(?:https?:)?//',
            text,
        )
        assert "fontawesome.js" not in text
        assert not re.search("github.com|gitlab.com|mybinder|colab", text), (
            "no address is set, so there are no such buttons"
        )


def test_what_cannot_be_built_strictly_is_one_line_and_leaves_the_site(tmp_path, outputs):
    (tmp_path / "_build" / "html").mkdir(parents=True)
    (tmp_path / "_build" / "html" / "index.html").write_text("the good book")
    root = make_site(
        tmp_path, "# A tiny chapter\n\n$\\nosuchthing{x}$\n", [*outputs[:1], *outputs[3:]]
    )
    with pytest.raises(
        BadInput,
        match=r"the book was not built: 1 warnings, first .*formula cannot be set as MathML"
        r".*nosuchthing",
    ) as error:
        render(root)
    assert "\n" not in str(error.value)
    assert [path.name for path in (tmp_path / "_build" / "html").iterdir()] == ["index.html"]
    assert sorted(path.name for path in (tmp_path / "_build").iterdir()) == ["build.log", "html"]


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        ("x_i", r"<msub><mi>x</mi><mi>i</mi></msub>"),
        (r"\sum_{i=1}^n x", r"<munderover>.*∑"),
        (r"\begin{aligned}a&=b\\c&=d\end{aligned}", r"(?s)<mtable.*<mtr>.*<mtr>"),
        (r"\begin{equation}a=b\label{q}\end{equation}", r"<mi>a</mi><mo>=</mo><mi>b</mi>"),
        (r"a = b \\ c = d", r"(?s)<mtr>.*<mtr>"),
        (r"x \sim \mathcal{N}", r"<mo>∼</mo>"),
        (r"\begin{cases}1 & x>0\\0&\text{else}\end{cases}", "<mtext>else</mtext>"),
    ],
)
def test_formulas_become_mathml(tex, expected):
    mathml = to_mathml(tex, display=True)
    assert re.search(expected, mathml), mathml
    assert mathml.startswith("<math ")


@pytest.mark.parametrize(
    "tex", [r"\nosuch x", r"\frac{a", r"a & b", r"\left( x", r"\begin{cases} a", r"x^"]
)
def test_a_formula_that_cannot_be_translated_is_an_error(tex):
    with pytest.raises(ValueError):
        to_mathml(tex, display=False)


def test_links_lead_to_the_address_and_launch_what_is_committed():
    found = {
        text: url
        for text, _, url in links(
            "https://github.com/lab/book/", "book/intro.md", "notebooks/01_tiny.ipynb"
        )
    }
    assert found["Repository"] == "https://github.com/lab/book"
    assert found["Suggest an edit"] == "https://github.com/lab/book/edit/main/book/intro.md"
    assert (
        found["Open in Colab"]
        == "https://colab.research.google.com/github/lab/book/blob/main/notebooks/01_tiny.ipynb"
    )
    assert found["Open in Binder"].endswith(
        "/gh/lab/book/main?urlpath=lab%2Ftree%2Fnotebooks%2F01_tiny.ipynb"
    )
    assert {text: url for text, _, url in links("https://gitlab.com/lab/book", "", "")}[
        "Open an issue"
    ] == "https://gitlab.com/lab/book/-/issues/new"
    assert [
        text for text, *_ in links("https://git.example.org/lab/book", "book/intro.md", "")
    ] == ["Repository"]
