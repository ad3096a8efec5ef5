"""Windows against whole slides: the benchmark on small slides, its table, and the kept scores."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compendium.data.windows import windows
from compendium.evaluation.windows import ATTAINABLE, by_windows, read

BENCHMARK = runpy.run_path(str(Path(__file__).resolve().parents[2] / "benchmarks" / "windows.py"))
SMALL = BENCHMARK["Size"](
    pitch=900.0, axes=(3900.0, 4100.0), budget="smoke", encoder="colour", seeds=1
)


def test_slides_are_large_enough_for_windows_and_their_genes_follow_the_image():
    for name in ("V1", "V4"):
        section, visible = BENCHMARK["slide"](name, BENCHMARK["Size"]())
        assert section.array == "hexagonal" and section.patient == name
        assert all(len(windows(section, kind)) >= 4 for kind in ("published", "clean"))
        found = BENCHMARK["attainable"](section, visible)["pcc"]
        assert found.between(0.5, 0.9).all()


def test_neighbours_without_the_spot_itself_are_averaged():
    places = np.array([[0.0, 0], [1, 0], [50, 0], [51, 0], [52, 0]])
    values = np.array([[1.0], [3], [5], [7], [9]])
    mean = BENCHMARK["around"](values, places)[:, 0]
    assert mean[0] > mean[1], "each of a pair has the value of the other"
    assert mean.mean() == pytest.approx(0) and mean.std() == pytest.approx(1)


def test_every_kind_of_windows_is_fitted_with_equal_steps_and_equal_passes(home):
    rows = BENCHMARK["main"](SMALL)
    fits = rows[rows["method"] != ATTAINABLE].drop_duplicates(["method", "windows", "equal"])
    assert len(fits) == 2 * (1 + 2 * 2)
    assert set(rows["section"]) == {"V4", "V5"}
    assert set(rows["follows"]) == {"tile", "neighbourhood"}
    clean = rows[rows["windows"] == "clean"]
    assert (clean["lost"] == 0).all() and (clean["doubled"] == 0).all()
    assert (rows.loc[rows["windows"] == "none", "pieces"] == 1).all()


def test_equal_passes_are_as_many_steps_as_there_are_windows():
    sections = [BENCHMARK["slide"](name, SMALL)[0] for name in ("V1", "V2", "V3", "V4", "V5")]
    steps = {
        (run.method, run.windows, equal): run.steps
        for equal, run in BENCHMARK["planned"](sections, SMALL)
    }
    pieces = sum(len(windows(section, "clean")) for section in sections[:3])
    assert steps["hist2st", "none", "steps"] == steps["hist2st", "clean", "steps"] == 9
    assert steps["hist2st", "clean", "passes"] == 3 * pieces


def test_change_is_paired_by_seed():
    values = {("none", "steps"): (0.2, 0.4), ("clean", "steps"): (0.3, 0.3)}
    rows = pd.DataFrame(
        [
            ("histogene", kind, equal, seed, "V4", follows, pcc, 4, 2, 1)
            for (kind, equal), pccs in values.items()
            for seed, pcc in enumerate(pccs)
            for follows in ("tile", "neighbourhood")
        ],
        columns="method windows equal seed section follows pcc pieces lost doubled".split(),
    )
    whole, cut = by_windows(rows).to_dict("records")
    assert whole["method"] == "HisToGene" and np.isnan(whole["change"])
    assert (cut["change"], cut["lowest"], cut["highest"]) == pytest.approx((0, -0.1, 0.1))
    assert (cut["tile"], cut["windows a slide"], cut["lost"], cut["doubled"]) == (0.3, 4, 2, 1)


def test_the_kept_scores_are_of_the_slides_and_fits_of_the_benchmark():
    rows = read()
    size = BENCHMARK["Size"]()
    for name in ("V4", "V5"):
        section, visible = BENCHMARK["slide"](name, size)
        kept = rows[(rows["method"] == ATTAINABLE) & (rows["section"] == name)]
        drawn = BENCHMARK["attainable"](section, visible).set_index("follows")["pcc"]
        found = kept.set_index("follows")["pcc"].to_dict()
        assert found == pytest.approx(drawn.to_dict(), abs=1e-4)
        cut = BENCHMARK["_cut"](section, "published")
        own = rows[(rows["windows"] == "published") & (rows["section"] == name)]
        assert set(map(tuple, own[["spots", "pieces", "lost"]].to_numpy())) == {
            (cut["spots"], cut["pieces"], cut["lost"])
        }
    fits = rows[rows["method"] != ATTAINABLE].groupby(["method", "windows", "equal"])["seed"]
    assert set(fits.nunique()) == {3}
    sections = [BENCHMARK["slide"](name, size)[0] for name in ("V1", "V2", "V3", "V4", "V5")]
    planned = {
        (run.method, run.windows, equal) for equal, run in BENCHMARK["planned"](sections, size)
    }
    equal_steps = {each for each in planned if each[2] == "steps"}
    assert equal_steps <= set(fits.groups) <= planned, "those of equal passes take long"
