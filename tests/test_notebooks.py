"""The chapters' own notebooks: clean sources, as strict under papermill as on the command line."""

import json
import re
import subprocess
import sys

import pytest

from compendium.__main__ import main
from compendium.book.notebook.chapter_files import chapters
from compendium.book.notebook.parameters import declared
from compendium.book.run.chapters import has_folder

pytestmark = pytest.mark.slow

SMALL = [
    "-p",
    "profile",
    "demo",
    "-y",
    "{sections: [P1a, P1b, P2a], methods: [mean, colour], encoder: colour, head_draws: 0}",
]

FEW = "sections=[P1a, P1b, P2a]"


def papermill(notebook, out, *arguments):
    """Plain papermill, as a reader would call it."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            str(notebook),
            str(out),
            "--no-progress-bar",
            "-k",
            "python3",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("name", chapters())
def test_sources_are_clean(name):
    path = chapters()[name]
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(parameter.help for parameter in declared(path))
    assert any("parameters_table()" in "".join(cell["source"]) for cell in code)


@pytest.mark.parametrize("name", filter(has_folder, chapters()))
def test_a_chapter_computes_in_one_cell_and_checks_its_solutions(name):
    cells = json.loads(chapters()[name].read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (at,) = [i for i, source in enumerate(code) if "page.results(" in source]
    later = "\n".join(code[at + 1 :])
    assert not re.search(r"\b(execute|compute|open_sections|plan_runs?)\(", later)
    solved = [cell for cell in cells if "mystnb" in cell["metadata"]]
    assert solved and all("assert " in "".join(cell["source"]) for cell in solved)


def test_plain_papermill_runs_a_chapter(tmp_path):
    done = papermill(chapters()["id-loocv"], tmp_path / "out.ipynb", *SMALL)
    assert done.returncode == 0, done.stderr[-2000:]
    outputs = [
        o
        for cell in json.loads((tmp_path / "out.ipynb").read_text())["cells"]
        for o in cell.get("outputs", [])
    ]
    figures = [
        o["data"]["application/vnd.plotly.v1+json"]
        for o in outputs
        if "application/vnd.plotly.v1+json" in o.get("data", {})
    ]
    assert {"boxes-by-method", "section-by-method", "tissue-map"} <= {
        figure["layout"]["meta"]["name"] for figure in figures
    }
    lines = {
        figure["layout"]["meta"]["name"]: figure["layout"]["meta"]["provenance"]
        for figure in figures
    }
    assert lines["boxes-by-method"].startswith("profile demo") and lines[
        "published-her2"
    ].startswith("authors' tables")
    assert lines["reference"].startswith("reference run her2st-subset")


def keys_said(notebook: dict) -> set[str]:
    return {
        o["metadata"]["scrapbook"]["name"]
        for cell in notebook["cells"]
        for o in cell.get("outputs", [])
        if "scrapbook" in o.get("metadata", {})
    }


@pytest.mark.parametrize(
    ("chapter", "parameters"),
    [
        ("id-loocv", [FEW, "methods=[ridge,stnet]", "encoder=colour", "budget=smoke"]),
        ("id-loocv", [FEW, "methods=[colour]", "head_draws=0", "panel=hvg(20)"]),
        ("ood", ["methods=[colour,stnet]", "encoder=colour", "budget=smoke"]),
        (
            "regclass",
            [
                FEW,
                "gammas=[0, 1]",
                "splits=[section-out]",
                "tested=[P1b]",
                "encoder=colour",
                "budget=smoke",
                "steps=2",
            ],
        ),
    ],
)
def test_the_chapter_says_every_number_that_its_prose_needs(chapter, parameters, tmp_path):
    page = tmp_path / "page.ipynb"
    words = [word for value in parameters for word in ("-p", value)]
    assert main(["chapter", chapter, "--profile", "demo", *words, "--out", str(page)]) == 0
    notebook = json.loads(page.read_text())
    prose = "".join(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"
    )
    assert set(re.findall(r"{glue:text}`([\w-]+)", prose)) <= keys_said(notebook)
    assert "except" in json.dumps(notebook["cells"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-p", "profile", "demo", "-p", "metods", "[ridge]"], "metods"),
        (["-p", "profile", "demo", "-p", "seed", "first"], "parameter seed must be int"),
    ],
)
def test_plain_papermill_is_as_strict(arguments, says, tmp_path):
    done = papermill(chapters()["id-loocv"], tmp_path / "out.ipynb", *arguments)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize(
    ("chapter", "parameters", "says"),
    [
        ("id-loocv", ["methods=[colour]", "head_draws=0", "panel=hvg_769"], "shares no gene"),
        ("id-loocv", ["methods=[rigde]", "head_draws=0"], "did you mean ridge"),
        (
            "regclass",
            ["gammas=[-1, 1]", "splits=[section-out]", "tested=[P2a]"],
            "gamma is -1.0 but must be greater than or equal to 0",
        ),
    ],
)
def test_a_chapter_that_cannot_run_says_why_and_leaves_no_page(
    chapter, parameters, says, tmp_path, capsys
):
    words = [word for value in ["sections=[P1a, P1b, P2a]", *parameters] for word in ("-p", value)]
    assert main(["chapter", chapter, *words, "--out", str(tmp_path / "page.ipynb")]) == 2
    lines = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("compendium: ")
    ]
    assert len(lines) == 1
    assert says in lines[0]
    assert not (tmp_path / "page.ipynb").exists()
