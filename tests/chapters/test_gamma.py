"""The sweep over gamma, what is said of it, and the verdict: each follows from the rows."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.regclass.gamma import claims, no_better, sweep, told_apart
from compendium.evaluation.results import Results
from compendium.evaluation.scores import scores
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED
from compendium.runs import execute, plan_runs
from conftest import tiny_section

SECTIONS = [tiny_section("S1", labelled=True), tiny_section("S2", patient="P2", labelled=True)]


def test_one_row_a_run_and_test_section(home):
    words = {"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32}
    runs = [
        *plan_runs("tiny", SECTIONS, ["section-out"], ["hist2st"], **words),
        *plan_runs(
            "tiny", SECTIONS, ["section-out"], ["regclass"], gamma=10.0, permute=True, **words
        ),
    ]
    records = execute(runs, SECTIONS, device="cpu")
    rows = sweep(runs, records, SECTIONS)
    assert rows["section"].tolist() == ["S1", "S2"] * 2
    assert np.isnan(rows["gamma"][:2]).all() and rows["gamma"][2:].tolist() == [10, 10]
    assert rows["permuted"].tolist() == [False, False, True, True]
    assert rows["f1"].isna().tolist() == [True, True, False, False]
    assert rows["pcc"][1] == scores(runs[1:2], records[1:2], SECTIONS)["pcc"].median()
    assert rows["spots"].dropna().tolist() == [24, 24]


def swept(**pcc: list[float]) -> pd.DataFrame:
    """Rows of tests of as many sections and patients; the words are Hist2ST and g0, g1, ..."""
    gammas = {name: np.nan if name == "hist2st" else float(name[1:]) for name in pcc}
    return pd.DataFrame(
        [
            {
                "gamma": gammas[name],
                "section": f"S{i}",
                "patient": f"P{i}",
                "split": "s",
                "pcc": value,
            }
            for name, values in pcc.items()
            for i, value in enumerate(values)
        ]
    )


def test_a_gain_is_one_that_exceeds_what_chance_moves():
    rows = swept(
        hist2st=[0.20, 0.22, 0.2],
        g0=[0.19, 0.21, 0.19],
        g1=[0.195, 0.205, 0.19],
        g10=[0.25, 0.24, 0.25],
    )
    gained = no_better(rows)
    assert (
        gained.verdict == FAILS
        and "at γ = 1 by +0.000 on average (higher in 1 of 3 tests)" in gained.why
    )
    assert (
        "at γ = 10 by +0.050 on average (higher in 3 of 3 tests)" in gained.why
        and "lie 0.010 apart on average: γ = 10 gains more than that" in gained.why
    )
    assert (
        no_better(swept(hist2st=[0.3, 0.1, 0.3], g0=[0.19, 0.19, 0.19], g1=[0.1, 0.1, 0.1])).verdict
        == HOLDS
    )
    assert (
        no_better(swept(hist2st=[0.2] * 3, g0=[0.2] * 3, g1=[0.1, 0.3, 0.3])).verdict == UNDECIDED
    ), "it gains, and not everywhere"
    assert (
        no_better(rows.assign(patient="P1")).why.startswith(
            "3 sections of 1 patient cannot decide."
        )
        and no_better(rows, ["γ = 1"]).verdict == UNDECIDED
    )
    assert "cannot be said" in no_better(swept(hist2st=[0.2], g1=[0.3])).why


def judged(
    f1: list[float], auc: list[float], labels_from: str = "", always: float = 0.5
) -> pd.DataFrame:
    names = [f"{labels_from}S{i}" for i in range(len(f1))]
    return pd.DataFrame(
        {
            "section": names,
            "patient": names,
            "cancer_f1": f1,
            "cancer_auc": auc,
            "labels_from": labels_from,
            "always_f1": always,
        }
    )


def test_the_verdict_needs_labels_of_the_section_itself():
    good, bad = [0.9, 0.9, 0.9], [0.9, 0.7, 0.7]
    assert [
        told_apart(judged(*pair)).verdict for pair in ((good, good), (good, bad), (bad, good))
    ] == [HOLDS, FAILS, FAILS]
    assert told_apart(judged(good, good, "C1")).verdict == UNDECIDED
    assert told_apart(judged(good, good), ["Regclass"]).told.startswith(
        "Undecided here. Below the floor of a result: Regclass."
    )
    mixed = pd.concat([judged(good, good), judged([0.1] * 4, [0.1] * 4, "C1")])
    assert (told_apart(mixed).verdict, told_apart(mixed).sections) == (HOLDS, 3)
    assert told_apart(mixed[1:]).why.startswith("2 sections of 2 patients cannot decide.")


@pytest.mark.parametrize(("always", "number"), [(0.9, 3), (0.5, 0)])
def test_the_reason_counts_what_it_says(always, number):
    told = told_apart(judged([0.9, 0.9, 0.7], [0.9, 0.7, 0.9], "C1", always)).why
    assert (
        f"In 1 of 3 tests both F1 and AUC of cancer exceed 0.8, in 2 AUC does; always answering cancer has an F1 above 0.8 in {number}."
        in told
    )
    assert "carried over" in told


@pytest.mark.parametrize(
    ("twin", "smoke", "said"),
    [
        (0.1, [], [HOLDS, HOLDS]),
        (0.3, [], [UNDECIDED, HOLDS]),
        (0.1, ["Hist2ST on frozen features"], [UNDECIDED, HOLDS]),
        (0.1, ["Regclass on frozen features"], [UNDECIDED] * 2),
    ],
)
def test_claims_ask_for_a_result(twin, smoke, said):
    """Regclass that is no better than its twin says nothing of expression; a Hist2ST below the floor says nothing against the classes."""
    rows = swept(hist2st=[0.2] * 3, g0=[0.2] * 3, g1=[0.2] * 3)
    rows = pd.concat(
        [rows.assign(permuted=False), rows[rows["gamma"] == 1].assign(permuted=True, pcc=twin)]
    )
    classes = judged([0.9] * 3, [0.9] * 3).drop(columns=["section", "patient"]).iloc[0].to_dict()
    found = Results(
        {"sweep": rows.assign(**classes)}, {"smoke": smoke, "parameters": {"gamma": 1.0}}
    )
    assert [claim.verdict for claim in claims(found).values()] == said
