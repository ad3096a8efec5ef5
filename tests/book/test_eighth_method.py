"""An eighth method is two files, one import line and one BibTeX entry.

It is k nearest neighbours on frozen features, added here in a copy of the checkout and used from
there.
"""

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
from compendium.book.run.fingerprint import SHIPPED
from compendium.book.site import method_tables
from compendium.methods import METHODS
from compendium.storage import CHECKOUT

pytestmark = pytest.mark.slow

FILE = '''\
"""k nearest neighbours (One 2031): the mean expression of the most similar training tiles."""

from dataclasses import dataclass

import torch

from compendium.methods.layers import Batch, Method, ModelSpec
from compendium.methods.registry import Config, Recipe, register


@dataclass(frozen=True)
class KNNConfig(Config):
    """Settings of the neighbours."""

    k: int = 10
    """Number of training spots that are averaged."""


class KNN(Method):
    """prediction = mean expression of the k training spots with the nearest features."""

    per_spot_buffers = ("features", "measured")

    def __init__(self, spec: ModelSpec, config: KNNConfig):
        super().__init__()
        self.k = config.k
        self.register_buffer("features", torch.zeros(0, spec.features))
        self.register_buffer("measured", torch.zeros(0, spec.genes))

    def fit_closed_form(self, batches):
        """Keep every training spot."""
        pairs = [(batch.image, batch.target) for batch in batches]
        self.features, self.measured = (torch.cat(part) for part in zip(*pairs))

    def forward(self, batch: Batch):
        """Average over the nearest."""
        near = torch.cdist(batch.image, self.features).topk(self.k, largest=False).indices
        return self.measured[near].mean(dim=1)


register(
    KNN,
    Recipe(
        name="knn",
        unit="spot",
        tile_px=48,
        target="log1p",
        optimiser="closed form",
        epochs=0,
        config=KNNConfig(),
    ),
)
'''
DESCRIPTION = """title: Nearest tiles
citation: one2031knn
summary: Mean expression of the training spots with the most similar tiles.
deviations:
  - what: Neighbours
    here: ten
    paper: five
    reason: ten are smoother
"""
IMPORT = "from compendium.methods import knn  # noqa: E402, F401\n"
ENTRY = (
    "\n@article{one2031knn, author={One, An}, title={Nearest tiles of all}, "
    "journal={J}, year={2031}}\n"
)
PAGE = (
    "# Methods\n\n```{methods-table} methods\nEvery method. {sources}\n```\n\n"
    "See {numref}`methods:stnet`.\n\n"
    "```{method-drawing} stnet\n```\n\n```{method-drawing}\n```\n\n"
    "```{method-drawing} structure\nWhat they share.\n```\n\n```{bibliography}\n:cited:\n```\n"
)
TOC = "format: jb-book\nroot: intro\nchapters:\n  - file: methods\n"
ROOMS = (
    "src",
    "notebooks",
    *(f"data/{part}" for part in SHIPPED),
    "_config.yml",
    "book/_assets",
    "book/references.bib",
)
RUN = """
import sys
from pathlib import Path
from compendium.__main__ import main
from compendium.book.site.render import render

for name in ("methods", "inputs", "deviations"):
    assert main(["table", name]) == 0
small = ["-p", "encoder=colour", "-p", "panel=hvg(20)"]
words = ["-p", "sections=[P1a, P1b, P2a]", "-p", "methods=[mean, knn]", *small]
words += ["-p", "head_draws=0"]
assert main(["chapter", "id-loocv", "--profile", "demo", *words, "--out", "page.ipynb"]) == 0
words = ["--methods", "knn", "--show", "--sections", "P1a", "P1b", "P2a", *small]
assert main(["study", "demo", *words]) == 0
render(Path.cwd())
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout with an eighth method.

    Tables were printed in it, a chapter was run and a page was built.
    """
    root = tmp_path_factory.mktemp("eighth")
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
    (methods / "knn.py").write_text(FILE)
    (methods / "descriptions" / "knn.yaml").write_text(DESCRIPTION)
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


def same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def test_the_copy_alone_knows_it(checkout):
    """Touched are the method's two files, the import line and the bibliography."""
    assert "knn" not in METHODS
    touched = {
        str(path.relative_to(checkout))
        for room in ROOMS
        for path in (
            (checkout / room).rglob("*") if (checkout / room).is_dir() else [checkout / room]
        )
        if path.is_file()
        and path.suffix != ".pyc"
        and not same(path, CHECKOUT / path.relative_to(checkout))
    }
    assert touched == {
        "src/compendium/methods/knn.py",
        "src/compendium/methods/descriptions/knn.yaml",
        "src/compendium/methods/__init__.py",
        "book/references.bib",
    }


def test_the_command_line_prints_it(checkout):
    said = (checkout / "said").read_text()
    assert re.search(
        r"^knn +Nearest tiles +spot +layers of its own +log1p +closed form +one2031knn$",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^Nearest tiles +48  normalised +each spot alone +none +ln\(1 \+ count\) +none$",
        said,
        re.MULTILINE,
    )
    assert re.search(
        r"^Nearest tiles +Neighbours +ten +five +ten are smoother$", said, re.MULTILINE
    )


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
    assert any("knn" in row and "Nearest tiles" in row for row in rows)


def test_a_study_finds_what_the_chapter_fitted(checkout):
    said = (checkout / "said").read_text()
    assert re.search(r"knn.*done|done.*knn", said), said[-1500:]


def test_the_page_draws_every_method_once_with_data_and_provenance(checkout):
    site = checkout / "_build" / "html"
    page = (site / "methods.html").read_text()
    drawn = re.findall(r'<figure class="[^"]*compendium-figure[^"]*" id="fig-([^"]+)"', page)
    assert sorted(drawn) == sorted([*method_tables.reviewed(), "knn", "structure"])
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
    assert '<th scope="row">knn</th><td>Nearest tiles</td>' in page
    drawing = re.search(
        r'<figure class="[^"]*compendium-figure[^"]*" id="fig-knn".*?</figure>', page, re.DOTALL
    )[0]
    assert (
        drawing.count("<svg ") == 2
        and "most similar tiles." in drawing
        and "Then head: Nearest tiles" in drawing
    )
    assert re.search(r'<a [^>]*href="#id\d+"[^>]*>One, 2031', drawing), "cited where it is drawn"
    assert "Nearest tiles of all" in page
