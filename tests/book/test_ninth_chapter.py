"""A further chapter is a folder, a notebook and a line in _toc.yml.

It is added in a copy of the checkout, run and built.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from compendium.book.run.fingerprint import SHIPPED
from compendium.storage import CHECKOUT

pytestmark = pytest.mark.slow

COPIED = ("src", "book", "notebooks", "_config.yml", "CONTRIBUTING.md", "pyproject.toml")
FOLDER = {
    "__init__.py": '"""Chapter 10: neighbours."""\n\nVERSION = 1\n',
    "design.py": """
from compendium.evaluation.comparison import Design, placed
from compendium.runs import plan_runs


def design(cohort, names):
    sections = placed(cohort, names)
    runs = plan_runs(cohort, sections, ["section-out"], ["mean", "colour"], panel="hvg(20)")
    return Design(cohort, sections, {"fits": [(run.method, run) for run in runs]}, "clean")
""",
    "results.py": """
def tables(design, groups, sections):
    scores = groups["fits"].scores(sections)
    return {"scores": scores[["method", "section", "patient", "gene", "pcc"]]}, {}
""",
    "findings.py": """
from compendium.evaluation.evidence import Evidence
from compendium.evaluation.findings import Finding


def decide(results):
    scores = results["scores"].query("method == 'colour'")
    return Evidence(scores.rename(columns={"pcc": "difference"}), "PCC")


FINDINGS = (Finding("colours", "Colours reach {difference:.2f}.", "They do not.", decide),)
""",
    "figures.py": """
import plotly.express as px


def by_method(results):
    return px.box(results["scores"], x="method", y="pcc")
""",
}
CELLS = (
    'profile: str = "demo"  # what to run on\nsections: list[str] = []  # sections',
    'from compendium.book.notebook.page import start\npage = start("neighbours", globals())',
    "from compendium.chapters.neighbours.design import design\n"
    "from compendium.chapters.neighbours.figures import by_method\n"
    "from compendium.chapters.neighbours.findings import FINDINGS\n"
    "from compendium.chapters.neighbours.results import tables\n"
    "from compendium.evaluation.comparison import compute",
    'runs = design(page.cohort, ["P1a", "P2a"])\n'
    'results = page.results(lambda: compute(runs, tables, "cpu"))',
    'page.show(by_method(results), "by-method", "Two boxes.", "Two methods.", results["scores"])',
    "page.findings(FINDINGS, results);",
)


def copied(root: Path) -> Path:
    """A copy of the checkout's sources without what is made locally."""
    ignored = shutil.ignore_patterns("__pycache__", "chapters.md", "vendor")
    for name in COPIED:
        source = CHECKOUT / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(
            source, root / name, **({"ignore": ignored} if source.is_dir() else {})
        )
    shutil.rmtree(root / "book" / "chapters", ignore_errors=True)
    for name in SHIPPED:
        source = CHECKOUT / "data" / name
        (root / "data").mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, root / "data" / name)
    return root


def add(root: Path) -> None:
    """The three places."""
    folder = root / "src" / "compendium" / "chapters" / "neighbours"
    folder.mkdir()
    for name, text in FOLDER.items():
        (folder / name).write_text(text.lstrip("\n"))
    cells = [new_markdown_cell("# Neighbours\n\n{glue:text}`finding-colours:s`")]
    cells += [new_code_cell(source) for source in CELLS]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, root / "notebooks" / "10_neighbours.ipynb")
    toc = root / "book" / "_toc.yml"
    toc.write_text(
        toc.read_text().replace("08_gat\n", "08_gat\n      - file: chapters/10_neighbours\n")
    )


def test_a_further_chapter_is_three_places(tmp_path):
    root = copied(tmp_path)
    add(root)
    environment = os.environ | {
        "PYTHONPATH": str(root / "src"),
        "COMPENDIUM_HOME": str(tmp_path / "home"),
    }

    def command(*arguments: str) -> str:
        words = [sys.executable, "-m", "compendium", *arguments]
        done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    command("chapter", "neighbours", "--profile", "demo")
    page = nbformat.read(root / "book" / "chapters" / "10_neighbours.ipynb", 4)
    outputs = [o for cell in page.cells for o in cell.get("outputs", []) if "data" in o]
    names = [o["metadata"].get("scrapbook", {}).get("name") for o in outputs]
    assert "finding-colours" in names
    assert page.metadata["compendium"]["fingerprint"]["versions"]
    listed = subprocess.run(
        [
            sys.executable,
            "-c",
            "from compendium.book.notebook.chapter_files import chapters; print(*chapters())",
        ],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split()[-1] == "neighbours"
