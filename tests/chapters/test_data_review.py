"""The data review: numbers of sections, Table 1, genes without variance, scale, colours."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from compendium.chapters.data_review import findings
from compendium.chapters.data_review import results as review
from compendium.chapters.data_review import sections as sections_
from compendium.data.panels import published
from compendium.data.section import Section
from compendium.data.sources import cohort
from compendium.errors import BadInput
from compendium.evaluation import describe
from compendium.evaluation.findings import decide_all
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Verdict
from conftest import tiny_section


def counted(rows: list[list[int]], name: str = "S1", patient: str = "P1", **changed) -> Section:
    """A section with these counts [spot gene]."""
    counts = np.array(rows, dtype=np.int32)
    return replace(
        tiny_section(name, patient, spots=len(rows), genes=counts.shape[1], px=16),
        counts=csr_matrix(counts),
        **changed,
    )


def test_numbers_of_a_section_are_those_of_its_counts():
    section = counted(
        [[0, 0, 0], [1, 0, 3], [2, 2, 2], [10, 0, 0]],
        um_per_px=0.5,
        labels=np.array(["", "fat", "fat", ""]),
    )
    row = sections_.section_numbers([section]).iloc[0]
    assert (
        row["spots"],
        row["empty_spots"],
        row["labelled_spots"],
        row["genes"],
        row["image"],
    ) == (4, 1, 2, 3, True)
    assert (row["umi_q1"], row["umi_median"], row["umi_q3"]) == tuple(
        np.quantile([0, 4, 6, 10], [0.25, 0.5, 0.75])
    )
    assert (row["genes_q1"], row["genes_median"], row["genes_q3"]) == tuple(
        np.quantile([0, 2, 3, 1], [0.25, 0.5, 0.75])
    )
    assert row["spot_px"] == 200


def test_which_of_two_sets_of_spots_is_said_where_there_are_two():
    sections = [
        replace(counted([[1]], name), spot_set=word)
        for name, word in (("S1", "filtered"), ("S2", "unfiltered"), ("S3", ""), ("S4", "filtered"))
    ]
    assert (
        review.spot_sets(sections_.section_numbers(sections))
        == "filtered spots: S1, S4; unfiltered spots: S2"
    )
    assert review.spot_sets(sections_.section_numbers(sections[2:3])) == ""


def test_a_stored_zero_is_no_gene_found():
    counts = csr_matrix(
        (np.array([0, 3], dtype=np.int32), np.array([0, 1]), np.array([0, 2])), shape=(1, 2)
    )
    row = sections_.section_numbers([replace(counted([[1, 1]]), counts=counts)]).iloc[0]
    assert (row["umi_median"], row["genes_median"]) == (3, 1)


def test_shared_genes_are_those_of_every_table():
    one, two = counted([[1, 2, 3]]), counted([[1, 2, 3]], "S2", genes=np.array(["G2", "G0", "X"]))
    assert sections_.shared_genes(iter([one, two])) == ["G0", "G2"]


def test_constant_pairs_are_found_whatever_the_constant_is():
    one, two = counted([[0, 5, 1], [0, 5, 2]]), counted([[0, 5, 1], [1, 5, 1]], "S2")
    found = sections_.constant_pairs([one, two], ["G2", "G1", "G0"])
    assert found.to_dict("list") == {
        "section": ["S1", "S1", "S2", "S2"],
        "gene": ["G1", "G0", "G2", "G1"],
        "count": [5, 0, 1, 5],
    }
    assert list(sections_.constant_pairs([], ["G0"]).columns) == ["section", "gene", "count"]


def headers(her2st: Path) -> Iterator[Section]:
    """The 36 real sections with their spots and genes, and no counts in them."""
    for name, facts in cohort("her2st").sections.items():
        with gzip.open(her2st / "data" / "ST-cnts" / f"{name}.tsv.gz", "rt") as lines:
            genes = np.array(lines.readline().rstrip("\n").split("\t")[1:])
            spots = np.array([line.partition("\t")[0] for line in lines])
        n = len(spots)
        yield Section(
            "her2st",
            name,
            facts.patient,
            facts.lab,
            facts.technology,
            genes,
            spots,
            np.zeros((n, 2), np.int32),
            np.zeros((n, 2), np.float32),
            0.7,
            csr_matrix((n, len(genes)), dtype=np.int32),
        )


def test_table_1_of_the_real_cohort_is_recomputed(her2st):
    sections = list(headers(her2st))
    numbers, shared = sections_.section_numbers(sections), sections_.shared_genes(sections)
    table = review.cohort_table(numbers, shared, 36, describe.printed("her2st")).set_index("row")
    assert table.loc["recomputed"].to_dict() == {
        "patients": 8,
        "sections": 36,
        "spots": 13_620,
        "shared genes": 11_871,
    }
    assert table.loc["printed"].to_dict() == {
        "patients": 36,
        "sections": 36,
        "spots": 13_620,
        "shared genes": 11_871,
    }
    assert table.loc["difference"].to_dict() == {
        "patients": -28,
        "sections": 0,
        "spots": 0,
        "shared genes": 0,
    }


def test_real_genes_without_variance(her2st):
    panel = list(published("hvg_769"))
    found = {}
    for name in ("B4", "C2", "A1"):
        path = her2st / "data" / "ST-cnts" / f"{name}.tsv.gz"
        table = pd.read_csv(path, sep="\t", usecols=lambda column: column in set(panel))
        section = counted(table.to_numpy().tolist(), name, genes=table.columns.to_numpy(dtype=str))
        found[name] = sections_.constant_pairs([section], panel)["gene"].tolist()
    assert found == {"B4": ["DKK1", "HOXB7"], "C2": [], "A1": ["HLA-DRB5"]}


def test_a_part_of_a_cohort_is_called_a_part():
    numbers = sections_.section_numbers(
        [counted([[1, 2]], "A1", "A"), counted([[3, 4]], "B1", "B")]
    )
    table = review.cohort_table(numbers, ["G0"], 36, {})
    assert table.to_dict("records") == [
        {
            "row": "recomputed from 2 of 36 sections",
            "patients": 2,
            "sections": 2,
            "spots": 2,
            "shared genes": 1,
        }
    ]


def test_the_print_is_known_for_its_cohorts_only():
    assert (
        describe.printed("her2st")["patients"],
        describe.printed("demo"),
        describe.printed("wu+demo"),
    ) == (36, {}, {})
    assert (
        describe.printed("tenx", "frozen")["patients"],
        describe.printed("tenx")["patients"],
        describe.printed("wu+tenx")["patients"],
    ) == (2, 3, 9)
    assert review.missing_in_print("her2st", 769) == {
        "BLEEP": 21,
        "HisToGene": 21,
        "Hist2ST": 21,
        "ST-Net": 21,
    }
    assert set(review.missing_in_print("wu+tenx", 685)) == {
        "HisToGene",
        "Hist2ST",
    } and not review.missing_in_print("wu", 685)
    assert review.missing_in_print("her2st", 12) == review.missing_in_print("demo", 769) == {}


def test_scale_by_patient_and_how_sections_are_named():
    numbers = sections_.section_numbers(
        [
            counted([[1]], name, name[0], um_per_px=um)
            for name, um in (("A1", 0.9), ("A2", 1.1), ("A3", 1.0), ("B2", 0.5), ("B4", 0.5))
        ]
    )
    table = review.scale_by_patient(numbers, [100])
    assert table["sections"].tolist() == ["A1–A3", "B2, B4"]
    assert table["spot, px"].tolist() == [round((100 / 0.9 + 100 / 1.1 + 100) / 3), 200]
    assert table["100 px tile"].tolist() == pytest.approx(
        [300 / (100 / 0.9 + 100 / 1.1 + 100), 0.5]
    )
    assert (
        review.span(["P1a", "P1b"]) == "P1a, P1b"
        and review.span(["A1", "A2", "A4"]) == "A1, A2, A4"
    )


def test_depth_contrast_between_and_within_patients():
    sections = [
        counted([[umi]], name, name[0])
        for name, umi in (("A1", 10), ("A2", 30), ("B1", 100), ("B2", 200))
    ]
    found = review.depth_contrast(sections_.section_numbers(sections))
    assert found == {
        "low": "A1",
        "high": "B2",
        "low_umi": 10,
        "high_umi": 200,
        "fold": 20,
        "between": 7.5,
        "within": 3,
    }


def test_colour_shares_sum_to_one_and_leave_out_sections_without_image():
    plain, blue = tiny_section("S1", px=16), tiny_section("S2", px=16)
    blue = replace(blue, stored_tiles=np.full_like(blue.stored_tiles, (0, 128, 255)))
    shares = describe.channel_shares(
        [plain, blue, replace(plain, name="S3", stored_tiles=None)], bins=4
    )
    assert set(shares["section"]) == {"S1", "S2"}
    assert shares.groupby(["section", "channel"])["share"].sum().to_numpy() == pytest.approx(
        np.ones(6)
    )
    filled = shares[(shares["section"] == "S2") & (shares["share"] == 1)].set_index("channel")[
        "level"
    ]
    assert filled.to_dict() == {"red": 31.5, "green": 159.5, "blue": 223.5}


@pytest.mark.parametrize("bins", [0, 257])
def test_bins_that_no_colour_fills_are_refused(bins):
    with pytest.raises(BadInput, match=f"channel_bins {bins} is out of range"):
        describe.channel_shares([], bins)


def test_overlap_is_one_for_equal_colours_and_zero_for_disjoint_ones():
    dark = tiny_section("S1", "P1", px=16)
    dark = replace(dark, stored_tiles=np.zeros_like(dark.stored_tiles))
    bright = replace(
        dark, name="S3", patient="P2", stored_tiles=np.full_like(dark.stored_tiles, 255)
    )
    found = sections_.channel_overlap(
        describe.channel_shares([dark, replace(dark, name="S2"), bright])
    ).set_index(["one", "other"])
    assert found["overlap"].to_dict() == {("S1", "S2"): 1, ("S1", "S3"): 0, ("S2", "S3"): 0}
    assert found["same_patient"].tolist() == [True, False, False] and found["same_lab"].all()
    assert sections_.channel_overlap(describe.channel_shares([])).empty


def test_darker_tiles_with_more_counts_correlate():
    rows = [[i] for i in range(1, 11)]
    patches = np.stack([np.full((16, 16, 3), 200 - 10 * i, np.uint8) for i in range(10)])
    up, down = (
        counted(rows, stored_tiles=patches),
        counted(rows, "S2", stored_tiles=patches[::-1].copy()),
    )
    found = sections_.depth_and_darkness([up, down, replace(up, name="S3", stored_tiles=None)])
    assert found.to_dict("list") == {"section": ["S1", "S2"], "spearman": pytest.approx([1, -1])}


def test_image_and_spot_facts():
    section = replace(
        tiny_section(spots=4), thumbnail=np.zeros((30, 40, 3), np.uint8), thumbnail_scale=0.1
    )
    assert sections_.image_facts([section])[
        ["image_width_px", "image_height_px"]
    ].to_numpy().tolist() == [[400, 300]]
    spots = sections_.spot_facts(section)
    assert (
        list(spots.columns) == ["section", "spot", "x", "y", "umi", "class", "class_from"]
        and spots["umi"].sum() == section.counts.sum()
    )


def depths(**sections: int) -> pd.DataFrame:
    """Numbers of sections with these median UMIs; the first letter is the patient."""
    return pd.DataFrame(
        [
            {"section": name, "patient": name[0], "umi_median": float(umi)}
            for name, umi in sections.items()
        ]
    )


def test_typical_folds_are_over_all_pairs():
    within, between = review.typical_folds(depths(A1=100, A2=200, B1=800))
    assert (within, between) == pytest.approx((2, (8 * 4) ** 0.5))
    assert np.isnan(review.typical_folds(depths(A1=1, B1=2))[0]) and np.isnan(
        review.typical_folds(depths(A1=1, A2=2))[1]
    )


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        (depths(A1=100, A2=110, B1=900, B2=950), Verdict.HOLDS),
        (depths(A1=100, A2=900, B1=100, B2=900), Verdict.FAILS),
        (depths(A1=100, B1=900), Verdict.UNDECIDED),
        (depths(A1=100, A2=900), Verdict.UNDECIDED),
    ],
    ids=["alike", "as different as patients", "no two of one patient", "one patient"],
)
def test_the_finding_on_depth_follows_from_the_numbers(numbers, verdict):
    assert findings.depth_within(Results({"numbers": numbers}, {})).verdict == verdict


def brightness(**levels: int) -> Results:
    """Colours of sections with this level in every channel; the first letter is the patient."""
    tiny = tiny_section(px=16)
    shown = [
        replace(
            tiny, name=name, patient=name[0], stored_tiles=np.full_like(tiny.stored_tiles, level)
        )
        for name, level in levels.items()
    ]
    return Results({"colours": describe.channel_shares(shown)}, {})


SIX = {f"{name}{i}": 40 * k for k, name in enumerate("ABCDEF") for i in (1, 2)}


@pytest.mark.parametrize(
    ("levels", "verdict", "difference"),
    [
        (SIX, Verdict.REPRODUCED, 1),
        (dict.fromkeys(SIX, 9), Verdict.NOT_REPRODUCED, 0),
        ({"A1": 0, "A2": 0, "B1": 255}, Verdict.UNDECIDED, 1),
        ({"A1": 0, "A2": 255, "B1": 0}, Verdict.UNDECIDED, -0.5),
        ({"A1": 0, "B1": 0}, Verdict.UNDECIDED, np.nan),
        ({"A1": 0, "A2": 0}, Verdict.UNDECIDED, np.nan),
        ({}, Verdict.UNDECIDED, np.nan),
    ],
    ids=["apart", "equal", "one patient", "reversed", "no pair of one", "one only", "no image"],
)
def test_the_finding_on_colour_follows_from_the_overlaps(levels, verdict, difference):
    (finding,) = (each for each in findings.FINDINGS if each.id == "colour-within-origin")
    outcome = decide_all([finding], brightness(**levels))[finding.id]
    assert outcome.verdict == verdict
    assert outcome.statistic == pytest.approx(difference, nan_ok=True)


def table_1(gap: int, name: str = "recomputed") -> Results:
    rows = [("printed", 36, 36), (name, 36 + gap, 36), ("difference", gap, 0)]
    return Results({"table_1": pd.DataFrame(rows, columns=["row", "patients", "sections"])}, {})


def test_table_1_is_counted():
    wrong, right = (findings.table_1(table_1(gap)) for gap in (-28, 0))
    assert (wrong.verdict, right.verdict) == (Verdict.FAILS, Verdict.HOLDS)
    assert wrong.numbers == {"wrong": 1, "compared": 2}
    part = findings.table_1(table_1(-28, "recomputed from 5 of 36 sections"))
    assert part.verdict == Verdict.UNDECIDED and part.limits
    alone = Results({"table_1": table_1(0)["table_1"][1:2]}, {})
    assert findings.table_1(alone).verdict == Verdict.UNDECIDED


def test_thinning_takes_counts_and_never_adds():
    section = tiny_section("S1", px=224)
    lines = sections_.thinned(section, section.genes.tolist())
    measured, thin = lines.to_dict("records")
    assert measured["UMIs"] == section.counts.sum() and thin["counts"] == "thinned to 10%"
    assert 0.05 * measured["UMIs"] < thin["UMIs"] < 0.2 * measured["UMIs"]
    assert thin["genes seen at all"] <= measured["genes seen at all"]
    assert np.all(lines["genes without variance"].diff().dropna() >= 0)


def test_tiles_are_those_that_are_cut_from_the_image():
    assert {px for px, methods in describe.TILES.items() if "DeepSpaCE" in methods} == {376}
    assert sum(len(methods.split(", ")) for methods in describe.TILES.values()) == 6
