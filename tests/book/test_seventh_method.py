"""Adding a method is one file, one import line and one BibTeX entry: done here in a copy of the checkout, and seen from there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compendium import __version__
from compendium.book.notebook.show import PLOTLY
from compendium.book.site import method_tables
from compendium.methods import METHODS
from compendium.storage import CHECKOUT

FILE = '''"""Seventh (One 2031): least squares on what is known of the image."""

import torch
from compendium.methods.layers import Batch, Method, Shape
from compendium.methods.registry import register


@register(
    "seventh", title="The Seventh", unit="spot", tile_px=48, target="log1p", citation="one2031seventh", optimiser="closed form", epochs=0,
    summary="Least squares in one step.", deviations=("It has a deviation of its own.",),
)
class Seventh(Method):
    """y = mean + (x - m) W."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.register_buffer("weight", torch.zeros(shape.features, shape.genes))
        self.register_buffer("start", shape.mean.clone())
        self.register_buffer("middle", torch.zeros(shape.features))

    def remember(self, batches):
        seen = list(batches)
        x, y = (torch.cat([getattr(batch, part) for batch in seen]) for part in ("image", "target"))
        self.middle, self.start = x.mean(dim=0), y.mean(dim=0)
        self.weight = torch.linalg.lstsq(x - self.middle, y - self.start).solution

    def forward(self, batch: Batch):
        return self.start + (batch.image - self.middle) @ self.weight
'''
IMPORT = "from compendium.methods import seventh  # noqa: E402, F401\n"
ENTRY = "\n@article{one2031seventh, author={One, An}, title={A seventh way}, journal={J}, year={2031}}\n"
PAGE = (
    "# Methods\n\n```{methods-table} methods\n```\n\nSee {numref}`methods:stnet`.\n\n```{method-drawing} stnet\n```\n\n```{method-drawing}\n```\n\n"
    "```{method-drawing} structure\n```\n\n```{bibliography}\n:cited:\n```\n"
)
TOC = "format: jb-book\nroot: intro\nchapters:\n  - file: methods\n"
ROOMS = (
    "src",
    "notebooks",
    *(f"data/{part}" for part in ("genes", "published", "reference", "sources.yaml")),
    "_config.yml",
    "book/_assets",
    "book/references.bib",
)
RUN = """
import sys
from pathlib import Path
from compendium.__main__ import main
from compendium.book.site import render

for name in ("methods", "inputs", "deviations"):
    assert main(["table", name]) == 0
words = ["-p", "sections=[P1a, P1b, P2a]", "-p", "methods=[mean, seventh]", "-p", "encoder=colour", "-p", "matched=[]", "-p", "panel=hvg(20)"]
assert main(["chapter", "id-loocv", "--profile", "demo", *words, "--out", "page.ipynb"]) == 0
assert main(["study", "demo", "--methods", "seventh", "--show", "--sections", "P1a", "P1b", "P2a", "-p", "encoder=colour", "-p", "panel=hvg(20)"]) == 0
render(Path.cwd())
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout with a seventh method, in which tables were printed, a chapter was run and a page was built."""
    root = tmp_path_factory.mktemp("seventh")
    for room in ROOMS:
        (root / room).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (CHECKOUT / room).is_dir() else shutil.copyfile
        copy(
            CHECKOUT / room,
            root / room,
            **(
                {"ignore": shutil.ignore_patterns("__pycache__")} if copy is shutil.copytree else {}
            ),
        )
    methods, book = root / "src" / "compendium" / "methods", root / "book"
    (methods / "seventh.py").write_text(FILE)
    for file, line in ((methods / "__init__.py", IMPORT), (book / "references.bib", ENTRY)):
        file.write_text(file.read_text(encoding="utf-8") + line, encoding="utf-8")
    for name, text in (
        ("intro.md", "# Welcome\n\n[](methods.md)\n"),
        ("methods.md", PAGE),
        ("_toc.yml", TOC),
    ):
        (book / name).write_text(text)
    there = os.environ | {"PYTHONPATH": str(root / "src"), "COMPENDIUM_HOME": str(root / "home")}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=root,
        env=there,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (root / "said").write_text(done.stdout)
    return root


def test_the_copy_alone_knows_it(checkout):
    assert "seventh" not in METHODS
    assert (checkout / "src" / "compendium" / "methods" / "seventh.py").exists()


def test_the_command_line_prints_it(checkout):
    said = (checkout / "said").read_text()
    assert re.search(
        r"^seventh +The Seventh +spot +layers of its own +log1p +closed form +one2031seventh$",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^The Seventh +48  normalised +each spot alone +none +ln\(1 \+ c\) +none$",
        said,
        re.MULTILINE,
    )
    assert re.search(r"^The Seventh +It has a deviation of its own\.$", said, re.MULTILINE)


def test_a_chapter_fits_and_draws_it(checkout):
    outputs = [
        output
        for cell in json.loads((checkout / "page.ipynb").read_text())["cells"]
        for output in cell.get("outputs", [])
    ]
    figures = [
        output["data"][PLOTLY]["layout"]["meta"]
        for output in outputs
        if PLOTLY in output.get("data", {})
    ]
    (rows,) = [
        figure["csv"].splitlines() for figure in figures if figure["name"] == "boxes-by-method"
    ]
    assert any("seventh" in row and "The Seventh" in row for row in rows)


def test_a_study_finds_what_the_chapter_fitted(checkout):
    said = (checkout / "said").read_text()
    assert re.search(r"seventh.*done|done.*seventh", said), said[-1500:]


def test_the_page_draws_every_method_once_with_data_and_provenance(checkout):
    site = checkout / "_build" / "html"
    page = (site / "methods.html").read_text()
    drawn = re.findall(r'<figure class="[^"]*compendium-figure[^"]*" id="fig-([^"]+)"', page)
    assert sorted(drawn) == sorted(
        [*(facts.name for facts in method_tables.reviewed()), "seventh", "structure"]
    )
    assert "Fig. 1" in page and "Table 1" in page and 'href="#fig-stnet"' in page
    for name in (*drawn, "methods"):
        assert (
            len((site / "_downloads" / "csv" / "methods" / f"{name}.csv").read_text().splitlines())
            > 2
        )
        assert f'href="_downloads/csv/methods/{name}.csv"' in page
    assert page.count(f"registry of methods · no git · compendium {__version__}") == len(drawn) + 1


def test_the_page_lists_draws_and_cites_it(checkout):
    page = (checkout / "_build" / "html" / "methods.html").read_text()
    assert '<th scope="row">seventh</th><td>The Seventh</td>' in page
    drawing = re.search(
        r'<figure class="[^"]*compendium-figure[^"]*" id="fig-seventh".*?</figure>', page, re.DOTALL
    )[0]
    assert (
        drawing.count("<svg ") == 2
        and "Least squares in one step." in drawing
        and "Then head: The Seventh" in drawing
    )
    assert re.search(r'<a [^>]*href="#id\d+"[^>]*>One, 2031', drawing), "cited where it is drawn"
    assert "A seventh way" in page
