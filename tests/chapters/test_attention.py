"""The graph attention chapter: its rows, what a step costs, and what differences decide."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.gat import figures as attention_figures
from compendium.chapters.gat import results as attention
from compendium.errors import BadInput
from compendium.evaluation.paired import differences
from compendium.evaluation.results import Results
from compendium.evaluation.scores import summary
from compendium.evaluation.verdict import UNDECIDED
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2"), tiny_section("S3", patient="P3")]
TITLES = {row.key: row.title for row in attention.ROWS}
PLANNED = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32}


def by_section(*values):
    return pd.DataFrame(
        {
            "patient": [f"P{i // 2}" for i in range(len(values))],
            "section": [f"S{i}" for i in range(len(values))],
            "difference": values,
        }
    )


@pytest.fixture
def study(home, monkeypatch):
    monkeypatch.setattr(attention, "open_sections", lambda cohort, names: SECTIONS)
    return attention.study("tiny", None, [], [], [5, 20], "cpu", weights="", seed=0, **PLANNED)


def test_every_row_is_fitted_scored_and_priced(study):
    table = study["scores"]
    assert table.groupby("row").size().to_dict() == {row.key: 3 * 12 for row in attention.ROWS}
    found = differences(table, attention.COMPARISONS)
    assert len(found) == 3 * len(attention.COMPARISONS) and (found["genes"] == 12).all()
    lines = study["floor"].set_index("row")
    assert lines["result"].to_dict() == {
        row.key: row.key == "ridge" for row in attention.ROWS
    }  # budget smoke is below the floor, and ridge has none
    steps = study["steps"].set_index("row")
    assert (
        steps["relative"]["hist2st"] == 1
        and steps["relative"]["gat"] > 0
        and np.isnan(steps["relative"]["ridge"])
    )
    assert (
        steps["trainable"]["gat-published"] < steps["trainable"]["mean"] < steps["trainable"]["gat"]
    )
    assert (
        len(attention_figures.accuracy_by_cost(summary(table), steps.reset_index(), TITLES).data)
        == 4
    )  # ridge has no steps
    assert (study.facts["records"], study.facts["width"]) == (
        27,
        32,
    )  # five rows and four twins in three folds
    assert set(study["curves"]["method"]) == set(TITLES) - {"ridge"}


def test_each_distinct_fold_is_fitted_once_and_twins_are_of_the_first_split(home, monkeypatch):
    sections = [tiny_section("S1"), tiny_section("S2"), tiny_section("S3", patient="P2")]
    monkeypatch.setattr(attention, "open_sections", lambda cohort, names: sections)
    found = attention.study(
        "tiny",
        None,
        ["patient-out", "section-out"],
        [],
        [5, 20],
        "cpu",
        weights="",
        seed=0,
        **PLANNED,
    )
    tested = (
        found["scores"]
        .drop_duplicates(["split", "section"])
        .groupby("split")["section"]
        .agg(set)
        .to_dict()
    )
    assert tested == {"patient-out": {"S1", "S2", "S3"}, "section-out": {"S1", "S2"}}, (
        "leaving out S3 is leaving out its patient"
    )
    assert found.facts["records"] == 5 * 4 + 4 * 2 and found.facts["first"] == "patient-out"
    lines = attention.by_split(found["scores"], attention.COMPARISONS[:1])
    assert lines.groupby("split", sort=False).size().to_dict() == {
        "patient-out": 3,
        "section-out": 2,
    }
    first = found["scores"].query("row == 'gat' and split == 'patient-out'")["pcc"].median()
    assert found["floor"].set_index("row")["pcc"]["gat"] == pytest.approx(first)


def test_splits_are_told_apart():
    found = pd.concat(
        [
            by_section(0.1, 0.2, 0.1).assign(split="patient-out"),
            by_section(-0.1, -0.2, -0.3).assign(split="section-out"),
        ]
    )
    assert (
        attention.told(found)
        == "+0.133, above in 3 of 3 sections under patient-out and -0.200, above in 0 of 3 sections under section-out"
    )


@pytest.mark.parametrize(
    ("values", "smoke", "said"),
    [
        (
            (0.1, 0.2, 0.1),
            (),
            "Fails here. Graph attention is above Hist2ST in 3 of 3 sections of 2 patients under ood, +0.133 on average.",
        ),
        ((-0.1, -0.2, -0.1), (), "Holds here. "),
        (
            (0.1, 0.2, -0.1, 0.1),
            (),
            "Undecided here. Graph attention is above Hist2ST in 3 of 4 sections",
        ),
        ((0.1, 0.2, -0.1, 0.1), (), "the sections disagree."),
        ((0.1, 0.1), (), "Undecided here. 2 sections of 1 patient cannot decide."),
        (
            (0.1, 0.1, 0.1),
            ("graph attention",),
            "Undecided here. Below the floor of a result: graph attention.",
        ),
    ],
)
def test_the_claim_about_accuracy_follows_from_the_sections(values, smoke, said):
    assert (
        said
        in attention.no_gain(
            "No gain", attention.COMPARISONS[0], "ood", by_section(*values), smoke
        ).told
    )


def test_each_split_is_judged_by_itself(study):
    several = pd.concat([study["scores"], study["scores"].assign(split="section-out")])
    said = attention.claims(Results(study.tables | {"scores": several}, study.facts))
    assert list(said) == [
        "accuracy_patient-out",
        "attention_patient-out",
        "accuracy_section-out",
        "attention_section-out",
        "cost",
    ]
    assert (
        said["accuracy_section-out"].claim.endswith(", section-out")
        and "under section-out" in said["accuracy_section-out"].why
    )
    assert (
        said["accuracy_patient-out"].verdict == UNDECIDED
        and "Below the floor" in said["accuracy_patient-out"].why
    )
    assert (said["accuracy_patient-out"].sections, said["accuracy_patient-out"].patients) == (3, 3)


@pytest.mark.parametrize(
    ("relative", "said"),
    [
        (0.5, "Holds here. A step of graph attention takes 0.50 times"),
        (1.2, "Fails here"),
        (0.95, "Undecided here"),
    ],
)
def test_the_claim_about_cost_follows_from_the_steps(relative, said):
    steps = pd.DataFrame({"row": ["hist2st", "gat"], "relative": [1.0, relative]})
    assert attention.cost(
        steps, {"graph attention": 1.0, "transformer block": 1.7}
    ).told.startswith(said)


def test_growth_is_the_exponent_between_the_two_largest_sizes():
    lines = pd.DataFrame({"layer": "a", "spots": [10, 100, 400], "seconds": [9.0, 1.0, 16.0]})
    assert attention.exponents(lines) == {"a": pytest.approx(2)}


def test_each_layer_is_timed_at_each_size():
    lines = attention.grows(64, "cpu", (5, 20), 4, repeats=1)
    assert len(lines) == 2 * len(attention.LAYERS) and (lines["seconds"] > 0).all()
    assert len(attention_figures.growth(lines).data) == len(attention.LAYERS)
    assert lines.groupby("layer")["parameters"].first()["graph mean"] == 64 * 65


@pytest.mark.parametrize("sizes", [[100], [100, 100], [4, 100], []])
def test_sizes_that_cannot_be_timed_are_refused(sizes):
    with pytest.raises(BadInput, match="two or more different sizes"):
        attention.check_sizes(sizes, 4)


def test_a_layer_needs_more_spots_than_neighbours():
    attention.check_sizes([7, 100], 6)
    with pytest.raises(BadInput, match="at least 7"):
        attention.check_sizes([6, 100], 6)
