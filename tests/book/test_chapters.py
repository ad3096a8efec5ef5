import json
import re

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError
from tiny_book import FIGURE, make_root

from compendium.book import chapters as book
from compendium.book import execution
from compendium.errors import BadInput

NOISE = "import sys, warnings; print('at', page.notebook); print('loud', file=sys.stderr)"


@pytest.fixture
def root(tmp_path, home):
    return make_root(tmp_path / "checkout", FIGURE, NOISE, "page.parameters_table()")


@pytest.fixture
def nothing_runs(monkeypatch):
    def refuse(*args):
        raise AssertionError("a chapter was run")

    monkeypatch.setattr(book, "execute", refuse)


def test_chapters_are_named_by_their_files(tmp_path):
    root = make_root(tmp_path)
    (root / "notebooks" / "02_id_loocv.ipynb").write_text("{}")
    (root / "notebooks" / "scratch.ipynb").write_text("{}")
    assert list(book.chapters(root)) == ["tiny", "id-loocv"]


@pytest.mark.parametrize(
    ("name", "profile", "overrides", "message"),
    [
        ("tinny", "demo", {}, r"unknown chapter tinny \(known: tiny\)"),
        ("tiny", "domo", {}, r"unknown profile domo \(known: demo\)"),
        ("tiny", "demo", {"spotz": "1"}, "unknown parameter spotz; did you mean spots"),
        ("tiny", "demo", {"spots": "yes"}, "parameter spots must be int"),
        ("tiny", "demo", {"methods": "ridge"}, r"parameter methods must be list\[str\]"),
    ],
)
def test_bad_input_is_found_before_anything_runs(root, nothing_runs, name, profile, overrides, message):
    with pytest.raises(BadInput, match=message) as error:
        book.run_chapter(name, profile, overrides, root=root)
    assert "\n" not in str(error.value)
    assert not (root / "book").exists()


def test_a_chapter_becomes_a_page_that_says_what_made_it_and_not_where(root):
    path = book.run_chapter("tiny", "demo", {"spots": "4"}, root=root)
    assert path == root / "book" / "chapters" / "01_tiny.ipynb"
    text = path.read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    facts = notebook.metadata.compendium
    assert facts.parameters == {"profile": "demo", "spots": 4, "methods": ["ridge"]}
    assert (facts.profile, facts.cohort, facts.banner, facts.commit) == ("demo", "demo", "Made up.", "no git")
    assert set(notebook.metadata) == {"kernelspec", "language_info", "compendium"}
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    assert [each for each in tags if each] == [["parameters", "remove-cell"], ["injected-parameters", "remove-cell"]]
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "at notebooks/01_tiny.ipynb\n" in [output.get("text") for output in outputs]
    assert "loud" not in [output.get("text", "").strip() for output in outputs]
    assert str(root) not in text and not re.search(r"\d\d:\d\d:\d\d", text)
    assert not book.is_fresh("tiny", root=root), "run with other parameters than the profile's"


def test_a_page_is_fresh_until_what_made_it_changes(root, home, monkeypatch):
    assert book.stale("tiny", root=root) == "it has not been run"
    assert book.run_stale(root=root, report=lambda line: None) == ["tiny"]
    assert book.is_fresh("tiny", root=root)
    monkeypatch.setattr(book, "execute", None)
    assert book.run_stale(root=root) == []
    make_root(root, FIGURE, NOISE, "page.parameters_table()  # again")
    assert book.stale("tiny", root=root) == "changed: notebook"
    make_root(root, FIGURE, NOISE, "page.parameters_table()", profile="title: D\ncohort: demo\nchapters: {tiny: {methods: [stnet]}}\n")
    assert book.stale("tiny", root=root) == "changed: profile, parameters"
    make_root(root, FIGURE, NOISE, "page.parameters_table()")
    section = home / "sections" / "demo" / "S1" / "section.json"
    section.parent.mkdir(parents=True)
    section.write_text(json.dumps({"digest": "d1"}))
    assert book.stale("tiny", root=root) == "changed: prepared sections"


def test_a_failed_chapter_leaves_the_page_as_it_was_and_keeps_the_half_run_notebook(root, home):
    page = book.page_path("tiny", root)
    page.parent.mkdir(parents=True)
    page.write_text("the good page")
    make_root(root, FIGURE, "raise ValueError('too\\nbad')")
    with pytest.raises(execution.ChapterFailed, match=r"chapter tiny failed, cell \[\d\] ended in ValueError: too bad") as error:
        book.run_chapter("tiny", root=root)
    assert "\n" not in str(error.value)
    assert page.read_text() == "the good page"
    assert str(home / "failed" / "01_tiny.ipynb") in str(error.value) and (home / "failed" / "01_tiny.ipynb").exists()
    assert list(page.parent.iterdir()) == [page]


def test_a_name_used_twice_never_becomes_a_page(root):
    make_root(root, "page.say('half', 0.5)", "page.say('half', 0.6)")
    with pytest.raises(execution.ChapterFailed, match="chapter tiny: 1 names stand twice, first 'half'"):
        book.run_chapter("tiny", root=root)
    assert not book.page_path("tiny", root).exists()


@pytest.mark.parametrize(("parameters", "message"), [({"typo": 1}, "unknown parameter typo"), ({"spots": "yes"}, "spots must be int")])
def test_plain_papermill_is_as_strict(root, tmp_path, parameters, message):
    with pytest.raises(PapermillExecutionError, match=message):
        papermill.execute_notebook(root / "notebooks" / "01_tiny.ipynb", tmp_path / "out.ipynb", parameters=parameters, progress_bar=False, cwd=root)


def test_the_shipped_profiles_fit_the_shipped_chapters():
    from compendium.book import parameters, profiles
    from compendium.disk import CHECKOUT

    for file in sorted((CHECKOUT / "notebooks" / "profiles").glob("*.yaml")):
        profile = profiles.load(file.stem, CHECKOUT)
        known = book.chapters(CHECKOUT)
        assert set(profile.chapters) <= set(known), f"{file.name} names unknown chapters"
        for name, notebook in known.items():
            profiles.resolve(parameters.declared(notebook), {"profile": profile.name}, profile, name)
