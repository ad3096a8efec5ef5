"""The transform chapter: two scores of one fit, paired differences, spreads and verdicts of known size."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import levene

from compendium.chapters.transforms import results as transforms
from compendium.chapters.transforms import spread
from compendium.chapters.transforms.results import COMMON, OWN
from compendium.errors import BadInput
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1"),
    tiny_section("S2", patient="P2"),
    tiny_section("S3", patient="P3"),
    tiny_section("S4", patient="P4"),
]
WORDS = {"panel": "hvg(8)", "encoder": "colour", "budget": "smoke", "tile_px": 32}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPENDIUM_HOME", str(tmp_path_factory.mktemp("transforms")))
        patch.setattr(transforms, "open_sections", lambda cohort, names: SECTIONS)
        yield transforms.study(
            "demo",
            None,
            ["ridge", "hist2st"],
            ["raw", "minmax", "logcpm", "wide", "pearson"],
            ["P1"],
            "cpu",
            **WORDS,
        )


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


def test_what_made_the_tables_and_what_is_smoke(tables):
    floor = tables["floor"].set_index("row")
    assert floor["result"].to_dict() == {row: row.startswith("ridge") for row in floor.index}
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
        transforms.rows(["ridge"], targets)


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
    rows = spread.spread(table).set_index(["transform", "section"])
    values = table[(table["transform"] == "raw") & (table["section"] == "X")]["pcc"].dropna()
    assert rows.loc[("raw", "X"), ["genes", "sd", "iqr"]].tolist() == pytest.approx(
        [39, values.std(), values.quantile(0.75) - values.quantile(0.25)]
    )
    assert rows.loc[("logcpm", "X"), "genes"] == 40


def test_the_test_of_equal_variances_is_brown_and_forsythes_over_common_genes():
    table = scored(raw=1.0, log1p=1.0, logcpm=0.3)
    table.loc[(table["gene"] == "G1") & (table["transform"] == "raw"), "pcc"] = np.nan
    found = spread.equality(table).set_index("section")
    kept = table[(table["section"] == "Y") & (table["gene"] != "G1")]
    expected = levene(
        *(part["pcc"].to_numpy() for _, part in kept.groupby("transform", sort=False)),
        center="median",
    )
    assert found.loc["Y", ["genes", "smallest"]].tolist() == [39, "logcpm"]
    assert found.loc["Y", ["statistic", "p"]].tolist() == pytest.approx(
        [expected.statistic, expected.pvalue]
    )
    assert (spread.equality(table[table["gene"] == "G2"])["p"].isna()).all()
    assert [spread.p_told(p) for p in (0.0, 0.00099, 0.0123, np.nan)] == [
        "<0.001",
        "<0.001",
        "0.012",
        "–",
    ]


@pytest.mark.parametrize(
    ("scale", "smoke", "verdict", "smallest"),
    [
        ({"raw": 1.0, "log1p": 0.9, "logcpm": 0.5}, set(), spread.HOLDS, 3),
        ({"raw": 1.0, "log1p": 0.4, "logcpm": 0.5}, set(), spread.FAILS, 0),
        ({"raw": 1.0, "logcpm": 0.5}, {"m:raw"}, spread.UNDECIDED, 3),
        ({"raw": 1.0, "logcpm": 0.5}, {"m:pearson"}, spread.HOLDS, 3),
    ],
)
def test_the_claim_takes_every_section(scale, smoke, verdict, smallest):
    line = spread.claims(spread.ratios(spread.spread(scored(**scale))), smoke).iloc[0]
    assert (line["lognorm"], line["sections"], line["smallest in"], line["verdict"]) == (
        "logcpm",
        3,
        smallest,
        verdict,
    )


def verdicts(*said: str) -> pd.DataFrame:
    return pd.DataFrame(
        [{"verdict": word, "mean difference": 0.02 * i} for i, word in enumerate(said)]
    )


@pytest.mark.parametrize(
    ("said", "verdict", "why"),
    [
        (
            ("better", "worse", "undecided"),
            FAILS,
            "2 of 3 comparisons above the floor are decided, one way in every section, by 0.020 at most",
        ),
        (
            ("better", "undecided", "undecided", "smoke"),
            UNDECIDED,
            "1 of 3 comparisons above the floor are decided, one way in every section, by 0.000 at most",
        ),
        (
            ("undecided", "undecided"),
            UNDECIDED,
            "0 of 2 comparisons above the floor are decided, one way in every section (half",
        ),
    ],
)
def test_transforms_differ_where_half_of_the_comparisons_do(said, verdict, why):
    common = pd.DataFrame({"section": list("XYZ"), "patient": list("AAB")})
    found = transforms.same(verdicts(*said), common)
    assert found.verdict == verdict and why in found.why
    assert transforms.same(verdicts(*said), common.assign(patient="A")).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("cases", "verdict"),
    [
        ((HOLDS, HOLDS), HOLDS),
        ((FAILS, FAILS), FAILS),
        ((HOLDS, FAILS), UNDECIDED),
        ((), UNDECIDED),
    ],
)
def test_the_spread_is_smaller_where_all_cases_say_so(cases, verdict):
    found = transforms.smaller(
        pd.DataFrame({"verdict": list(cases)}),
        pd.DataFrame({"section": list("XYZ"), "patient": list("AAB")}),
    )
    assert found.verdict == verdict


def test_the_claims_are_made_from_the_tables(tables):
    found = transforms.claims(tables)
    assert list(found) == ["same_claim", "spread_told"] and {
        (claim.sections, claim.patients) for claim in found.values()
    } == {(3, 3)}
    assert " of 4 comparisons above the floor" in found["same_claim"].why, (
        "those of Hist2ST are smoke"
    )


def test_two_sections_decide_nothing():
    table = scored(raw=1.0, logcpm=0.5)
    assert spread.claims(spread.ratios(spread.spread(table[table["section"] != "X"])), set())[
        "verdict"
    ].tolist() == [spread.UNDECIDED]
    assert (
        len(spread.claims(spread.ratios(spread.spread(scored(raw=1.0, pearson=0.5))), set())) == 0
    )
