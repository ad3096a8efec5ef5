"""Studies over two cohorts at once, the benchmark's Visium sections.

They are made from small synthetic files that lie as the public ones do.
"""

from dataclasses import replace

import pytest

from compendium.chapters.data_review import design as data_review
from compendium.chapters.data_review.results import tables as review_tables
from compendium.chapters.encoders import design as encoders
from compendium.chapters.encoders.results import tables as encoder_tables
from compendium.chapters.gat import design as attention
from compendium.chapters.gat.results import tables as attention_tables
from compendium.chapters.id_loocv.design import design as plan_chapter
from compendium.chapters.id_loocv.results import tables
from compendium.chapters.regclass import design as regclass
from compendium.chapters.regclass.results import tables as class_tables
from compendium.chapters.transforms import design as transforms
from compendium.chapters.transforms.results import tables as transform_tables
from compendium.data.prepare import one_by_one, open_sections, prepare, prepared_names
from compendium.data.sources import cohort
from compendium.errors import BadInput
from compendium.evaluation.comparison import compute
from space_ranger import write_tenx, write_wu

BOTH, NAMES = "wu+tenx", ["CID4465", "FFPE", "block1", "CID4290"]
PARAMETERS = {"panel": "all", "encoder": "colour", "weights": "", "budget": "smoke", "seed": 0}
SHARED = 12  # genes that the synthetic files of both cohorts name


@pytest.fixture(scope="module", autouse=True)
def prepared(tmp_path_factory):
    """Two sections of each cohort, prepared; the runs of one test are found by the next."""
    root = tmp_path_factory.mktemp("visium")
    for name in ("CID4290", "CID4465"):
        write_wu(root / "wu", name)
    for name in ("block1", "FFPE"):
        write_tenx(root / "tenx", name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(root / "home"))
        for name in BOTH.split("+"):
            prepare(name, raw=root / name)
        yield


def test_sections_are_opened_as_they_are_named_each_from_its_cohort():
    assert prepared_names(BOTH) == ["CID4290", "CID4465", "block1", "FFPE"]
    for opened in (open_sections(BOTH, NAMES), list(one_by_one(BOTH, NAMES))):
        assert [(section.cohort, section.name) for section in opened] == [
            ("wu", "CID4465"),
            ("tenx", "FFPE"),
            ("tenx", "block1"),
            ("wu", "CID4290"),
        ]
    with pytest.raises(
        BadInput, match=r"no prepared section in .*: run compendium prepare tenx --sections block2"
    ):
        open_sections(BOTH, ["CID4290", "block2"])


def check_origin(found) -> None:
    """Check the data that results name."""
    assert found.facts["data"].startswith(f"{BOTH} ")


def test_the_data_review_counts_both_and_knows_what_the_benchmark_prints_of_them():
    found = compute(data_review.design(BOTH, NAMES, "", 8, 6), review_tables, "cpu")
    check_origin(found)
    assert (
        found["numbers"]["lab"].tolist() == ["Garvan Institute Sydney"] * 2 + ["10x Genomics"] * 2
    )
    table = found["table_1"].set_index("row")
    assert table.loc["printed", ["patients", "sections", "spots"]].tolist() == [9, 9, 26_759]
    assert table.loc["recomputed from 4 of 9 sections"].tolist() == [4, 4, 110, SHARED]
    assert (found.facts["panel"], found.facts["spot_um"], list(found.facts["sides"])) == (
        "hvg_685",
        55,
        NAMES,
    )
    assert found.facts["protocol"].endswith(", filtered spots: CID4290, CID4465")


def test_chapter_2_leaves_out_sections_of_both():
    design = plan_chapter(
        BOTH, NAMES, ["mean", "colour"], {"spot": 0}, 1, section="FFPE", **PARAMETERS
    )
    found = compute(design, tables, "cpu")
    check_origin(found)
    assert found["scores"].groupby("section")["gene"].nunique().to_dict() == dict.fromkeys(
        NAMES, SHARED
    )
    assert found.facts["attribution"] == f"{cohort('wu').attribution}; {cohort('tenx').attribution}"
    assert (
        len(found["tissue"]) == len(open_sections("tenx", ["FFPE"])[0])
        and found["attainable"].empty
    )
    assert set(found["within"]["section"]) == {"CID4465", "CID4290"}, "10x published no classes"


def test_transforms_are_learned_on_a_patient_of_one_and_tested_on_both():
    compared = (["ridge"], ["raw", "logcpm"], ["CID4290"])
    design = transforms.design(BOTH, NAMES, *compared, **PARAMETERS)
    found = compute(design, transform_tables, "cpu")
    check_origin(found)
    assert found["medians"].groupby("section")["scored_on"].nunique().to_dict() == dict.fromkeys(
        ["CID4465", "FFPE", "block1"], 2
    )


@pytest.mark.parametrize(("tested", "labelled"), [("CID4465", True), ("FFPE", False)])
def test_classes_are_learned_where_there_are_labels(tested, labelled):
    design = regclass.design(BOTH, NAMES, ["section-out"], [tested], [1.0], 1.0, 1, **PARAMETERS)
    found = compute(design, class_tables, "cpu")
    check_origin(found)
    assert found["labels"].set_index("section")["labels"].to_dict() == {
        "CID4465": "its own",
        "FFPE": "none",
        "block1": "none",
        "CID4290": "its own",
    }
    assert found["sweep"]["pcc"].notna().all() and found["transfer"].empty
    assert bool(found["confusion"]["spots"].sum()) is labelled


def test_encoders_are_compared_over_both(monkeypatch):
    rows = [row for row in encoders.rows({}, 1) if row.key == "ridge"]
    some = [replace(row, parameters=row.parameters | {"encoder": "colour"}) for row in rows]
    monkeypatch.setattr(encoders, "rows", lambda *_: some)
    trained = (["CID4290"], [], [], [], 1)
    design = encoders.design(BOTH, NAMES, *trained, panel="all", budget="smoke", seed=0)
    found = compute(design, encoder_tables, "cpu")
    check_origin(found)
    assert (
        set(found["scores"]["section"]) == {"CID4465", "FFPE", "block1"}
        and found.facts["trained_on"] == "CID4290"
    )


def test_graph_attention_is_fitted_on_one_and_tested_on_the_other():
    sections = ["CID4290", "block1"]
    design = attention.design(BOTH, sections, ["patient-out"], [], [8, 16], 1, **PARAMETERS)
    found = compute(design, attention_tables, "cpu")
    check_origin(found)
    assert found["scores"].groupby("row")["section"].nunique().to_dict() == dict.fromkeys(
        (row.key for row in attention.ROWS), 2
    )
