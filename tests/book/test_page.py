import html

import pandas as pd
import plotly.graph_objects as go
import pytest

from compendium.book.notebook import commit as commits
from compendium.book.notebook.page import start
from compendium.book.notebook.profiles import load
from compendium.book.notebook.rerun import took
from compendium.book.notebook.show import NOTED, PLOTLY, TABLE
from compendium.errors import BadInput
from compendium.evaluation.results import Results
from tiny_book import PARAMETERS, make_root


@pytest.fixture
def published(monkeypatch) -> list[tuple[dict, dict]]:
    bundles: list[tuple[dict, dict]] = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data",
        lambda bundle, metadata=None: bundles.append((bundle, metadata or {})),
    )
    return bundles


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(make_root(tmp_path))
    return tmp_path


def notebook(extra: str = "") -> dict:
    names: dict = {}
    exec(PARAMETERS + extra, names)
    return names


def test_a_page_knows_its_profile_and_shows_its_banner(book, published):
    page = start("tiny", notebook("spots = 5"))
    assert (page.cohort, page.sections, page.profile.title) == ("demo", None, "Demo")
    assert page.parameters == {"profile": "demo", "spots": 5, "methods": ["ridge"]}
    assert page.parameters.spots == 5
    assert "Made up." in published[0][0]["text/html"]


def test_the_reader_wins_over_the_profile_and_the_profile_over_the_default(book, published):
    assert start("tiny", notebook()).parameters.methods == ["ridge"]
    assert start("tiny", notebook("methods = ['stnet']")).parameters.methods == ["stnet"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("spotz = 5", "unknown parameter spotz; did you mean spots"),
        ("spots = 'many'", "spots must be int"),
        ("profile = 'domo'", r"unknown profile domo \(known: demo\)"),
    ],
)
def test_a_notebook_run_with_bad_parameters_stops_in_its_first_cell(
    book, published, extra, message
):
    with pytest.raises(BadInput, match=message):
        start("tiny", notebook(extra))
    assert not published


def test_a_profile_may_only_fill_what_a_chapter_leaves_open(book, published):
    make_root(book, profile="title: T\ncohort: demo\nchapters:\n  tiny: {spots: 9}\n")
    with pytest.raises(
        BadInput, match="profile demo, chapter tiny: parameter spots has the default 3"
    ):
        start("tiny", notebook())
    make_root(book, profile="title: T\ncohort: demo\nchapters:\n  tiny: {metods: [a]}\n")
    with pytest.raises(BadInput, match="profile demo, chapter tiny: unknown parameter metods"):
        start("tiny", notebook())


@pytest.mark.parametrize(
    "text",
    [
        "title: T",
        "title: T\ncohort: demo\nsection: [A1]",
        "title: T\ncohort: demo\nsections: A1",
        "[",
        "- a",
        "title: T\ncohort: demo\ncohort: her2st",
    ],
)
def test_a_profile_that_is_not_one_is_an_error_in_one_line(book, text):
    make_root(book, profile=text)
    with pytest.raises(BadInput, match="profile demo|profiles/demo.yaml") as error:
        load("demo")
    assert "\n" not in str(error.value)


def test_provenance_says_what_was_said(book, published, monkeypatch):
    monkeypatch.setattr(
        "compendium.book.notebook.page.commit", lambda folder: "commit 1a2b3c4+changes"
    )
    page = start("tiny", notebook())
    page.made_from(data_digest="0123456789abcdef", protocol="clean")
    assert not any(NOTED in bundle for bundle, _ in published), "no device was named"
    page.made_from(device="cpu")
    assert published[-1][0][NOTED] == {"device": "cpu"}
    assert page.provenance.startswith(
        "profile demo · data demo 0123456789 · protocol clean · device cpu · "
        "commit 1a2b3c4+changes · compendium "
    )
    page.show(go.Figure(go.Bar(y=[1])), "bars", "one bar", "One bar.", pd.DataFrame({"y": [1]}))
    page.table(pd.DataFrame({"y": [1]}), "ones", "One row.")
    assert (
        published[-2][0][PLOTLY]["layout"]["meta"]["provenance"]
        == page.provenance
        == published[-1][0][TABLE]["provenance"]
    )


def test_a_page_notes_what_its_tables_rest_on(book, published, monkeypatch):
    facts = {
        "commit": "commit 1",
        "data": "demo abc",
        "protocol": "clean",
        "device": "cpu",
        "records": 52,
    }
    monkeypatch.setattr(
        "compendium.book.notebook.page.drawn", lambda *given: (Results({}, facts), "")
    )
    start("tiny", notebook()).results(lambda: None)
    noted = [bundle[NOTED] for bundle, _ in published if NOTED in bundle]
    assert noted == [{"records": 52}, {"device": "cpu"}]


def test_the_rerun_box_lists_every_parameter_and_a_command_that_says_what_was_chosen(
    book, published
):
    start("tiny", notebook("methods = ['a b', '<c>']")).parameters_table()
    box = published[-1][0]["text/html"]
    assert all(f"<code>{name}</code>" in box for name in ("profile", "spots", "methods"))
    command = """compendium chapter tiny --profile demo -p 'methods=["a b", "<c>"]'"""
    assert command in html.unescape(box)
    assert "papermill notebooks/01_tiny.ipynb out.ipynb -p profile demo -y" in box
    assert "how many spots" in box and "<c>" not in box


def test_the_commit_is_told_with_its_changes(tmp_path, monkeypatch):
    assert commits.commit(tmp_path) == "no git"
    answers = {"rev-parse": "1a2b3c4", "status": ""}
    monkeypatch.setattr(commits, "_git", lambda folder, verb, *words: answers[verb])
    assert commits.commit(tmp_path) == "commit 1a2b3c4"
    answers["status"] = " M file"
    assert commits.commit(tmp_path) == "commit 1a2b3c4+changes"


@pytest.mark.parametrize(
    ("seconds", "fits", "said"),
    [
        (12.4, 0, "12 s of computing on 2 CPU cores for this page"),
        (
            12.4,
            150,
            "12 s of computing on 2 CPU cores for this page; "
            "the fits that it rests on took 2 min, whenever they were made",
        ),
    ],
)
def test_a_page_says_how_long_it_took(seconds, fits, said):
    assert took(seconds, fits, 2) == said
