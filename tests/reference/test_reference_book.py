"""The whole book of the reference run on a machine without raw data, from published tables."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from compendium.book.notebook import profiles
from compendium.book.notebook import tables as results
from compendium.book.notebook.show import PLOTLY
from compendium.book.run.chapters import chapters
from compendium.storage import CHECKOUT

pytestmark = pytest.mark.slow

SOURCES = ("book", "notebooks", "_config.yml", "CONTRIBUTING.md")


@pytest.fixture(scope="module", params=results.references())
def drawn(request, tmp_path_factory):
    """Profile and root of a book built from published tables in a copy of the sources; its home."""
    root, home = tmp_path_factory.mktemp("book"), tmp_path_factory.mktemp("home")
    for name in SOURCES:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, root / name, ignore=shutil.ignore_patterns("chapters"))
        else:
            shutil.copyfile(CHECKOUT / name, root / name)
    done = subprocess.run(
        [sys.executable, "-m", "compendium", "book", "--profile", request.param],
        cwd=root,
        env=os.environ | {"COMPENDIUM_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, root, home


def test_every_page_is_drawn_from_published_tables(drawn):
    profile, root, home = drawn
    published = results.chapters_of(profile)
    assert set(published) == set(profiles.load(profile).chapters) - {"walkthrough"}
    for name, notebook in chapters(root).items():
        if name not in published:
            continue
        page = nbformat.read(root / "book" / "chapters" / notebook.name, as_version=4)
        shown = "".join(
            output.get("data", {}).get("text/html", "")
            for cell in page.cells
            for output in cell.get("outputs", [])
        )
        assert "drawn from the tables of the reference run" in shown, name
        assert page.metadata["compendium"]["profile"] == profile
    cohort = profiles.load(profile).cohort
    assert not (home / "runs" / cohort).exists(), "no run was computed"


def test_the_pointer_shows_words_and_units_and_no_names_of_columns(drawn):
    profile, root, _ = drawn
    for notebook in (chapters(root)[name] for name in results.chapters_of(profile)):
        page = nbformat.read(root / "book" / "chapters" / notebook.name, as_version=4)
        for cell in page.cells:
            for output in cell.get("outputs", []):
                bundle = output.get("data", {}).get(PLOTLY, {"data": []})
                hovers = [trace.get("hovertemplate") or "" for trace in bundle["data"]]
                assert [hover for hover in hovers if "=%{" in str(hover)] == [], notebook.name


def test_every_page_became_html(drawn):
    _, root, _ = drawn
    made = {path.stem for path in (root / "_build" / "html" / "chapters").glob("*.html")}
    assert made >= {notebook.stem for notebook in chapters(root).values()}
