"""The transform chapter: two scores of one fit, paired differences, spreads, verdicts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import levene

from compendium.chapters.transforms import design as plan
from compendium.chapters.transforms import findings
from compendium.chapters.transforms import results as transforms
from compendium.chapters.transforms.results import COMMON, OWN
from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import compute
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1"),
    tiny_section("S2", patient="P2"),
    tiny_section("S3", patient="P3"),
    tiny_section("S4", patient="P4"),
]
PARAMETERS = {"panel": "hvg(8)", "encoder": "colour", "budget": "smoke", "tile_px": 32}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("transforms")))
        patch.setattr(comparison, "open_sections", lambda cohort, names: SECTIONS)
        patch.setattr(comparison, "placed", lambda cohort, names: SECTIONS)
        targets = ["raw", "minmax", "logcpm", "wide", "pearson"]
        design = plan.design("demo", None, ["ridge", "hist2st"], targets, ["P1"], **PARAMETERS)
        yield compute(design, transforms.tables, "cpu")


def middle(tables) -> pd.DataFrame:
    return tables["medians"].pivot(index=["row", "section"], columns="scored_on", values="median")


def test_each_fit_is_scored_on_its_own_target_and_on_the_common_one(tables):
    found = middle(tables)
    assert set(found.columns) == {OWN, COMMON} and len(found) == 10 * 3
    np.testing.assert_allclose(found.loc["ridge:wide", OWN], found.loc["ridge:wide", COMMON])
    assert not np.allclose(found.loc["ridge:raw", OWN], found.loc["ridge:raw", COMMON])
    assert set(tables["medians"]["section"]) == {"S2", "S3", "S4"}


def test_raw_and_min_max_are_one_target_to_a_correlation(tables):
    depth = tables["depth"].pivot(index="section", columns="transform", values="pcc")
    np.testing.assert_allclose(depth["raw"], depth["minmax"], atol=1e-6)
    assert (depth["raw"] > depth["logcpm"]).all()


def test_differences_are_to_log_cpm_of_the_same_method(tables):
    paired = tables["paired"]
    ridge = {
        f"Ridge, {name} − log-CPM"
        for name in ("raw counts", "min–max", "scoring target", "Pearson residuals")
    }
    assert set(paired["comparison"]) == ridge | {name.replace("Ridge", "Hist2ST") for name in ridge}
    one = paired[
        (paired["comparison"] == "Ridge, scoring target − log-CPM")
        & (paired["scored_on"] == COMMON)
    ].set_index("section")["difference"]
    assert len(one) == 3 and one.abs().max() > 0


def test_the_second_target_stands_beside_the_common_one_alone(tables):
    others = ["partial", "pcc_pearson", "partial_pearson"]
    boxes = tables["boxes"].set_index("scored_on")
    assert boxes.loc[COMMON, others].notna().all(axis=None)
    assert boxes.loc[OWN, others].isna().all(axis=None)


def test_what_made_the_tables_and_what_is_preliminary(tables):
    met = tables["criterion"].set_index("row")["result"]
    assert met.to_dict() == {row: row.startswith("ridge") for row in met.index}
    assert comparison.titles(tables)["hist2st:raw"] == "Hist2ST, raw counts (preliminary)"
    assert transforms.summary_numbers(tables) == {
        "tested": 3,
        "patients": 3,
        "genes": 8,
        "trained": "P1",
    }
    assert tables.facts["titles"]["hist2st:raw"] == "Hist2ST, raw counts"
    assert (tables.facts["records"], tables.facts["genes"]) == (10, 8)
    assert set(tables["curves"]["method"]) == {
        key for key in tables.facts["titles"] if key.startswith("hist2st")
    }
    assert tables["cost"]["training spots"].tolist() == [24] * 10


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (["raw", "logcmp"], "unknown transform 'logcmp' in targets"),
        (["raw", "log1p"], "targets must name logcpm"),
        (["logcpm"], "at least one other"),
    ],
)
def test_targets_that_cannot_be_compared_are_one_line(targets, says):
    with pytest.raises(BadInput, match=says):
        plan.rows(["ridge"], targets)


def scored(**scale: float) -> pd.DataFrame:
    """Scores of a method m in three sections, whose spread over genes is that of its transform."""
    rng = np.random.default_rng(0)
    genes = {section: rng.normal(0.2, 0.1, 40) for section in "XYZ"}
    return pd.DataFrame(
        [
            {
                "row": f"m:{name}",
                "method": "m",
                "transform": name,
                "scored_on": OWN,
                "section": section,
                "patient": section,
                "gene": f"G{i}",
                "pcc": 0.2 + size * (value - 0.2),
            }
            for name, size in scale.items()
            for section, values in genes.items()
            for i, value in enumerate(values)
        ]
    )


def test_spread_is_that_of_the_genes_that_have_a_score():
    table = scored(raw=1.0, logcpm=0.5)
    table.loc[(table["gene"] == "G0") & (table["transform"] == "raw"), "pcc"] = np.nan
    rows = transforms.spread(table).set_index(["transform", "section"])
    values = table[(table["transform"] == "raw") & (table["section"] == "X")]["pcc"].dropna()
    assert rows.loc[("raw", "X"), ["genes", "sd", "iqr"]].tolist() == pytest.approx(
        [39, values.std(), values.quantile(0.75) - values.quantile(0.25)]
    )
    assert rows.loc[("logcpm", "X"), "genes"] == 40


def test_the_test_of_equal_variances_is_brown_and_forsythes_over_common_genes():
    table = scored(raw=1.0, log1p=1.0, logcpm=0.3)
    table.loc[(table["gene"] == "G1") & (table["transform"] == "raw"), "pcc"] = np.nan
    found = transforms.equality(table).set_index("section")
    kept = table[(table["section"] == "Y") & (table["gene"] != "G1")]
    expected = levene(
        *(part["pcc"].to_numpy() for _, part in kept.groupby("transform", sort=False)),
        center="median",
    )
    assert found.loc["Y", ["genes", "smallest"]].tolist() == [39, "logcpm"]
    assert found.loc["Y", ["statistic", "p"]].tolist() == pytest.approx(
        [expected.statistic, expected.pvalue]
    )
    assert (transforms.equality(table[table["gene"] == "G2"])["p"].isna()).all()


def spread_of(n: int, **sd: float) -> pd.DataFrame:
    """Return a spread of Hist2ST by transform, alike in n patients."""
    lines = [
        {"method": "hist2st", "transform": name, "scored_on": COMMON, "section": f"S{i}"}
        | {"patient": f"P{i}", "sd": value + i / 1e3}
        for name, value in sd.items()
        for i in range(n)
    ]
    return pd.DataFrame(lines)


def compared(n: int = 8, trained: int = 8, preliminary: str = "", **change: float) -> Results:
    """Return results of Hist2ST whose other transforms differ so from the reference."""
    titles = {f"hist2st:{name}": name for name in (*change, plan.REFERENCE)}
    lines = [
        {"section": f"S{i}", "patient": f"P{i}", "difference": change[pair.title.split(" ")[0]]}
        | {"comparison": pair.title, "scored_on": COMMON}
        for pair in transforms.comparisons(titles)
        for i in range(n)
    ]
    noise = np.tile((-1) ** np.arange(n) / 1e3, len(change))
    table = pd.DataFrame(lines)
    table["difference"] += noise
    met = pd.DataFrame({"row": list(titles), "result": [preliminary not in [r] for r in titles]})
    spread = spread_of(n, raw=0.3, log1p=0.2, minmax=0.2, logcpm=0.1)
    facts = {"titles": titles, "trained": ["P"] * trained}
    return Results({"paired": table, "criterion": met, "spread": spread}, facts)


APART = {"raw": 0.05, "log1p": 0.0, "minmax": -0.01}
REPRODUCED, NOT = Verdict.REPRODUCED, Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (compared(**APART), [NOT, REPRODUCED, NOT, REPRODUCED]),
        (compared(n=5, **APART), [Verdict.UNDECIDED] * 4),
        (compared(trained=2, **APART), [Verdict.UNDECIDED] * 4),
        (
            compared(preliminary="hist2st:log1p", **APART),
            [NOT, Verdict.UNDECIDED, NOT, Verdict.UNDECIDED],
        ),
        (compared(preliminary="hist2st:logcpm", **APART), [Verdict.UNDECIDED] * 4),
    ],
)
def test_transforms_are_compared_with_log_cpm_one_by_one(results, expected):
    outcomes = decide_all(findings.FINDINGS, results)
    assert [outcome.verdict for outcome in outcomes.values()] == expected
    assert outcomes["same-raw"].statistic == pytest.approx(0.05, abs=1e-3)


def test_the_gap_of_spreads_is_to_the_mean_of_the_published_transforms():
    table = spread_of(2, raw=0.3, log1p=0.2, minmax=0.1, logcpm=0.15, scprep=0.25)
    gaps = transforms.spread_gaps(table).groupby("lognorm")["difference"]
    assert gaps.mean().to_dict() == {"logcpm": pytest.approx(0.05), "scprep": pytest.approx(-0.05)}
    assert gaps.size().to_dict() == {"logcpm": 2, "scprep": 2}
    assert transforms.spread_gaps(table[table["transform"] != "raw"]).empty


def test_the_findings_are_decided_by_the_tables(tables):
    outcomes = decide_all(findings.FINDINGS, tables)
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.UNDECIDED}
    assert outcomes["same-raw"].patients == 3
    assert "hist2st:log1p was not fitted" in outcomes["same-log1p"].limits
    both = findings.both_targets(tables)
    assert list(both)[-1] == "difference, own targets" and len(both) == 8


def test_the_orders_are_those_of_the_medians(tables):
    lines = transforms.orders(tables["boxes"], tables.facts["titles"]).set_index("method")
    ridge = tables["boxes"].query("method == 'ridge'")
    for on in (OWN, COMMON):
        part = ridge[ridge["scored_on"] == on].set_index("row")["median"]
        highest = tables.facts["titles"][part.idxmax()]
        assert lines.loc["Ridge", f"highest on {on}"] == highest
    assert lines["Kendall τ"].between(-1, 1).all()
