"""Chapter 2: rows as published, and BLEEP towards its enlarged genes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.id_loocv import bleep_genes, published_rows
from compendium.chapters.id_loocv.design import design as plan_chapter
from compendium.chapters.id_loocv.results import first_filled, tables
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Fitted, compute
from compendium.evaluation.results import Results
from conftest import tiny_section

SECTIONS = [
    *(tiny_section(name, px=224, spots=60, labelled=True) for name in ("S1", "S2")),
    tiny_section("S3", patient="P2", px=224, spots=60, labelled=True),
]  # more spots than the 50 that BLEEP averages
PANEL = "markers_12+hvg_769+hvg(300)"


@pytest.fixture
def plan(home, monkeypatch):
    """Plan the chapter on tiny sections, with some parameters changed."""
    monkeypatch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
    monkeypatch.setattr("compendium.chapters.id_loocv.design.placed", lambda *_: SECTIONS)

    def planned(methods=("histogene", "hist2st", "bleep"), seeds=2, **changed):
        stated = {"panel": PANEL, "encoder": "colour", "weights": "", "budget": "laptop", "seed": 0}
        draws = {"spot": 0, "section": 0}
        return plan_chapter("demo", None, methods, draws, seeds, **stated | changed)

    return planned


def test_rows_as_published_have_size_genes_and_epochs_of_the_paper(plan):
    groups = plan(as_published=["histogene", "hist2st"]).groups
    stated = {
        key: (run.encoder, run.panel, run.target, run.tile_px, run.lr, run.epochs, run.steps)
        for key, run in groups["published"]
    }
    assert stated == {
        "histogene": ("own", "hvg_769", "scprep", 112, 1e-5, 100, 0),
        "hist2st": ("own", "hvg_769", "scprep", 112, 1e-5, 350, 0),
    }
    for _, run in groups["published"]:
        size = dict(run.model)
        assert (run.protocol, run.budget, size["width"], size["layers"]) == (
            "published",
            "full",
            1024,
            8,
        )
    folds = [(key, run.split.name, run.seed) for key, run in groups["published"]]
    assert folds == [
        (key, f"section-out-{name}", 0)
        for name in ("S1", "S2", "S3")
        for key in ("histogene", "hist2st")
    ], "one seed"
    control = [(key, run.split.name, run.permute) for key, run in groups["published permuted"]]
    assert control == [(key, "section-out-S1", True) for key in ("histogene", "hist2st")]


def test_epochs_of_rows_as_published_can_be_given(plan):
    groups = plan(as_published=["hist2st"], published_epochs=100).groups
    runs = [run for group in ("published", "published permuted") for _, run in groups[group]]
    assert len(runs) == 4 and {(run.epochs, run.lr_every) for run in runs} == {(100, 50)}


def test_further_rows_change_no_other_run(plan):
    without = plan().groups
    further = plan(as_published=["histogene"], enlarged=1000).groups
    assert not without["published"] and not without["published permuted"]
    assert not without["enlarged"]
    for group in ("fits", "matched", "permuted"):
        assert further[group] == without[group]


def test_the_panel_of_rows_as_published_is_a_published_list():
    assert published_rows.published_part("markers_12+hvg_685+hvg(300)") == "hvg_685"
    assert published_rows.published_part("hvg(300)") == "hvg(300)"


def test_rows_as_published_stand_beside_the_others(plan):
    design = plan(["colour", "histogene"], panel="all", budget="smoke", as_published=["histogene"])
    results = compute(design, tables, "cpu")
    assert results["enlarged"].empty
    rows = results["published"]
    own, other, control = published_rows.KINDS.values()
    held = rows.groupby("kind", sort=False)["section"].agg(list).to_dict()
    assert held == {
        "as published": ["S1", "S2", "S3"],
        "as in the other rows": ["S1", "S2", "S3"],
        "as published, permuted images": ["S1"],
    }
    assert set(rows["method"]) == {"histogene"} and set(rows["values"]) == {12}
    scores = results["scores"].query("method == 'histogene' and split == 'section-out'")
    medians = scores.groupby("section")["pcc_pearson"].median()
    beside = rows[rows["kind"] == "as in the other rows"].set_index("section")
    assert beside["pcc_pearson"].to_dict() == pytest.approx(medians.to_dict())
    sizes = rows.groupby("kind")["parameters"].first()
    assert sizes["as published"] > 10 * sizes["as in the other rows"], "tiles, not six colours"
    printed = published_rows.beside(rows)
    assert printed[["sections", "row"]].to_numpy().tolist() == [
        ["all 3", "as published"],
        ["all 3", "as in the other rows"],
        ["S1", "as published"],
        ["S1", "as in the other rows"],
        ["S1", "as published, permuted images"],
    ]
    means = rows.groupby("kind")["median"].mean()
    assert printed["PCC (wide)"][0] == pytest.approx(means["as published"])
    first = rows.loc[(rows["kind"] == own) & (rows["section"] == "S1"), "median"]
    assert printed["PCC (wide)"][2] == pytest.approx(first.item())
    drawn = {trace.name: len(trace.x) for trace in published_rows.figure(rows).data}
    assert drawn == {own: 3, other: 3, control: 1}


def test_bleep_towards_more_genes_is_scored_on_the_panel(plan):
    stated = {"panel": "hvg(4)", "budget": "smoke", "enlarged": 6}
    design = plan(["colour", "bleep"], **stated)
    assert {run.panel for _, run in design.groups["enlarged"]} == {"hvg_union(6)+hvg(4)"}
    assert [(run.split, run.seed) for _, run in design.groups["enlarged"]] == [
        (run.split, run.seed) for key, run in design.groups["fits"] if key == "bleep"
    ]
    results = compute(design, tables, "cpu")
    assert results["published"].empty
    rows = results["enlarged"]
    assert set(rows["panel"]) == {"hvg(4)"}
    assert rows.groupby("split")["section"].agg(list).to_dict() == {
        "patient-out": ["S1", "S2"],
        "section-out": ["S1", "S2", "S3"],
    }
    assert (rows["genes"] <= 4).all() and (rows["trained"] >= 6).all()
    alone = results["scores"].query("method == 'bleep'")
    medians = alone.groupby(["split", "section"])["pcc"].median()
    complete = rows[rows["genes"] == 4].set_index(["split", "section"])["pcc_alone"]
    assert len(complete) and complete.to_dict() == pytest.approx(medians[complete.index].to_dict())


@dataclass(frozen=True)
class Scored(Fitted):
    """Fits whose scores are known."""

    def scores(self, sections):
        names = "row fold split section patient seed gene pcc pcc_pearson panels".split()
        return pd.DataFrame(self.jobs, columns=names)


def scored(pccs: dict[str, tuple[float, str]]) -> Scored:
    """Fits whose scores are given by gene, with the parts of the panel that have it."""
    rows = [
        ("bleep", "f", "section-out", "S1", "P1", 0, gene, pcc, pcc / 2, panels)
        for gene, (pcc, panels) in pccs.items()
    ]
    return Scored(rows, rows)


def test_enlarged_and_plain_are_compared_on_the_same_genes_of_each_part():
    alone = scored({"a": (0.2, "m"), "b": (0.4, "m+v"), "c": (0.6, "v"), "d": (np.nan, "v")})
    large = {"a": (0.3, "u+m"), "b": (0.4, "m+v"), "c": (np.nan, "u+v"), "d": (0.9, "v")}
    rows = bleep_genes.table(alone, scored(large | {"x": (0.9, "u")}), []).set_index("panel")
    assert rows["trained"].to_dict() == {"m": 5, "v": 5}
    assert rows["genes"].to_dict() == {"m": 2, "v": 1}
    assert rows["pcc_alone"].to_dict() == pytest.approx({"m": 0.3, "v": 0.4})
    assert rows["pcc_enlarged"].to_dict() == pytest.approx({"m": 0.35, "v": 0.4})
    assert rows["pcc_pearson_difference"].to_dict() == pytest.approx({"m": 0.025, "v": 0.0})
    shown = bleep_genes.printed(rows.reset_index()).iloc[0]
    assert shown["PCC (wide), difference"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"as_published": ["ridge"]}, "as_published names ridge"),
        ({"methods": ["colour"], "enlarged": 9}, "enlarged=9 is for bleep; add it to methods"),
        ({"panel": "all", "enlarged": 9}, "adds no gene to panel=all"),
    ],
)
def test_further_rows_that_cannot_be_are_refused(plan, changed, message):
    with pytest.raises(BadInput, match=message):
        plan(**changed)


def test_a_page_draws_the_first_table_that_has_rows():
    empty, filled = Results({"t": pd.DataFrame()}, {}), Results({"t": pd.DataFrame({"a": [1]})}, {})
    assert first_filled("t", (empty, "here"), (filled, "kept"))[1] == "kept"
    assert first_filled("t", (filled, "here"), (filled, "kept"))[1] == "here"
    assert first_filled("other", (empty, "here"), (filled, "kept"))[0].empty
