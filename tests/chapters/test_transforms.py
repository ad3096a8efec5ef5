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


@pytest.mark.parametrize(
    ("scale", "preliminary", "verdict", "smallest"),
    [
        ({"raw": 1.0, "log1p": 0.9, "logcpm": 0.5}, set(), Verdict.HOLDS, 3),
        ({"raw": 1.0, "log1p": 0.4, "logcpm": 0.5}, set(), Verdict.FAILS, 0),
        ({"raw": 1.0, "logcpm": 0.5}, {"m:raw"}, Verdict.UNDECIDED, 3),
        ({"raw": 1.0, "logcpm": 0.5}, {"m:pearson"}, Verdict.HOLDS, 3),
    ],
)
def test_the_finding_takes_every_section(scale, preliminary, verdict, smallest):
    line = findings.smaller_spread(
        findings.ratios(transforms.spread(scored(**scale))), preliminary
    ).iloc[0]
    assert (line["lognorm"], line["sections"], line["smallest in"], line["verdict"]) == (
        "logcpm",
        3,
        smallest,
        verdict,
    )


def paired(*differences: tuple[float, float, float], patients: str = "AAB") -> Results:
    """Results of one method whose other transforms differ so from the reference, by section."""
    names = list(plan.TRANSFORMS)
    names.remove(plan.REFERENCE)
    names = names[: len(differences)]
    titles = {f"m:{name}": name for name in (*names, plan.REFERENCE)}
    lines = [
        {"section": section, "patient": patient, "difference": value, "genes": 9}
        | {"comparison": compared.title, "scored_on": COMMON}
        for compared, values in zip(transforms.comparisons(titles), differences, strict=True)
        for section, patient, value in zip("XYZ", patients, values, strict=True)
    ]
    met = pd.DataFrame({"row": list(titles), "result": True})
    return Results({"paired": pd.DataFrame(lines), "criterion": met}, {"titles": titles})


UP, DOWN, MIXED = (0.01, 0.02, 0.03), (-0.01, -0.02, -0.06), (0.1, -0.1, 0.1)


@pytest.mark.parametrize(
    ("differences", "verdict", "decided", "largest"),
    [
        ((UP, DOWN, MIXED), Verdict.FAILS, 2, 0.03),
        ((UP, MIXED, MIXED), Verdict.UNDECIDED, 1, 0.02),
        ((MIXED, MIXED), Verdict.UNDECIDED, 0, np.nan),
    ],
)
def test_transforms_differ_where_half_of_the_comparisons_do(differences, verdict, decided, largest):
    outcome = findings.no_difference(paired(*differences))
    assert outcome.verdict == verdict
    assert outcome.numbers == {"decided": decided, "compared": len(differences)}
    assert outcome.statistic == pytest.approx(largest, nan_ok=True)
    one = findings.no_difference(paired(*differences, patients="AAA"))
    assert one.verdict == Verdict.UNDECIDED


def test_a_preliminary_row_is_not_compared():
    results = paired(UP, MIXED, MIXED)
    results["criterion"].loc[1, "result"] = False
    outcome = findings.no_difference(results)
    assert (outcome.verdict, outcome.numbers["compared"]) == (Verdict.FAILS, 2)


@pytest.mark.parametrize(
    ("scales", "verdict", "holds"),
    [
        (({"raw": 1.0, "logcpm": 0.5},) * 2, Verdict.HOLDS, 2),
        (({"raw": 0.4, "logcpm": 0.5},) * 2, Verdict.FAILS, 0),
        (({"raw": 1.0, "logcpm": 0.5}, {"raw": 0.4, "logcpm": 0.5}), Verdict.UNDECIDED, 1),
        (({"raw": 1.0, "pearson": 0.5},), Verdict.UNDECIDED, 0),
    ],
)
def test_the_spread_is_smaller_where_all_cases_say_so(scales, verdict, holds):
    table = pd.concat(
        scored(**scale).assign(method=name) for name, scale in zip("mn", scales, strict=False)
    )
    tables = paired(UP).tables | {"spread": transforms.spread(table)}
    outcome = findings.all_smaller(Results(tables, {}))
    assert (outcome.verdict, outcome.numbers["holds"]) == (verdict, holds)


def test_the_findings_are_decided_by_the_tables(tables):
    outcomes = [finding.decide(tables) for finding in findings.FINDINGS]
    assert {(outcome.sections, outcome.patients) for outcome in outcomes} == {(3, 3)}
    assert outcomes[0].numbers["compared"] == 4, "rows of Hist2ST are preliminary"
    both = findings.both_targets(tables)
    assert list(both)[-1] == "mean difference, own targets" and len(both) == 8


def test_the_orders_are_those_of_the_medians(tables):
    lines = transforms.orders(tables["boxes"], tables.facts["titles"]).set_index("method")
    ridge = tables["boxes"].query("method == 'ridge'")
    for on in (OWN, COMMON):
        part = ridge[ridge["scored_on"] == on].set_index("row")["median"]
        highest = tables.facts["titles"][part.idxmax()]
        assert lines.loc["Ridge", f"highest on {on}"] == highest
    assert lines["Kendall τ"].between(-1, 1).all()


def test_two_sections_decide_nothing():
    table = scored(raw=1.0, logcpm=0.5)
    assert findings.smaller_spread(
        findings.ratios(transforms.spread(table[table["section"] != "X"])), set()
    )["verdict"].tolist() == [Verdict.UNDECIDED]
    assert (
        len(
            findings.smaller_spread(
                findings.ratios(transforms.spread(scored(raw=1.0, pearson=0.5))), set()
            )
        )
        == 0
    )
