"""A throw-away book in a temporary folder: one chapter, one profile, the real configuration."""

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from compendium.storage import CHECKOUT

PARAMETERS = (
    'profile: str = "demo"  # what to run with\n'
    "spots: int = 3  # how many spots\n"
    "methods: list[str] = []  # methods to compare\n"
)
START = 'from compendium.book.notebook.page import start\npage = start("tiny", globals())\n'
FIGURE = (
    "import pandas as pd, plotly.graph_objects as go\n"
    "data = pd.DataFrame({'x': range(page.parameters.spots), 'y': 0.5})\n"
    "page.show(go.Figure(go.Scatter(x=data.x, y=data.y)), "
    "'line', 'A flat line', 'Flat at $y = 0.5$.', data)\n"
    "from myst_nb import glue\nglue('half', 0.5, display=False)"
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PROFILE = 'title: Demo\ncohort: demo\nbanner: "Made up."\nchapters:\n  tiny: {methods: [ridge]}\n'


def make_root(root: Path, *cells: str, profile: str = PROFILE) -> Path:
    """A root folder with notebooks/01_tiny.ipynb and notebooks/profiles/demo.yaml.

    The notebook has parameters, start, then `cells`.
    """
    (root / "notebooks" / "profiles").mkdir(parents=True, exist_ok=True)
    (root / "notebooks" / "profiles" / "demo.yaml").write_text(profile)
    cells = (
        new_markdown_cell("# A tiny chapter"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        *map(new_code_cell, (START, *cells)),
    )
    nbformat.write(
        new_notebook(cells=list(cells), metadata=KERNEL), root / "notebooks" / "01_tiny.ipynb"
    )
    return root


def make_site(
    root: Path, text: str, outputs: list[tuple[dict, dict]], metadata: dict | None = None
) -> Path:
    """A root folder with the repository's configuration and assets, and a book.

    The book is a welcome page and one executed chapter.
    outputs: (data, metadata) of the display outputs of the chapter's one code cell.
    """
    book = root / "book"
    shutil.copytree(CHECKOUT / "book" / "_assets", book / "_assets", dirs_exist_ok=True)
    shutil.copyfile(CHECKOUT / "_config.yml", root / "_config.yml")
    (book / "references.bib").write_text(
        "@article{one2020, author={One, An}, title={First}, journal={J}, year={2020}}\n"
    )
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\n"
        "parts:\n  - numbered: true\n    chapters:\n      - file: chapters/01_tiny\n"
    )
    (book / "intro.md").write_text(
        "# Welcome\n\nHalf is {glue:text}`chapters/01_tiny.ipynb::half:.2f`, "
        "see {numref}`tiny:line` {cite}`one2020`.\n\n```{bibliography}\n```\n"
    )
    cell = new_code_cell(
        "show()",
        outputs=[new_output("display_data", data, metadata=facts) for data, facts in outputs],
    )
    notebook = new_notebook(
        cells=[new_markdown_cell(text), cell], metadata=KERNEL | (metadata or {})
    )
    (book / "chapters").mkdir(exist_ok=True)
    nbformat.write(notebook, book / "chapters" / "01_tiny.ipynb")
    return root
