"""The page "Your own data": its files, its snippet and its commands work.

Its table quotes lines that are said.
"""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_own_refused import COMMANDS_REFUSED, FACTS, TABLES
from test_visium_refused import REFUSED as VISIUM

from compendium.__main__ import main, parser
from compendium.book.notebook import parameters, profiles
from compendium.book.run.chapters import chapters
from compendium.data.prepare import open_sections
from compendium.data.readers import custom as own
from compendium.data.readers import slides
from compendium.runs import execute, plan_runs
from compendium.storage import CHECKOUT
from own_slides import COMMANDS, PAGE, write_slides

pytestmark = pytest.mark.slow


def test_the_commands_of_the_page_prepare_and_predict(tmp_path, home, monkeypatch, capsys):
    mine = write_slides(tmp_path, monkeypatch)
    compendium = [shlex.split(line)[1:] for line in COMMANDS]
    assert [line[0] for line in compendium] == ["prepare", "chapter", "book"]
    assert main(compendium[0]) == 0
    out, err = capsys.readouterr()
    assert [
        line for line in out.splitlines() if line.startswith("<Section my-slides/S")
    ] == out.splitlines()[:3]
    assert (
        "licence: in-house, not to be shared; under every image: H&E image: Lab 1, unpublished"
        in out
    )
    shutil.rmtree(mine)  # "so that your folder is not needed any more"

    sections = open_sections("my-slides")
    assert [(s.name, s.patient, s.lab) for s in sections] == [
        ("S1", "A", "Lab 1"),
        ("S2", "A", "Lab 1"),
        ("S3", "B", "Lab 1"),
    ]
    assert [round(s.um_per_px, 2) for s in sections] == [1.0, 1.67, 1.67]
    assert sections[0].labels[:3].tolist() == ["invasive cancer", "invasive cancer", ""]
    assert [s.labels for s in sections[1:]] == [None, None]
    profile = profile_of_the_page(mine.parent)
    words = profile.chapters["id-loocv"]
    runs = plan_runs(
        profile.cohort,
        sections,
        ["section-out", "patient-out"],
        words["methods"],
        panel=words["panel"],
    )
    records = execute(runs, sections, device="cpu")
    assert {(run.split.name, run.method) for run in runs} >= {
        ("section-out-S1", "ridge"),
        ("patient-out-S1-S2", "ridge"),
    }
    for record in records:
        assert record.genes == ["COX6C", "TFF3", "FASN", "SPARC", "TBCE"], (
            "what three sections of three forms share"
        )
        assert all(np.isfinite(values).all() for values in record.predictions.values())


def profile_of_the_page(root: Path) -> profiles.Profile:
    """The profile as the page shows it, if it fits the second chapter.

    Then the page's other commands, if they are commands.
    """
    profile = profiles.load("mine", root)
    profiles.resolve(
        parameters.declared(chapters(CHECKOUT)["id-loocv"]),
        {"profile": "mine"},
        profile,
        "id-loocv",
    )
    assert set(profile.chapters) <= set(chapters(CHECKOUT))
    asked = [parser().parse_args(shlex.split(line)[1:]) for line in COMMANDS]
    assert {options.profile for options in asked[1:]} == {"mine"}
    return profile


def test_the_table_of_refusals_quotes_lines_that_are_tested():
    rows = re.findall(r"^\| (`.*?`) \| ", PAGE.split("## What is refused")[1], re.MULTILINE)
    quoted = {text for row in rows for text in re.findall(r"`([^`]+)`", row)}
    tested = [
        word
        for *_, words in [
            *FACTS.values(),
            *TABLES.values(),
            *COMMANDS_REFUSED.values(),
            *VISIUM.values(),
        ]
        for word in words
    ]
    assert len(quoted) > 20
    tested += [
        "was prepared as of",
        "would be left out",
        "export it as 8-bit RGB",
        "orientation tag",
        "blank or damaged",
        "lies on no upright",
    ]  # by test_own.py, test_anndata_file.py and those of slides
    assert [text for text in quoted if not any(text in word for word in tested)] == []


def test_the_numbers_of_the_page_are_those_of_the_code():
    assert f"{slides.MAX_PIXELS:,} px and {slides.MAX_PX_PER_BYTE} px for each" in PAGE
    assert all(
        f"`{word}`" in PAGE
        for word in {*own.CohortFacts.model_fields, "patient", *own.COLUMNS, "label"} - {"sections"}
    )
