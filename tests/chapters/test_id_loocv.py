"""Chapter 2: its tables on tiny sections, its claims, and what a synthetic cohort allows."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from compendium.chapters.id_loocv.attainable import reached, shares
from compendium.chapters.id_loocv.design import design as plan_chapter
from compendium.chapters.id_loocv.figures import matched_sets, with_depth
from compendium.chapters.id_loocv.findings import FINDINGS, LOW
from compendium.chapters.id_loocv.matched_sets import (
    COMPARED,
    four_columns,
    gaps,
    head,
    paired,
    spread,
)
from compendium.chapters.id_loocv.results import largest_part, side_by_side, tables
from compendium.data.splits import MATCHED
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results, differences, read, write
from compendium.evaluation.verdict import Verdict
from compendium.methods import METHODS
from compendium.methods.registry import Config, choice
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, labelled=True),
]
PARAMETERS = {"panel": "all", "encoder": "colour", "weights": "", "budget": "smoke", "seed": 0}


@pytest.fixture
def chapter(home, monkeypatch):
    """Compute the chapter on tiny sections, with some parameters changed."""
    monkeypatch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
    monkeypatch.setattr("compendium.chapters.id_loocv.design.placed", lambda *_: SECTIONS)

    def computed(**changed) -> Results:
        stated = {"methods": ["mean", "permuted", "colour", "stnet"], "draws": {"spot": 2}}
        stated |= {"seeds": 2, "section": "S2", "gene": ""}
        design = plan_chapter("demo", None, **stated | changed, **PARAMETERS)
        return compute(design, tables, "cpu")

    return computed


def test_results_hold_all_that_the_page_draws(chapter, tmp_path):
    results = chapter()
    by_split = results["scores"].groupby(["method", "split"]).size()
    assert by_split.unstack().to_dict("index") == dict.fromkeys(
        ("colour", "mean", "permuted", "stnet"), {"patient-out": 24, "section-out": 36}
    )
    criterion = results["criterion"].set_index("row")
    controls = dict.fromkeys(("mean", "permuted", "colour"), True)
    assert criterion["result"].to_dict() == controls | {"stnet": False}
    assert criterion.index[criterion["permuted"].notna()].tolist() == ["stnet"]
    assert results["permuted"].groupby("row")["split"].unique().map(list).to_dict() == {
        "stnet": ["section-out", "patient-out"]
    }
    assert {"partial", "pcc_pearson", "partial_pearson"} <= set(results["scores"])
    depth = results["depth"]
    assert depth.groupby(["split", "target"]).size().to_dict() == {
        ("section-out", "wide"): 3,
        ("section-out", "pearson"): 3,
        ("patient-out", "wide"): 2,
        ("patient-out", "pearson"): 2,
    }
    assert set(depth["genes"]) == {12} and depth["depth"].notna().all()
    assert list(results["tissue"]) == ["spot", "x", "y", "measured", "permuted", "colour", "stnet"]
    assert len(results["tissue"]) == 24
    assert set(results["curves"]["method"]) == {"stnet"}
    assert not results["curves"].duplicated(["fold", "epoch"]).any(), "of the first seed"
    assert results["seeds"].groupby("method")["seed"].unique().map(list).to_dict() == {
        "mean": [0],
        "permuted": [0],
        "colour": [0],
        "stnet": [0, 1],
    }
    assert results["cost"].groupby("row")["fits"].sum().to_dict() == {
        "mean": 4,
        "permuted": 4,
        "colour": 4,
        "stnet": 8,
    }, "leaving out S3 is leaving out its patient"
    assert results.facts["depth"].keys() == {"S1", "S2", "S3"}
    assert results.facts["changed"].keys() == {"ST-Net head on frozen features"}
    write(tmp_path / "kept", results)
    assert list(read(tmp_path / "kept").tables) == list(results.tables)
    again = differences(chapter(), results)
    assert {each.largest for each in again.values()} == {0.0}, "computed again it is the same"


def test_depth_is_a_line_over_the_largest_panel_and_absent_from_earlier_tables():
    columns = ["split", "panel", "target", "genes", "depth"]
    rows = [
        ("section-out", "markers_12", "wide", 12, 0.9),
        ("section-out", "hvg_769", "wide", 769, 0.2),
        ("section-out", "hvg_769", "wide", 768, 0.3),
        ("section-out", "hvg_769", "pearson", 769, 0.7),
        ("patient-out", "hvg_769", "wide", 769, 0.8),
    ]
    (line,) = with_depth(go.Figure(), pd.DataFrame(rows, columns=columns)).layout.shapes
    assert line.y0 == line.y1 == pytest.approx(0.25)
    assert not with_depth(go.Figure(), None).layout.shapes


def test_every_method_has_four_columns_and_a_single_section_three(chapter):
    results = chapter()
    columns = results["matched"]
    assert columns["method"].unique().tolist() == ["colour", "stnet"], "the others have no PCC"
    fits = columns.groupby(["method", "section", "split"])["seed"].agg(list).unstack()
    assert fits.loc["colour", "matched-within"].dropna().to_dict() == {"S1": [0, 1], "S2": [0, 1]}
    assert fits["matched-between"].map(len).eq(2).all()
    assert fits["section-out"].map(len).groupby("method").unique().map(list).to_dict() == {
        "colour": [1],
        "stnet": [2],
    }
    only = columns[columns["section"] == "S3"].set_index(["split", "method", "seed"])["median"]
    assert only["patient-out"].to_dict() == only["section-out"].to_dict(), "one fold"
    sizes = results["training_sets"].set_index(["method", "split"])
    assert sizes["spots"].unstack().loc["colour"].to_dict() == {
        "section-out": 48,
        "patient-out": 24,
        "matched-within": 24,
        "matched-between": 24,
    }
    depth = sizes.loc["stnet", ["depth", "test depth"]].loc[list(MATCHED)]
    assert depth.max(axis=None) <= 1.05 * depth.min(axis=None)
    assert sizes["steps"].unstack().loc["colour"].eq(0).all()
    assert sizes["steps"].unstack().loc["stnet"].gt(0).all()


def test_no_draw_is_no_matched_set(chapter):
    results = chapter(methods=["colour"], draws={"spot": 0})
    assert results["permuted"].empty, "no method is trained"
    assert len(results["matched"]) == len(results["training_sets"]) == 0
    assert len(gaps(results["matched"], results["paired"])) == len(spread(results["matched"])) == 0
    assert list(head(results["training_sets"], {}))[1:] == list(COMPARED)


def test_all_draws_are_of_one_rule(monkeypatch):
    monkeypatch.setattr("compendium.chapters.id_loocv.design.placed", lambda *_: SECTIONS)

    def planned(**draws):
        methods = ["colour", "stnet", "histogene"]
        return plan_chapter("demo", None, methods, draws, 3, **PARAMETERS).groups

    seeds = {}
    for key, run in planned()["matched"]:
        seeds.setdefault((key, run.split.name), []).append(run.seed)
    assert {key: seeds[key, fold] for key, fold in seeds} == {
        "colour": [*range(10)],
        "stnet": [*range(10)],
        "histogene": [0, 1, 2],
    }
    assert {fold for _, fold in seeds} == {
        "matched-within-S1",
        "matched-within-S2",
        "matched-between-S1-S2",
        "matched-between-S3",
    }
    permuted = planned(spot=0, section=0)["permuted"]
    assert {(key, run.split.rule, run.seed) for key, run in permuted} == {
        (key, rule, 0) for key in ("stnet", "histogene") for rule in ("section-out", "patient-out")
    }


@dataclass(frozen=True)
class ByBlocks(Config):
    """A control with a choice of how its penalty is chosen."""

    penalty_by: str = choice("sections", ("sections", "blocks"))
    """How."""


def test_a_penalty_is_chosen_by_blocks_in_all_four_columns(monkeypatch):
    monkeypatch.setattr("compendium.chapters.id_loocv.design.placed", lambda *_: SECTIONS)
    monkeypatch.setitem(METHODS, "colour", replace(METHODS["colour"], config=ByBlocks()))
    groups = plan_chapter("demo", None, ["colour", "stnet"], {}, 1, **PARAMETERS).groups
    runs = [run for jobs in groups.values() for _, run in jobs if run.method == "colour"]
    assert {run.split.rule for run in runs} == set(COMPARED)
    assert all(dict(run.model)["penalty_by"] == "blocks" for run in runs)


def test_gaps_are_of_patients_and_their_spread_is_over_draws():
    medians = {"section-out": [0.3], "patient-out": [0.2]}
    medians |= {"matched-within": [0.17, 0.19], "matched-between": [0.15, 0.13]}
    rows = [
        ("colour", section, patient, split, seed, 9, 0, median + shift)
        for section, patient, shift in (("A1", "A", 0.0), ("A2", "A", 0.1), ("B1", "B", 0.0))
        for split, values in medians.items()
        for seed, median in enumerate(values)
        if (patient, split) != ("B", "matched-within")
    ]
    names = ["method", "section", "patient", "split", "seed", "genes", "missing", "median"]
    columns = pd.DataFrame(rows, columns=names)
    same_genes = spread(columns).assign(genes=9)
    table = gaps(columns, same_genes).set_index("patient")
    assert table.loc["A", ["sections", "draws"]].tolist() == [2, 2]
    found = table.loc["A", [*COMPARED, "gap", "matched_gap", "spread"]].astype(float)
    assert found.tolist() == pytest.approx([0.35, 0.25, 0.23, 0.19, 0.1, 0.04, 0.02 * 2**0.5])
    assert table.loc["B", ["matched-within", "gap", "matched_gap"]].isna().all()
    assert table.loc["B", "matched-between"] == pytest.approx(0.14)
    bars = spread(pd.DataFrame(rows, columns=names)).set_index(["section", "split"])
    bar = bars.loc[("A1", "matched-between"), ["draws", "lowest", "median", "highest"]]
    assert bar.astype(float).tolist() == pytest.approx([2, 0.13, 0.14, 0.15])


def test_four_columns_are_of_the_part_with_the_most_genes():
    table = scored({"ridge": 0.0})["scores"]
    joint = table["gene"].eq("G0")
    table["panels"] = table["panels"].where(~joint, "markers_12+hvg_769")
    assert set(largest_part(table)["gene"]) == {"G0", "G1", "G2"}


def test_only_genes_of_all_columns_count():
    rows = [
        ("m", "A1", "A", split, 0, gene, value)
        for split in ("section-out", "patient-out", "matched-within", "matched-between")
        for gene, value in (("g", 0.2), ("h", 0.6))
        if (split, gene) != ("matched-within", "h")
    ]
    names = ["method", "section", "patient", "split", "seed", "gene", "pcc"]
    found = four_columns(pd.DataFrame(rows, columns=names), SECTIONS)
    assert found["median"].tolist() == [0.2] * 4 and found["genes"].tolist() == [1] * 4


def test_gaps_compare_genes_that_every_split_has():
    """A gene without a correlation under one split is left out of all."""
    values = {"section-out": (0.3, 0.9), "patient-out": (0.2, 0.9)}
    values |= {"matched-within": (0.2, np.nan), "matched-between": (0.1, 0.9)}
    lines = [
        ("m", "A1", "A", split, seed, gene, pcc)
        for split, pair in values.items()
        for seed in (0, 1)
        for gene, pcc in zip("gh", pair, strict=True)
    ]
    names = ["method", "section", "patient", "split", "seed", "gene", "pcc"]
    found = paired(pd.DataFrame(lines, columns=names), SECTIONS).set_index("split")
    assert found["genes"].eq(1).all()
    assert found["median"].to_dict() == {split: pair[0] for split, pair in values.items()}


def test_the_figure_has_a_panel_a_method_and_a_colour_a_patient(chapter):
    rows = spread(chapter()["matched"])
    fig = matched_sets(rows, {"colour": "Colour", "stnet": "ST-Net"})
    assert [note.text for note in fig.layout.annotations[:2]] == ["Colour", "ST-Net"]
    assert [(trace.name, trace.showlegend) for trace in fig.data] == [
        ("patient P1", True),
        ("patient P2", True),
        ("patient P1", False),
        ("patient P2", False),
    ]
    drawn = {
        tuple(data[:2]): y
        for trace in fig.data[:2]
        for data, y in zip(trace.customdata, trace.y, strict=True)
    }
    stated = rows[rows["method"] == "colour"].set_index(["section", "split"])["median"]
    assert drawn == stated.to_dict()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"section": "S9"}, "section S9 of the tissue map is not among S1, S2, S3"),
        ({"methods": ["mean"]}, "names nothing that can be correlated"),
        ({"seeds": 0}, "number of seeds is 0; give 1 or more"),
        ({"gene": "XIST"}, "gene XIST is not in the panel of section S2"),
    ],
)
def test_a_design_that_cannot_be_is_refused(chapter, changed, message):
    with pytest.raises(BadInput, match=message):
        chapter(**changed)


def test_splits_are_compared_on_the_sections_that_have_both():
    rows = [
        ("ridge", "C2", "section-out", 0.3),
        ("ridge", "C2", "patient-out", 0.1),
        ("ridge", "B4", "section-out", 0.9),
        ("stnet", "C2", "section-out", 0.2),
        ("stnet", "C2", "patient-out", 0.2),
    ]
    table = pd.DataFrame(rows, columns=["method", "section", "split", "pcc"])
    both = side_by_side(table.assign(gene="FASN", panels="markers_12"))
    assert both.set_index(["split", "method"])["median"].to_dict() == {
        ("section-out", "ridge"): 0.3,
        ("patient-out", "ridge"): 0.1,
        ("section-out", "stnet"): 0.2,
        ("patient-out", "stnet"): 0.2,
    }
    assert set(both["sections"].map(tuple)) == {("C2",)}


def scored(shift: dict[str, float], patients: str = "AAB") -> Results:
    """Scores on two lists of genes; on the larger each method has a median of 0.1 + its shift."""
    genes = [("FASN", "markers_12", 0.9), *((f"G{n}", "hvg_769", 0.0) for n in range(3))]
    rows = [
        {
            "method": method,
            "split": "section-out",
            "section": f"{patient}{i}",
            "patient": patient,
            "gene": gene,
            "panels": panel,
            "pcc": 0.1 + more + extra,
        }
        for method, more in shift.items()
        for i, patient in enumerate(patients)
        for gene, panel, extra in genes
    ]
    criterion = pd.DataFrame({"row": list(shift), "result": True})
    titles = {name: name.upper() for name in shift}
    found = {"scores": pd.DataFrame(rows), "criterion": criterion}
    return Results(found, {"titles": titles})


SHIFT = {
    "stimage": 0.2,
    "bleep": 0.2,
    "hist2st": 0.15,
    "histogene": 0.1,
    "stnet": -0.05,
    "deepspace": -0.05,
    "ridge": 0.5,
}


def verdicts(results: Results) -> list[Verdict]:
    return [outcome.verdict for outcome in decide_all(FINDINGS, results).values()]


EIGHT = "ABCDEFGH"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [Verdict.REPRODUCED] * 2),
        ({"stnet": 0.5, "deepspace": 0.4}, [Verdict.NOT_REPRODUCED] * 2),
        ({"stnet": 0.3, "deepspace": -0.1}, [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED]),
    ],
)
def test_claims_are_judged_by_patient_on_the_larger_list_of_genes(change, expected):
    assert verdicts(scored(SHIFT | change, EIGHT)) == expected
    outcome = decide_all(FINDINGS, scored(SHIFT | change, EIGHT + "AA"))["low"]
    assert (outcome.sections, outcome.patients) == (10, 8)
    assert outcome.statistic == pytest.approx(-sum((SHIFT | change)[k] for k in LOW) / 2)


def test_patients_that_disagree_decide_nothing():
    part = scored(SHIFT, EIGHT)
    one = part["scores"]["patient"].isin(["A", "B"]) & (part["scores"]["method"] == "stnet")
    part["scores"].loc[one, "pcc"] = 0.9
    outcomes = decide_all(FINDINGS, part).values()
    assert [outcome.verdict for outcome in outcomes] == [Verdict.UNDECIDED] * 2


def test_a_claim_takes_all_its_methods_and_six_patients():
    without = {name: more for name, more in SHIFT.items() if name != "deepspace"}
    assert verdicts(scored(without, EIGHT)) == [Verdict.UNDECIDED] * 2
    assert verdicts(scored(SHIFT, "AAABBBCC")) == [Verdict.UNDECIDED] * 2
    preliminary = scored(SHIFT, EIGHT)
    preliminary["criterion"].loc[1, "result"] = False
    ranking, low = decide_all(FINDINGS, preliminary).values()
    assert ranking.limits == ("BLEEP is below the minimum training criterion",)
    assert (ranking.verdict, low.verdict) == (Verdict.UNDECIDED, Verdict.REPRODUCED)


def test_the_share_is_over_learnable_genes_and_the_same_sections():
    sections, genes = ["S1", "S1", "S1", "S2"], ["a", "b", "c", "a"]
    truth = pd.DataFrame(
        {
            "section": sections,
            "gene": genes,
            "image_attainable": [0.8, 0.4, 0.0, 0.4],
            "learnable": [True, True, False, True],
        }
    )
    table = pd.DataFrame(
        {"method": "m", "section": sections, "gene": genes, "pcc": [0.4, 0.3, 0.9, np.nan]}
    )
    rows = reached(table, truth).set_index("gene")
    assert rows["pcc"].to_dict() == {"a": 0.4, "b": 0.3}
    attainable = {"a": 0.8, "b": 0.4}  # section S2 has no PCC, so it counts on neither side
    assert rows["image_attainable"].to_dict() == attainable
    found = shares(reached(table, truth)).iloc[0]
    assert found["share"] == pytest.approx(0.35 / 0.6) and found["reached"]
    assert not shares(reached(table.assign(pcc=table["pcc"] / 2), truth)).iloc[0]["reached"]
