import json
import re
from importlib.metadata import version

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from compendium.book.notebook.profiles import Profile
from compendium.book.notebook.show import NOTED
from compendium.book.run import chapters as book
from compendium.book.run import executed, execution
from compendium.book.run.fingerprint import prepared_sections, source
from compendium.data.partition import ROLES
from compendium.data.sources import cohort
from compendium.data.splits import PUBLISHED_OOD
from compendium.errors import BadInput
from tiny_book import FIGURE, make_root

pytestmark = pytest.mark.slow

NOISE = "import sys, warnings; print('at', page.notebook); print('loud', file=sys.stderr)"
NAMING = ("sections", "tested", *ROLES)  # parameters that name sections
CELLS = (FIGURE, NOISE, "page.made_from(device='an abacus')", "page.parameters_table()")


@pytest.fixture
def root(tmp_path, home):
    return make_root(tmp_path / "checkout", *CELLS)


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
def test_bad_input_is_found_before_anything_runs(
    root, nothing_runs, name, profile, overrides, message
):
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
    assert (facts.profile, facts.cohort, facts.banner, facts.commit) == (
        "demo",
        "demo",
        "Made up.",
        "no git",
    )
    assert facts.device == "an abacus" and NOTED not in text and "computed on" not in text
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", facts.date)
    assert facts.versions["torch"] == version("torch") and {
        "python",
        "timm",
        "numpy",
        "plotly",
        "papermill",
        "jupyter-book",
    } <= set(facts.versions)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "compendium"}
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    assert [each for each in tags if each] == [
        ["parameters", "remove-cell"],
        ["injected-parameters", "remove-cell"],
    ]
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "at notebooks/01_tiny.ipynb\n" in [output.get("text") for output in outputs]
    assert "loud" not in [output.get("text", "").strip() for output in outputs]
    assert str(root) not in text and not re.search(r"\d\d:\d\d:\d\d", text)
    assert "parameters" in book.outdated("tiny", root=root), (
        "run with other parameters than the profile's"
    )


def test_a_page_is_fresh_until_what_made_it_changes(root, home, monkeypatch):
    generated = []
    monkeypatch.setattr("compendium.data.prepare.generate", generated.append)
    assert book.outdated("tiny", root=root) == "it has not been run"
    assert book.run_outdated(root=root, report=lambda line: None) == ["tiny"]
    assert book.outdated("tiny", root=root) == ""
    monkeypatch.setattr(book, "execute", None)
    assert book.run_outdated(root=root) == []
    make_root(root, "1")
    assert book.outdated("tiny", root=root) == "changed: notebook"
    make_root(
        root, *CELLS, profile="title: D\ncohort: demo\nchapters: {tiny: {methods: [stnet]}}\n"
    )
    assert book.outdated("tiny", root=root) == "changed: profile, parameters"
    make_root(root, *CELLS)
    assert book.outdated("tiny", root=root) == ""
    assert generated == ["demo"], (
        "the cohort is made before the chapters run, and only if one has to"
    )


def test_a_chapter_that_the_profile_does_not_name_keeps_its_page(root, nothing_runs):
    make_root(root, *CELLS, profile="title: D\ncohort: demo\n")
    with pytest.raises(
        BadInput,
        match="profile demo does not name chapter tiny, which has no page yet; name it there",
    ):
        book.run_outdated(root=root)
    page = book.page_path("tiny", root)
    page.parent.mkdir(parents=True)
    page.write_text("as it was")
    assert book.run_outdated(root=root) == []
    assert page.read_text() == "as it was"


def prepared(home, cohort: str, name: str, digest: str) -> None:
    """As much of a prepared section as a fingerprint looks at."""
    folder = home / "sections" / cohort / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "section.json").write_text(json.dumps({"digest": digest}))


def test_every_prepared_section_of_the_cohort_counts_even_outside_the_profile(home):
    def now() -> str:
        return prepared_sections(Profile("subset", "Two", "her2st", sections=["B4"]))[
            "prepared sections"
        ]

    seen = [now()]
    for name, digest in (("B4", "d1"), ("A1", "d1"), ("A1", "d2")):
        prepared(home, "her2st", name, digest)
        seen.append(now())
    assert len(set(seen)) == 4
    joined = Profile("both", "Two cohorts", "her2st+demo")
    before = prepared_sections(joined)
    prepared(home, "demo", "P1a", "d1")
    assert prepared_sections(joined) != before
    prepared(home, "her2st", ".A2.aside", "d1")
    assert now() == seen[-1], "neither another cohort nor a section that is being written"


def test_a_page_is_out_of_date_once_more_sections_are_prepared(root, home):
    make_root(root, profile="title: D\ncohort: demo\nsections: [P1a]\n")
    prepared(home, "demo", "P1a", "d1")
    book.run_chapter("tiny", root=root)
    assert book.outdated("tiny", root=root) == ""
    prepared(home, "demo", "P1b", "d2")
    assert book.outdated("tiny", root=root) == "changed: prepared sections"


def test_what_a_cell_says_to_the_page_is_kept_and_fingerprinted(tmp_path):
    def cell(**metadata):
        return nbformat.v4.new_code_cell("1", metadata=metadata)

    prompt = {"code_prompt_show": "Show the solution"}
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell(tags=["hide-cell"], mystnb=prompt, papermill={"duration": 1}, collapsed=True),
            cell(scrolled=True),
            cell(mystnb=prompt),
        ]
    )
    sources = set()
    for path in (tmp_path / "one", tmp_path / "two", tmp_path / "three"):
        nbformat.write(notebook, path)
        sources.add(source(path))
        notebook.cells[0].metadata.pop("papermill" if path.name == "one" else "mystnb", None)
    assert len(sources) == 2, "a prompt counts, what a run adds does not"
    notebook.cells[0].metadata.mystnb = prompt
    kept = [cell.metadata for cell in executed.clean(notebook, {}, {}).cells]
    assert kept == [{"mystnb": prompt, "tags": ["hide-cell"]}, {}, {"mystnb": prompt}]


def test_devices_are_told_once_each_records_are_noted_and_paths_of_the_machine_never():
    said = [
        nbformat.v4.new_output("display_data", {NOTED: {"device": name}, "text/plain": ""})
        for name in ("CPU", "one GPU", "CPU")
    ]
    said.append(nbformat.v4.new_output("display_data", {NOTED: {"records": 52}, "text/plain": ""}))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=said)])
    cleaned = executed.clean(
        notebook, {"parameters": {"weights": "/a/checkout/w.pt"}}, {"/a/checkout/": ""}
    )
    assert cleaned.metadata.compendium == {
        "parameters": {"weights": "w.pt"},
        "device": "CPU, one GPU",
        "records": 52,
    }
    assert cleaned.cells[0].outputs == []


def test_no_page_has_a_minus_before_a_zero():
    said = {
        "-0.000": "0.000",
        "by −0.0 on": "by 0.0 on",
        "-0%": "0%",
        "(-0.00)": "(0.00)",
        "-0.001": "-0.001",
        "0-0.5": "0-0.5",
        "2026-01-02": "2026-01-02",
        "-0.5": "-0.5",
    }
    outputs = [
        nbformat.v4.new_output(
            "display_data", {"text/plain": text, "application/json": {"caption": text}}
        )
        for text in said
    ]
    cleaned = executed.clean(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs)]), {}, {}
    )
    assert [
        [output.data["text/plain"], output.data["application/json"]["caption"]]
        for output in cleaned.cells[0].outputs
    ] == [[text, text] for text in said.values()]


def test_a_failed_chapter_leaves_the_page_as_it_was_and_keeps_the_half_run_notebook(root, home):
    page = book.page_path("tiny", root)
    page.parent.mkdir(parents=True)
    page.write_text("the good page")
    make_root(root, FIGURE, "raise ValueError('too\\nbad')")
    with pytest.raises(
        execution.ChapterFailed,
        match=r"chapter tiny failed, cell \[\d\] ended in ValueError: too bad",
    ) as error:
        book.run_chapter("tiny", root=root)
    assert "\n" not in str(error.value)
    assert page.read_text() == "the good page"
    assert (
        str(home / "failed" / "01_tiny.ipynb") in str(error.value)
        and (home / "failed" / "01_tiny.ipynb").exists()
    )
    assert list(page.parent.iterdir()) == [page]


def test_a_name_used_twice_never_becomes_a_page(root):
    glued = "from myst_nb import glue\nglue('half', {}, display=False)"
    make_root(root, glued.format(0.5), glued.format(0.6))
    with pytest.raises(
        execution.ChapterFailed, match="chapter tiny: 1 names stand twice, first 'half'"
    ):
        book.run_chapter("tiny", root=root)
    assert not book.page_path("tiny", root).exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"typo": 1}, "unknown parameter typo"), ({"spots": "yes"}, "spots must be int")],
)
def test_plain_papermill_is_as_strict(root, tmp_path, parameters, message):
    with pytest.raises(PapermillExecutionError, match=message):
        papermill.execute_notebook(
            root / "notebooks" / "01_tiny.ipynb",
            tmp_path / "out.ipynb",
            parameters=parameters,
            progress_bar=False,
            cwd=root,
        )


def test_the_shipped_profiles_fit_the_shipped_chapters():
    from compendium.book.notebook import parameters, profiles
    from compendium.storage import CHECKOUT

    for file in sorted((CHECKOUT / "notebooks" / "profiles").glob("*.yaml")):
        profile = profiles.load(file.stem, CHECKOUT)
        known = book.chapters(CHECKOUT)
        assert set(profile.chapters) == set(known), (
            f"{file.name} names other chapters than there are; "
            "what a profile does not name is not run"
        )
        sections = cohort(profile.cohort).sections
        assert set(profile.sections or ()) <= set(sections)
        for name, notebook in known.items():
            words = profiles.resolve(
                parameters.declared(notebook), {"profile": profile.name}, profile, name
            )
            if words.get("cohort"):
                continue
            named = [each for word in NAMING for each in words.get(word) or ()] + [
                each for each in (words.get("section"),) if each
            ]
            assert set(named) <= set(profile.sections or sections), f"{file.name}, {name}"
            patients = {
                sections[each].patient
                for each in words.get("sections") or profile.sections or sections
            }
            assert {*words.get("patients", ()), *words.get("tuned_patients", ())} <= patients, (
                f"{file.name}, {name}"
            )


def test_the_profile_of_the_visium_sections_keeps_to_the_benchmarks_partition():
    from compendium.book.notebook import profiles
    from compendium.storage import CHECKOUT

    stated = profiles.load("visium", CHECKOUT)
    assert sorted(stated.sections) == sorted(name for names in PUBLISHED_OOD for name in names)
    assert tuple(tuple(stated.chapters["ood"][role]) for role in ROLES) == PUBLISHED_OOD
    assert all(
        set(stated.chapters["augmentation"][role]) <= set(names)
        for role, names in zip(ROLES, PUBLISHED_OOD, strict=True)
    )
    assert {words["panel"] for words in stated.chapters.values() if "panel" in words} <= {
        "markers_12",
        "hvg_685",
        "markers_12+hvg_685",
    }
