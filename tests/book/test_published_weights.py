"""Weights are published of ridge, BLEEP and the head that is best in validation."""

import logging
from pathlib import Path

import pandas as pd

from compendium.__main__ import main
from compendium.book.run import weights as publishing
from compendium.data.prepare import open_sections
from compendium.data.splits import Split
from compendium.evaluation.comparison import Design, Fitted
from compendium.runs import execute, plan_run, published, weights
from compendium.runs.store import Record
from compendium.storage import resource
from conftest import tiny_section

SECTIONS = [tiny_section(name, px=224) for name in ("S1", "S2", "S3")]
ROLES = {"S1": "training", "S2": "validation", "S3": "test"}
SPLIT = Split("section-out", ("S1",), (), ("S2", "S3"), "sections S2, S3")


def planned(*methods: str) -> Design:
    given = {"panel": "all", "encoder": "colour", "budget": "smoke", "sections": SECTIONS}
    jobs = [(name, plan_run("demo", SPLIT, name, **given)) for name in methods]
    return Design("demo", SECTIONS, {"fits": jobs}, "clean", {"roles": ROLES}, weighed="fits")


def made_up(scores: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Scores of one gene in validation and in test."""
    lines = [
        (key, section, value)
        for key, values in scores.items()
        for section, value in zip(("S2", "S3"), values, strict=True)
    ]
    table = pd.DataFrame(lines, columns=["method", "section", "pcc"])
    return table.assign(row=table["method"], fold="fold", gene="G1")


def test_the_best_head_is_chosen_in_validation_and_not_in_test(monkeypatch):
    design = planned("colour", "ridge", "stimage", "stnet", "bleep")
    scored = made_up({"stnet": (0.3, 0.1), "stimage": (0.2, 0.9)})
    monkeypatch.setattr(Fitted, "scores", lambda *_: scored)
    jobs = design.groups["fits"]
    fits = Fitted(jobs, [Record(Path(), {}, [], {})] * len(jobs))
    chosen = publishing.chosen(design, fits, SECTIONS)
    assert [run.method for run in chosen] == ["ridge", "bleep", "stnet"]


def test_they_are_written_once_and_again_where_they_are_damaged(home, tmp_path):
    design = planned("ridge", "bleep")
    jobs = design.groups["fits"]
    fits = Fitted(jobs, execute([run for _, run in jobs], SECTIONS, device="cpu"))
    paths = [published.folder(tmp_path, run, SECTIONS) / published.WEIGHTS for _, run in jobs]
    assert publishing.publish(tmp_path, design, fits, SECTIONS) == [], "of published runs only"
    for path in paths:
        path.parent.mkdir(parents=True)
    assert publishing.publish(tmp_path, design, fits, SECTIONS) == paths
    assert publishing.publish(tmp_path, design, fits, SECTIONS) == []
    for path, (_, _, record) in zip(paths, fits, strict=True):
        assert publishing.moved(path, record, SECTIONS) <= 0.01
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    assert publishing.publish(tmp_path, design, fits, SECTIONS) == paths[:1]


def test_weights_that_predict_something_else_are_left_out(home, tmp_path, monkeypatch, caplog):
    design = planned("bleep")
    run = design.groups["fits"][0][1]
    fits = Fitted(design.groups["fits"], execute([run], SECTIONS, device="cpu"))
    path = published.folder(tmp_path, run, SECTIONS) / published.WEIGHTS
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(publishing, "MOVED", -1.0)
    with caplog.at_level(logging.WARNING):
        assert publishing.publish(tmp_path, design, fits, SECTIONS) == []
    assert not path.exists() and "left out" in caplog.text


def test_published_weights_have_the_scores_of_their_fits(her2st, home):
    found = sorted((resource("reference") / published.RUNS).glob(f"*/*/*/*/{published.WEIGHTS}"))
    assert len(found) == 3
    names = ["B4", "C2", "C3", "C4", "C5"]
    assert main(["fetch", "her2st", "--from", str(her2st), "--sections", *names]) == 0
    assert main(["prepare", "her2st", "--sections", *names]) == 0
    sections = open_sections("her2st", names)
    for path in found:
        run = weights.read(path).run
        record = published.read(path.parent, run.seed)
        assert publishing.moved(path, record, sections) <= 0.003 + publishing.ROUNDED
