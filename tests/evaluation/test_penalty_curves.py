"""Test PCC over the grid of penalties: at the chosen ones it is that of the fitted method."""

import numpy as np
import pandas as pd
import pytest

from compendium.chapters.id_loocv.figures import penalty_curves as figure
from compendium.evaluation.penalty_curves import over_genes, penalty_curves
from compendium.evaluation.scores import scores
from compendium.methods.ridge_path import PENALTIES
from compendium.runs import execute, plan_runs
from conftest import tiny_section

SECTIONS = [tiny_section(f"S{i}", patient=f"P{min(i, 2)}") for i in (1, 2, 3)]
WORDS = {"panel": "all", "target": "log1p", "tile_px": 32}


@pytest.fixture
def curves(home) -> pd.DataFrame:
    runs = plan_runs("tiny", SECTIONS, ["section-out", "patient-out"], ["colour"], **WORDS)
    return penalty_curves(runs, SECTIONS)


def test_the_chosen_penalty_scores_as_the_fitted_method(curves):
    runs = plan_runs("tiny", SECTIONS, ["section-out"], ["colour"], **WORDS)
    fitted = scores(runs, execute(runs, SECTIONS, device="cpu"), SECTIONS)
    taken = curves[curves["chosen"] & (curves["split"] == "section-out")]
    both = taken.merge(fitted[["section", "gene", "pcc"]], on=["section", "gene"])
    assert len(both) == len(SECTIONS) * 12 == len(fitted)
    edge = both["penalty"] == PENALTIES[-1]
    assert 0 < edge.sum() < len(both)
    np.testing.assert_allclose(both["pcc_x"][~edge], both["pcc_y"][~edge], atol=1e-4)
    assert both["pcc_y"][edge].isna().all()


def test_means_are_over_genes_then_sections():
    rows = [
        (section, gene, penalty, value, penalty == taken)
        for section, values in (("S1", (0.2, 0.4)), ("S2", (0.6, 0.8)))
        for gene, taken, value in (("A", 1.0, values[0]), ("B", PENALTIES[-1], values[1]))
        for penalty in (1.0, PENALTIES[-1])
    ]
    table = pd.DataFrame(rows, columns=["section", "gene", "penalty", "pcc", "chosen"])
    found = over_genes(table.assign(method="ridge", split="section-out"))
    assert found["pcc"].tolist() == pytest.approx([0.5, 0.5])
    assert found["share"].tolist() == [0.5, 0.5]
    assert found["reached"].tolist() == pytest.approx([0.4, 0.4])
    assert found["missing"].tolist() == [0.5, 0.5]


def test_the_figure_has_a_curve_and_shares_a_method_and_split(curves):
    rows = over_genes(curves)
    fig = figure(rows, {"colour": "Six colour numbers"})
    assert len(fig.data) == 3 * rows["split"].nunique() == 6
    assert all(len(trace.x) == len(PENALTIES) for trace in fig.data)
    for curve, reached, share in zip(*(fig.data[i::3] for i in range(3)), strict=True):
        assert curve.line.dash is None and reached.line.dash == "dot"
        assert len(set(reached.y)) == 1
        assert sum(share.y) == pytest.approx(1)
