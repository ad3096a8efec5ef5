"""Chapter 3: roles, distances of known size, one fit for both groups, claims."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.ood import authors, shift
from compendium.chapters.ood import results as ood
from compendium.chapters.ood.design import design as plan_chapter
from compendium.chapters.ood.findings import FINDINGS
from compendium.data.partition import OTHER_LAB, OTHER_PATIENT, OTHER_SECTION, partition
from compendium.data.sources import catalogue
from compendium.data.splits import PUBLISHED_OOD
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.describe import channel_shares
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1"),
    tiny_section("S2", patient="P2"),
    tiny_section("S3", patient="P3"),
    tiny_section("S4"),
    tiny_section("T1", patient="Q1", lab="L2"),
    tiny_section("T2", patient="Q2", lab="L2"),
]
PARAMETERS = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32}


def test_without_names_it_is_the_benchmarks_partition():
    visium = [*catalogue()["wu"].sections.values(), *catalogue()["tenx"].sections.values()]
    parts = partition(visium)
    assert (parts.training, parts.validation, parts.test) == PUBLISHED_OOD
    assert (parts.validation_is, parts.test_is, parts.split.rule) == (
        OTHER_PATIENT,
        OTHER_LAB,
        "ood",
    )


def test_nothing_is_chosen_on_what_is_reported():
    parts = partition(SECTIONS, ["S1", "S2"], ["S3"], ["T1", "T2"])
    assert (parts.split.train, parts.split.valid, parts.split.test) == (
        ("S1", "S2"),
        (),
        ("S3", "T1", "T2"),
    )
    assert list(parts.roles.values()) == ["training", "training", "validation", "test", "test"]


def test_a_partition_is_named_as_what_it_is():
    other = partition(SECTIONS, ["S1"], ["S4"], ["S2"])
    assert (other.validation_is, other.test_is, other.split.rule) == (
        OTHER_SECTION,
        OTHER_PATIENT,
        "section-out",
    )
    assert partition(SECTIONS, ["S1"], ["S3"], ["S2"]).split.rule == "patient-out"
    assert partition(SECTIONS, ["S1"], ["S3"], ["T1"]).test_is == OTHER_LAB


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (([], [], []), "section 1142243F of training is not among"),
        ((["S1"], [], ["T1"]), "no section is named for validation"),
        ((["S1"], ["S9"], ["T1"]), "section S9 of validation is not among"),
        ((["S1"], ["S2"], ["S2"]), "section S2 has two roles"),
        ((["S1"], ["T1"], ["T2"]), "validation T1 is of another laboratory"),
        ((["S1"], ["S2"], ["S4"]), "test S4 holds a patient of training or validation"),
    ],
)
def test_a_partition_that_is_none_is_one_line(names, says):
    with pytest.raises(BadInput, match=says):
        partition(SECTIONS, *names)


def test_brightness_that_is_moved_by_a_level_is_that_far_away():
    plain = replace(tiny_section("S1"), stored_tiles=np.full((24, 32, 32, 3), 100, np.uint8))
    moved = replace(
        tiny_section("T1", patient="Q1", lab="L2"),
        stored_tiles=np.full((24, 32, 32, 3), (164, 100, 36), np.uint8),
    )
    sections = [
        plain,
        replace(plain, name="S2", patient="P2"),
        replace(plain, name="S3", patient="P3"),
        moved,
    ]
    roles = partition(sections, ["S1", "S2"], ["S3"], ["T1"]).roles
    seen = {section.name: np.random.default_rng(0).normal(size=(24, 3)) for section in sections}
    rows = shift.distances(
        sections, roles, channel_shares(sections), shift.genes_per_spot(sections), seen
    ).set_index("section")
    assert rows.loc["S3", ["red", "green", "blue", "colour"]].tolist() == [0, 0, 0, 0]
    assert rows.loc["T1", ["red", "green", "blue"]].tolist() == pytest.approx([64, 0, 64])
    assert rows.loc["T1", "colour"] == pytest.approx(128 / 3)


def test_the_discrepancy_is_near_nothing_for_one_law_and_large_for_two():
    rng = np.random.default_rng(0)
    one, same, other = (
        rng.normal(size=(200, 4)),
        rng.normal(size=(200, 4)),
        rng.normal(2, 1, (200, 4)),
    )
    assert abs(shift.mmd(one, same, 2.0)) < 0.01 < 0.3 < shift.mmd(one, other, 2.0)
    by_hand = np.exp(-0.5) - 2 * np.mean(np.exp(-np.array([0.0, 1.0, 1.0, 0.0]) / 2)) + np.exp(-0.5)
    assert shift.mmd(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]]), 1.0) == pytest.approx(
        by_hand
    )


def test_the_reference_is_of_other_patients_and_missing_where_there_is_none():
    assert shift.against(SECTIONS[0], SECTIONS[:2] + SECTIONS[3:4]) == ["S2"]
    assert shift.against(SECTIONS[0], [SECTIONS[0], SECTIONS[3]]) == ["S4"]
    assert shift.against(SECTIONS[0], SECTIONS[:1]) == []
    rows = pd.DataFrame(
        [
            {"section": name, "role": role, "colour": far, "features": far / 10, "genes": 5.0}
            for name, role, far in (
                ("S1", "training", 2.0),
                ("S2", "training", 4.0),
                ("S3", "validation", 3.0),
                ("T1", "test", 9.0),
            )
        ]
    )
    found = shift.relative(rows).set_index(["section", "measure"])["fold"]
    assert found[("T1", "colour")] == pytest.approx(3) and found[
        ("S3", "features")
    ] == pytest.approx(1)
    alone = shift.relative(
        rows.assign(**dict.fromkeys(shift.MEASURES, np.nan)).combine_first(
            rows[rows["role"] != "training"]
        )
    )
    assert alone["fold"].isna().all()


def test_a_density_holds_all_spots():
    found = {"S1": np.arange(50.0) + 20, "S2": np.full(30, 60.0)}
    for _, curve in shift.densities(found, {"S1": "training", "S2": "test"}).groupby("section"):
        assert np.trapezoid(curve["density"], curve["genes"]) == pytest.approx(1, abs=0.06)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("ood")))
        patch.setattr(ood, "FROZEN_TILE_PX", 32)

        def opened(cohort, names):
            return [section for section in SECTIONS if section.name in names]

        patch.setattr(comparison, "open_sections", opened)
        patch.setattr(comparison, "placed", opened)
        roles = {"training": ["S1", "S2"], "validation": ["S3"], "test": ["T1", "T2"]}
        design = plan_chapter("demo", roles, ["colour", "mean", "hist2st"], 1, **PARAMETERS)
        yield comparison.compute(design, ood.tables, "cpu")


def test_one_fit_predicts_both_groups_and_tables_stay_small(tables):
    medians = tables["medians"]
    assert medians[medians["method"] == "colour"]["section"].tolist() == ["S3", "T1", "T2"]
    assert len(tables["curves"]) == 3 and set(tables["curves"]["method"]) == {"hist2st"}
    assert tables["cost"].set_index("row")["training spots"].to_dict() == {
        "colour": 48,
        "mean": 48,
        "hist2st": 48,
    }
    assert [tables.facts[word] for word in ("records", "genes")] == [
        5,
        12,
    ]  # the training mean sees no patch to shuffle
    assert sum(len(table) for table in tables.tables.values()) < 1500
    for name in ("boxes", "medians", "panels"):
        drawn = tables[name][tables[name]["method"] == "colour"]
        assert drawn[["partial", "pcc_pearson", "partial_pearson"]].notna().all(axis=None)
    assert tables["distances"]["section"].tolist() == ["S1", "S2", "S3", "T1", "T2"]


def test_a_section_counts_once_and_the_drop_is_the_difference(tables):
    rows, medians = (
        tables["rows"].set_index("method"),
        tables["medians"].set_index(["method", "section"])["median"],
    )
    colour = rows.loc["colour"]
    assert colour["validation"] == pytest.approx(medians[("colour", "S3")])
    assert colour["test"] == pytest.approx(
        (medians[("colour", "T1")] + medians[("colour", "T2")]) / 2
    )
    assert colour["drop"] == pytest.approx(colour["validation"] - colour["test"])
    assert colour["validation"] > colour["permuted validation"] and bool(colour["result"])
    assert not rows.loc["hist2st", "result"] and np.isnan(rows.loc["mean", "drop"])
    lost = ood.drops(tables["medians"], tables["shift"])
    mine = lost[lost["method"] == "colour"].pivot_table(index="section", values="drop")["drop"]
    assert mine.to_dict() == pytest.approx(
        {name: colour["validation"] - medians[("colour", name)] for name in ("T1", "T2")}
    )


def test_a_validation_section_has_a_drop_where_it_is_not_the_only_one():
    medians = pd.DataFrame(
        [
            ("ridge", "S2", "validation", 0.1),
            ("ridge", "S3", "validation", 0.3),
            ("ridge", "T1", "test", 0.1),
        ],
        columns=["method", "section", "role", "median"],
    )
    shifts = pd.DataFrame({"section": ["S2", "S3", "T1"], "measure": "colour", "fold": 1.0})
    assert dict(ood.drops(medians, shifts).set_index("section")["drop"]) == pytest.approx(
        {"S2": 0.1, "S3": -0.1, "T1": 0.1}
    )
    assert ood.drops(medians[medians["section"] != "S2"], shifts)["section"].tolist() == ["T1"]


def results_of(lab: str = "L2", **scores: tuple[float, float]) -> Results:
    """Return results of methods with the same score in validation, and in test."""
    roles = {"V": "validation", "W": "validation", "A": "test", "B": "test", "C": "test"}
    parts = [
        {"section": f"{name}1", "patient": name, "lab": lab if role == "test" else "L1"}
        | {"role": role}
        for name, role in roles.items()
    ]
    medians = [
        {"method": method, "role": part["role"], "section": part["section"]}
        | {"patient": part["patient"], "mean": values[part["role"] == "test"]}
        for method, values in scores.items()
        for part in parts
    ]
    rows = [
        {"method": method, "control": method == "ridge", "result": True}
        | {"validation": inside, "test": outside}
        for method, (inside, outside) in scores.items()
    ]
    tables = {"medians": medians, "parts": parts, "rows": rows}
    return Results({name: pd.DataFrame(table) for name, table in tables.items()}, {})


ROWS = {"hist2st": (0.4, 0.1), "stimage": (0.3, 0.3), "bleep": (0.3, 0.2), "ridge": (0.9, 0.9)}


def test_claims_rest_on_the_patients_of_test_and_one_fit_decides_none():
    outcomes = decide_all(FINDINGS, results_of(**ROWS))
    numbers = {name: outcome.statistic for name, outcome in outcomes.items()}
    assert numbers["alike"] == pytest.approx((0.3 + 0.0 + 0.1) / 3)
    assert numbers["most"] == pytest.approx(0.3 - 0.05)
    assert numbers["highest"] == pytest.approx(0.3 - 0.15)
    for finding, outcome in zip(FINDINGS, outcomes.values(), strict=True):
        assert (outcome.verdict, outcome.patients) == (Verdict.UNDECIDED, 3)
        assert outcome.limits[0] == "all test sections share one fit"
        assert finding.sentence(outcome)


@pytest.mark.parametrize(
    ("results", "finding", "limit"),
    [
        (results_of(lab="L1", **ROWS), "alike", "test is not of another laboratory"),
        (results_of(bleep=(0.3, 0.2)), "alike", "fewer than 2 methods"),
        (results_of(bleep=(0.3, 0.2)), "most", "the method is below the criterion or not fitted"),
    ],
)
def test_further_limits_are_named(results, finding, limit):
    limits = decide_all(FINDINGS, results)[finding].limits
    assert any(each.startswith(limit) for each in limits)


def test_the_authors_labels_of_one_method_contradict_its_sections():
    theirs = authors.authors_scores()
    assert theirs.groupby("method")["section"].nunique().to_dict() == {
        "BLEEP": 5,
        "DeepSpaCE": 5,
        "HisToGene": 5,
        "Hist2ST": 5,
        "ST-Net": 5,
        "STimage": 9,
    }
    wrong = theirs[(theirs["labelled"] != theirs["role"])]
    assert set(wrong["method"]) == {"STimage"} and set(wrong["section"]) == {
        "1142243F",
        "CID4465",
        "CID44971",
        "CID4535",
        "block1",
        "block2",
    }
    table = authors.by_role(theirs).set_index(["method", "sections"])
    test = table.loc["STimage", "test, mean"]
    assert test[["as labelled", "by name"]].tolist() == pytest.approx([0.2192, 0.1646], abs=1e-4)
    named = table.xs("by name", level="sections")
    assert (
        named["test, median"].idxmax() == "HisToGene" and named["test, mean"].idxmax() == "STimage"
    )
    assert named["test, median"].max() == pytest.approx(0.1771, abs=1e-4)
    assert table.xs("as labelled", level="sections")["test, mean"].idxmax() == "STimage"
    moved = table.xs("as labelled", level="sections").ne(named).any(axis=1)
    assert moved[moved].index.tolist() == ["STimage"]
