"""The real cohort from raw files to scores: what the data hold, and the controls.

The controls are on the five sections with images. The expected numbers come from an independent
check on the same five sections, the 769 published genes and ln(1 + 1e4 count / total), made apart
from this code. As section medians of C2 to C5 it found about .14 to .18 for ridge on frozen
EfficientNet-Lite0 features with sections of the patient in training and .09 to .11 with B4 alone,
.17 to .20 for six colour numbers, and no gap left where both training sets were cut to equal spots
and equal depth; it chose one penalty for all genes. A penalty for each gene, chosen by leaving out
sections, adds about .02 for colours. The bounds leave room for details that the
check does not fix, not for another result.
"""

import contextlib
import io

import pandas as pd
import pytest

from compendium.__main__ import main
from compendium.chapters.data_review import sections as review
from compendium.chapters.id_loocv.matched_sets import COMPARED, four_columns, gaps, paired
from compendium.data.panels import published
from compendium.data.prepare import one_by_one, open_sections, prepared_names
from compendium.data.sources import cohort, raw_folder
from compendium.evaluation.comparison import placed
from compendium.evaluation.scores import scores, summary
from compendium.runs import execute, plan_runs
from compendium.storage import resource

pytestmark = pytest.mark.slow

IMAGED = ["B4", "C2", "C3", "C4", "C5"]
MANY = [
    "C2",
    "C3",
    "C4",
    "C5",
]  # with B4 the only other section, these have sections of their patient to train on


@pytest.fixture(scope="module")
def prepared(her2st, tmp_path_factory):
    """What `compendium prepare her2st` prints for all 36 sections.

    They lie in a home of this module's own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("controls")))
        raw = raw_folder("her2st")
        raw.parent.mkdir(parents=True)
        raw.symlink_to(her2st, target_is_directory=True)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert main(["prepare", "her2st"]) == 0
        yield printed.getvalue().splitlines()


@pytest.fixture(scope="module")
def controls(prepared) -> pd.DataFrame:
    """Scores on C2 to C5 of ridge under every split, and on B4 of ridge.

    Of colour with one section left out.
    """
    five = open_sections("her2st", IMAGED)
    words = {"panel": "hvg_769", "target": "wide"}
    section_out = plan_runs("her2st", five, ["section-out"], ["colour"], **words)
    runs = plan_runs("her2st", five, list(COMPARED), ["ridge"], **words) + [
        run for run in section_out if run.split.test != ("B4",)
    ]
    return scores(runs, execute(runs, five, device="cpu"), five)


def medians(controls: pd.DataFrame, method: str, split: str) -> dict[str, float]:
    """Section -> median PCC over the genes, for C2 to C5."""
    rows = summary(
        controls[(controls["method"] == method) & (controls["split"] == split)], ("section",)
    ).set_index("section")
    return rows.loc[MANY, "median"].to_dict()


def outside(found: dict[str, float], low: float, high: float) -> dict[str, float]:
    """The sections whose median is not within the bounds."""
    return {section: value for section, value in found.items() if not low <= value <= high}


def test_the_command_line_prepares_every_counted_section(prepared):
    sections = list(one_by_one("her2st", prepared_names("her2st")))
    assert [section.name for section in sections] == list(cohort("her2st").sections)
    assert prepared[:-1] == [repr(section) for section in sections]
    assert cohort("her2st").licence in prepared[-1] and cohort("her2st").attribution in prepared[-1]
    assert [section.name for section in sections if section.stored_tiles is not None] == IMAGED
    numbers = review.section_numbers(sections)
    assert (len(numbers), numbers["patient"].nunique(), numbers["spots"].sum()) == (36, 8, 13_620)


def test_the_genes_of_all_36_sections_are_the_published_list(prepared):
    shared = review.shared_genes(one_by_one("her2st", prepared_names("her2st")))
    assert len(shared) == 11_871
    assert set(shared) == set(resource("genes/her2_common_11871.txt").read_text().split())


def test_21_pairs_of_section_and_gene_do_not_vary_and_are_not_scored(prepared, controls):
    pairs = review.constant_pairs(
        one_by_one("her2st", prepared_names("her2st")), list(published("hvg_769"))
    )
    assert len(pairs) == 21
    assert pairs[pairs["section"] == "B4"]["gene"].tolist() == ["DKK1", "HOXB7"]
    rows = controls.query("section == 'B4' and method == 'ridge' and split == 'section-out'")
    assert {"DKK1", "HOXB7"} < set(rows[rows["pcc"].isna()]["gene"]), "and genes given their mean"
    assert len(rows) == 769


def test_controls_with_sections_of_the_patient_in_training(controls):
    assert outside(medians(controls, "ridge", "section-out"), 0.12, 0.20) == {}
    assert outside(medians(controls, "colour", "section-out"), 0.165, 0.22) == {}


def test_frozen_features_lose_when_the_patient_is_left_out(controls):
    kept, lost = (
        medians(controls, "ridge", "section-out"),
        medians(controls, "ridge", "patient-out"),
    )
    assert outside(lost, 0.07, 0.12) == {}
    assert all(lost[section] < kept[section] for section in MANY)


def test_equal_spots_and_depth_remove_most_of_the_gap(controls):
    ridge, sections = controls[controls["method"] == "ridge"], placed("her2st", IMAGED)
    table = gaps(four_columns(ridge, sections), paired(ridge, sections)).set_index("patient")
    assert table["sections"].to_dict() == {"B": 1, "C": 4}
    assert table.loc["B", "section-out"] == table.loc["B", "patient-out"]
    assert table.loc["C", "gap"] > 0.04
    assert table.loc["C", "matched_gap"] < table.loc["C", "gap"] / 3
