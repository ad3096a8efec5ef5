"""The encoder chapter: rows that differ in what they say, paired differences, verdicts, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.encoders.results import jobs, left_out, rows, twins, weights_files
from compendium.errors import BadInput
from compendium.evaluation.paired import (
    BETTER,
    SMOKE,
    UNDECIDED,
    WORSE,
    claim,
    claims,
    comparisons,
    differences,
    on_scale,
    told,
    verdict,
    verdicts,
)
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS
from compendium.images.encoders import FROZEN
from compendium.plots.paired import gene_boxes, highest, paired, per_gene
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1"),
    tiny_section("S2", patient="P2"),
    tiny_section("S3", patient="P3"),
    tiny_section("S4", patient="P3"),
]
COMPARED = comparisons([])
KEYS = [row.key for row in rows({}, 50, 50)]


def scored(shift: dict[str, float], sections=("S2", "S3", "S4"), folds=("a",)) -> pd.DataFrame:
    """Scores of every row on some genes, those of a row moved by its shift."""
    rng = np.random.default_rng(0)
    base = pd.DataFrame(
        [
            {"section": s, "patient": s[-1], "fold": f, "gene": g, "pcc": rng.uniform(-0.2, 0.4)}
            for s in sections
            for f in folds
            for g in "ABCDE"
        ]
    )
    return pd.concat(
        [base.assign(row=key, pcc=base["pcc"] + shift.get(key, 0.0)) for key in KEYS],
        ignore_index=True,
    )


APART = differences(scored({}), COMPARED)


def test_rows_of_a_comparison_differ_in_what_their_title_says():
    words = {row.key: dict(row.words) for row in rows({}, 50, 40)}
    assert words["frozen-random"] == words["frozen"] | {"weights": "random"} and words[
        "frozen-raw"
    ] == words["frozen"] | {"scale": "0-255"}
    assert (
        words["tuned-random"] == words["tuned"] | {"weights": "random"}
        and words["tuned"]["epochs"] == 40
    )
    assert words["ridge"] == words["frozen"] | {"method": "ridge"}
    assert {key for pair in COMPARED for key in (pair.first, pair.second)} <= set(words)
    assert [row.key for row in rows({}, 50, 40) if row.words.get("tuned")] == [
        "tuned",
        "tuned-random",
    ]
    swin = next(
        row
        for row in rows({"swin_tiny_patch4_window7_224.ms_in1k": "f.pth"}, 50, 40)
        if row.key.startswith("swin")
    )
    assert (swin.title, swin.words["tile_px"], swin.words["weights"]) == (
        "swin_tiny_patch4_window7_224 frozen, tiles of 224 px",
        224,
        "f.pth",
    )


def test_runs_train_on_one_patient_and_say_what_is_smoke():
    by_key = {row.key: row for row in rows({}, 50, 4)}
    found = {
        key: [run for _, run in jobs(row, "tiny", SECTIONS, ["P3"], panel="all")]
        for key, row in by_key.items()
    }
    assert all(
        [(run.split.train, run.split.test) for run in runs] == [(("S3", "S4"), ("S1", "S2"))]
        for runs in found.values()
    )
    assert {key for key, (run,) in found.items() if not run.result} == {"tuned", "tuned-random"}
    assert found["tuned"][0].title == "Hist2ST, tuned EfficientNet-Lite0"
    shuffled = twins([(key, run) for key, (run,) in found.items()])
    assert [key for key, _ in shuffled] == [
        key for key in KEYS if not key.startswith(("tuned", "ridge"))
    ]
    assert all(run.permute for _, run in shuffled)
    with pytest.raises(BadInput, match="patient P9 has no section here; patients are P1, P2, P3"):
        jobs(by_key["ridge"], "tiny", SECTIONS, ["P9"], panel="all")


def test_a_difference_is_of_the_same_genes_and_a_section_counts_once():
    table = scored({"frozen": 0.1}, folds=("a", "b"))
    gone = (table["row"] == "frozen") & (table["gene"] == "A") & (table["section"] == "S2")
    table.loc[gone, "pcc"] = np.nan
    found = differences(table, COMPARED)
    pair = found[found["comparison"] == "frozen: pre-trained − random start"].set_index("section")
    assert pair.index.tolist() == ["S2", "S3", "S4"]
    np.testing.assert_allclose(pair["difference"], 0.1)
    assert pair["genes"].to_dict() == {"S2": 4, "S3": 5, "S4": 5}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.1, 0.2, 0.1], BETTER),
        ([-0.1, -0.2, -0.1], WORSE),
        ([0.1, -0.2, 0.1], UNDECIDED),
        ([0.1, 0.1], UNDECIDED),
        ([0.1, 0.1, 0.0], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_a_verdict_takes_three_sections_that_agree(values, said):
    found = pd.DataFrame(
        {
            "section": [f"S{i}" for i in range(len(values))],
            "patient": [f"P{i // 2}" for i in range(len(values))],
            "difference": values,
        }
    )
    assert verdict(found) == said
    assert verdict(found.assign(patient="P1")) == UNDECIDED, (
        "sections of one patient are no witnesses of each other"
    )


@pytest.mark.parametrize(
    ("shift", "says"),
    [
        (dict.fromkeys(("frozen", "frozen-raw", "tuned", "ridge"), -0.1), HOLDS),
        (dict.fromkeys(("frozen", "frozen-raw", "tuned", "ridge"), 0.1), FAILS),
        ({"frozen": 0.1}, "undecided here"),
    ],
)
def test_the_claim_is_decided_where_all_comparisons_agree(shift, says):
    found = differences(scored(shift), COMPARED)
    assert claim(verdicts(found, COMPARED, set()), found).verdict == says


def test_a_claim_is_made_from_the_tables_of_its_chapter():
    floor = pd.DataFrame({"row": KEYS, "result": [key != "tuned" for key in KEYS]})
    said = claims(
        Results(
            {
                "scores": scored(dict.fromkeys(("frozen", "frozen-raw", "ridge"), -0.1)),
                "floor": floor,
            },
            {"others": []},
        )
    )["claim"]
    assert (said.verdict, said.sections, said.patients) == (HOLDS, 3, 3) and said.why.endswith(
        "Smoke, deciding nothing: 1."
    )


def test_smoke_decides_nothing():
    lines = verdicts(
        differences(
            scored(dict.fromkeys(("frozen", "frozen-raw", "tuned", "ridge"), 0.1)), COMPARED
        ),
        COMPARED,
        {"tuned"},
    )
    assert lines.loc[lines["verdict"] == SMOKE, "comparison"].tolist() == [
        "tuned: pre-trained − random start"
    ]
    assert (
        claim(lines, APART).why.startswith("Of 4 comparisons above the floor 0 are decided against")
        and "deciding nothing: 1." in claim(lines, APART).why
    )
    assert "frozen: pre-trained − random start, above 0 in all 3 sections" in told(
        lines
    ) and "tuned" not in told(lines)
    assert on_scale(lines).startswith(
        "Input scale: frozen pre-trained: normalised − 0–255, undecided over 3 sections"
    )
    assert claim(verdicts(APART, COMPARED, set(KEYS)), APART).verdict == "undecided here"


def test_what_is_not_there_is_left_out_with_the_reason(monkeypatch, tmp_path):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda source, file: None)
    absent = left_out([FROZEN, "resnet50.tv_in1k", "resnet999"], {})
    assert list(absent) == ["resnet50.tv_in1k", "resnet999"]
    assert "not here" in absent["resnet50.tv_in1k"] and "unknown encoder" in absent["resnet999"]
    assert weights_files(["a.b=/x/y=z.pth"]) == {"a.b": "/x/y=z.pth"}
    with pytest.raises(BadInput, match="NAME=FILE"):
        weights_files(["/x/y.pth"])


def test_figures_show_every_row_once_and_mark_smoke():
    genes, titles = (
        per_gene(scored({"ridge": 0.3})),
        {row.key: row.title for row in rows({}, 50, 50)},
    )
    assert len(genes) == len(KEYS) * 5 and (genes["sections"] == 3).all()
    fig = gene_boxes(genes, titles, {"tuned"})
    assert sorted(x for box in fig.data for x in box.x) == sorted(titles.values())
    assert list(fig.data[1].x) == ["Lite0 tuned"]
    assert highest(genes, titles).startswith("ridge on Lite0, ")
    found = differences(scored({}), COMPARED)
    drawn = paired(found)
    assert sum(len(trace.x) for trace in drawn.data) == len(found) == 3 * len(COMPARED)
