"""Chapter 7: its rows, its tables on tiny sections, its claim, what is left out."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.encoders.design import (
    COMPARISONS,
    design,
    left_out,
    rows,
    weights_files,
)
from compendium.chapters.encoders.figures import gene_boxes
from compendium.chapters.encoders.findings import FINDINGS
from compendium.chapters.encoders.results import compared, per_gene, tables
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Row, compute, one_patient_jobs, permuted_controls
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from compendium.images.encoders import FROZEN
from compendium.plots.dots import paired
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1"),
    tiny_section("S2", patient="P2"),
    tiny_section("S3", patient="P3"),
    tiny_section("S4", patient="P3"),
]
ROWS = {row.key: row for row in rows({}, 4)}


def scored(
    shift: dict[str, float], preliminary: tuple[str, ...] = (), patients: int = 3, fits: int = 1
) -> Results:
    """Return results of every row on some genes, those of a row moved by its shift."""
    rng = np.random.default_rng(0)
    base = pd.DataFrame(
        [
            {"section": f"S{i}", "patient": f"P{i}", "fold": fold, "gene": g}
            | {"pcc": rng.uniform(-0.2, 0.4)}
            for i in range(patients)
            for fold in range(fits)
            for g in "ABCDE"
        ]
    )
    each = [base.assign(row=key, pcc=base["pcc"] + shift.get(key, 0.0)) for key in ROWS]
    criterion = pd.DataFrame(
        {"row": list(ROWS), "result": [key not in preliminary for key in ROWS]}
    )
    return Results(
        {"scores": pd.concat(each), "criterion": criterion}, {"others": [], "titles": {}}
    )


def test_rows_of_a_comparison_differ_in_what_their_title_says():
    stated = {key: dict(row.parameters) for key, row in ROWS.items()}
    assert stated["frozen-random"] == stated["frozen"] | {"weights": "random"}
    assert stated["frozen-raw"] == stated["frozen"] | {"scale": "0-255"}
    assert stated["tuned-random"] == stated["tuned"] | {"weights": "random"}
    assert stated["tuned"]["steps"] == 4 and "steps" not in stated["frozen"]
    assert stated["ridge"] == stated["frozen"] | {"method": "ridge"}
    assert {key for pair in COMPARISONS for key in (pair.first, pair.second)} <= set(stated)
    others = rows({"swin_tiny_patch4_window7_224.ms_in1k": "f.pth"}, 40)
    swin = next(row for row in others if row.key.startswith("swin"))
    assert swin.title == "swin_tiny_patch4_window7_224 frozen, tiles of 224 px"
    assert (swin.parameters["tile_px"], swin.parameters["weights"]) == (224, "f.pth")


def test_runs_train_on_one_patient_and_every_trained_row_has_a_control():
    jobs = {
        key: one_patient_jobs(row, "tiny", SECTIONS, ["P3"], panel="all")
        for key, row in ROWS.items()
    }
    runs = {key: run for key, ((_, run),) in jobs.items()}
    folds = {(run.split.train, run.split.test) for run in runs.values()}
    assert folds == {(("S3", "S4"), ("S1", "S2"))}
    controls = permuted_controls(list(runs.items()))
    assert [key for key, _ in controls] == [key for key in ROWS if not key.startswith("ridge")]
    assert all(run.permute for _, run in controls)
    with pytest.raises(BadInput, match="patient P9 has no section here; patients are P1, P2, P3"):
        one_patient_jobs(ROWS["ridge"], "tiny", SECTIONS, ["P9"], panel="all")


def test_results_hold_all_that_the_page_draws(home, monkeypatch):
    some = [
        Row(key, ROWS[key].title, ROWS[key].parameters | {"encoder": "colour", "tile_px": 32})
        for key in ("frozen", "ridge")
    ]
    monkeypatch.setattr("compendium.chapters.encoders.design.rows", lambda *_: some)
    monkeypatch.setattr(comparison, "placed", lambda *_: SECTIONS)
    monkeypatch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
    planned = design(
        "demo", None, ["P3"], [], ["resnet999"], [], 1, panel="all", budget="smoke", seed=0
    )
    assert planned.table()["row"].tolist() == ["frozen", "ridge"]
    results = compute(planned, tables, "cpu")
    assert results["scores"].groupby("row").size().to_dict() == {"frozen": 24, "ridge": 24}
    assert results["scores"]["section"].unique().tolist() == ["S1", "S2"]
    assert list(results.facts["left_out"]) == ["resnet999"]
    assert (results.facts["others"], results.facts["trained_on"]) == ([], "P3")
    assert results["criterion"]["result"].tolist() == [False, True]
    assert results["cost"]["row"].tolist() == ["frozen", "ridge"]


@pytest.mark.parametrize(
    ("shift", "preliminary", "patients", "fits", "expected"),
    [
        (-0.1, (), 8, 8, [Verdict.REPRODUCED] * 5),
        (0.1, (), 8, 8, [Verdict.NOT_REPRODUCED] * 5),
        (-0.1, ("tuned",), 8, 8, [*[Verdict.REPRODUCED] * 3, Verdict.UNDECIDED, "reproduced"]),
        (-0.1, (), 8, 2, [Verdict.UNDECIDED] * 5),
        (-0.1, (), 5, 8, [Verdict.UNDECIDED] * 5),
        (-0.1, (), 7, 7, [Verdict.NO_VERDICT] * 5),
    ],
)
def test_the_five_comparisons_are_one_family(shift, preliminary, patients, fits, expected):
    shifts = {pair.first: shift for pair in COMPARISONS[:5]}
    outcomes = decide_all(FINDINGS, scored(shifts, preliminary, patients, fits))
    assert [outcome.verdict for outcome in outcomes.values()] == expected
    assert {outcome.patients for outcome in outcomes.values()} == {patients}
    assert [each.statistic for each in outcomes.values()] == [pytest.approx(-shift)] * 5


def test_encoders_without_weights_are_left_out_with_the_reason(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda source, file: None)
    absent = left_out([FROZEN, "resnet50.tv_in1k", "resnet999"], {})
    assert list(absent) == ["resnet50.tv_in1k", "resnet999"]
    assert "not here" in absent["resnet50.tv_in1k"] and "unknown encoder" in absent["resnet999"]
    assert weights_files(["a.b=/x/y=z.pth"]) == {"a.b": "/x/y=z.pth"}
    with pytest.raises(BadInput, match="NAME=FILE"):
        weights_files(["/x/y.pth"])


def test_figures_show_every_row_once_and_mark_preliminary_ones():
    results, titles = scored({"ridge": 0.3}), {row.key: row.title for row in ROWS.values()}
    genes = per_gene(results["scores"])
    assert len(genes) == len(ROWS) * 5 and (genes["sections"] == 3).all()
    fig = gene_boxes(genes, titles, {"tuned"})
    drawn = [
        [x for x, y in zip(box.x, box.median, strict=True) if np.isfinite(y)] for box in fig.data
    ]
    assert sorted(sum(drawn, [])) == sorted(titles.values()) and drawn[1] == ["Lite0 tuned"]
    assert list(fig.data[0].x) == list(titles.values()), "rows stand in their order"
    apart, described = compared(results)
    assert described["comparison"].tolist() == [pair.title for pair in COMPARISONS]
    assert sum(len(trace.x) for trace in paired(apart).data) == len(apart) == 3 * len(COMPARISONS)
