"""Labels of HER2+ spots: read, and carried over from the annotated section of the patient.

How well the alignment agrees is measured, too.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compendium.data.readers.her2st import read
from compendium.data.readers.her2st_labels import (
    agreement,
    aligned_places,
    annotated_section,
    read_alignment,
    read_labels,
    transferred,
)
from compendium.data.section import load
from compendium.errors import BadInput
from raw_files import (
    LABELS,
    PITCH,
    change_cell,
    change_lines,
    raw_path,
    refusal,
    write_alignment,
    write_raw,
)

IDS = np.array(["3x2", "2x2"])


@pytest.fixture
def raw(tmp_path) -> Path:
    """Made-up B1, annotated but for its last spot, and B4 aligned to it spot by spot."""
    write_raw(tmp_path, ("B1", "B4"))
    write_alignment(tmp_path, "B1")
    write_alignment(tmp_path, "B4")
    return tmp_path


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "t.tsv").write_text(text)
    return tmp_path / "t.tsv"


LABEL_TABLE = (
    "Row.names\tx\ty\tpixel_x\tpixel_y\tlabel\n"
    "a\t2.03\t1.97\t1\t1\tadipose tissue\n"
    "b\t2.6\t2.4\t1\t1\tundetermined\n"
    "c\tNA\tNA\t1\t1\tundetermined\n"
)


def test_labels_without_a_position_are_dropped(tmp_path):
    assert list(read_labels(table(tmp_path, LABEL_TABLE), np.array(["3x2", "2x2", "4x4"]))) == [
        "undetermined",
        "adipose tissue",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            LABEL_TABLE.replace("adipose tissue", "fat"),
            ("'fat'", "adipose tissue, immune infiltrate"),
        ),
        (LABEL_TABLE.replace("adipose tissue", ""), ("label ''",)),
        (LABEL_TABLE.replace("adipose tissue", "NA"), ("label 'NA'",)),
        (LABEL_TABLE.replace("label", "class"), ("lacks the column label",)),
        (LABEL_TABLE.replace("2.03", "left"), ("'left' as x",)),
        ("a\tb\n1\t2\t3\n1\t2\t3\t4\n", ("no tab-separated table",)),
    ],
)
def test_a_malformed_label_table_is_refused(tmp_path, text, words):
    message = refusal(lambda: read_labels(table(tmp_path, text), IDS))
    assert all(word in message for word in words)


def test_a_section_takes_the_classes_of_the_annotated_one_and_says_so(raw, tmp_path):
    section = read(raw, "B4", 32)
    assert list(section.labels) == [LABELS[i % 3] for i in range(24)] + [""]
    assert (section.labels_from, section.labels_line) == (
        "B1",
        "transferred from the adjacent section B1",
    )
    named = {
        raw_path(raw, *which).relative_to(raw).as_posix()
        for which in (("B1", "labels"), ("B1", "alignment"), ("B4", "alignment"))
    }
    assert named < set(section.sources) and len(section.sources) == 6
    stored = section.save(tmp_path / "B4")
    assert load(tmp_path / "B4").labels_from == "B1"
    annotated = read(raw, "B1", 32)
    assert (annotated.labels_from, annotated.labels_line) == ("", "") and not any(
        "ST-cluster" in path for path in annotated.sources
    )
    change_cell(raw_path(raw, "B1", "labels"), 1, 5, "cancer in situ")
    assert read(raw, "B4", 32).save(tmp_path / "B4").digest != stored.digest


def test_only_an_annotated_spot_within_half_a_pitch_gives_its_class(raw):
    write_alignment(raw, "B4", moved=PITCH * 0.53)
    right = [*range(1, 5), None]  # the spot to the right is nearer now, the last of a row has none
    expected = [
        "" if x is None or 5 * y + x == 24 else LABELS[(5 * y + x) % 3]
        for y in range(5)
        for x in right
    ]
    assert list(read(raw, "B4", 32).labels) == expected
    write_alignment(raw, "B4", moved=6 * PITCH)
    assert set(read(raw, "B4", 32).labels) == {""}


def test_a_spot_without_alignment_has_no_class(raw):
    write_alignment(raw, "B4", spots=7)
    labels = read(raw, "B4", 32).labels
    assert (labels[:7] != "").all() and (labels[7:] == "").all()


def test_places_of_the_alignment_are_those_of_the_counted_spots(raw):
    write_alignment(raw, "B4", spots=7)
    spots = read(raw, "B4", 32).spots
    places = aligned_places(raw, "B4", spots[::-1])
    assert np.isnan(places[:-7]).all() and not np.isnan(places[-7:]).any()
    table = read_alignment(raw_path(raw, "B4", "alignment"))
    assert places[-1].tolist() == table.loc[spots[0], ["warped_x", "warped_y"]].tolist()


def test_an_alignment_that_is_missing_or_of_other_spots_is_refused(raw):
    with pytest.raises(BadInput, match="has no spot of section B4"):
        aligned_places(raw, "B4", np.array(["99x99"]))
    raw_path(raw, "B4", "alignment").unlink()
    with pytest.raises(BadInput, match="no alignment of section B4 .* compendium fetch her2st"):
        aligned_places(raw, "B4", np.array(["1x1"]))


@pytest.mark.parametrize("which", [("B1", "labels"), ("B1", "alignment"), ("B4", "alignment")])
def test_without_one_of_the_files_there_are_no_labels(raw, which):
    raw_path(raw, *which).unlink()
    section = read(raw, "B4", 32)
    assert (section.labels, section.labels_from, len(section.sources)) == (None, "", 3)


def test_the_annotated_section_is_another_of_the_same_patient():
    assert [annotated_section(name) for name in ("B4", "C6", "G1", "G3", "B1", "G2")] == [
        "B1",
        "C1",
        "G2",
        "G2",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("which", "column", "value", "words"),
    [
        ("alignment", 8, "far", ("/B4-cluster", "'far' as warped_x")),
        ("alignment", 4, "", ("/B4-cluster", "'nan' as x")),
        ("labels", 5, "fat", ("/B1_", "label 'fat'")),
    ],
)
def test_malformed_files_are_refused_by_name(raw, which, column, value, words):
    change_cell(raw_path(raw, "B4" if which == "alignment" else "B1", which), 3, column, value)
    message = refusal(lambda: read(raw, "B4", 32))
    assert all(word in message for word in words)


def test_an_annotation_of_other_spots_is_refused(raw):
    change_lines(
        raw_path(raw, "B1", "labels"), lambda lines: [lines[0], "s\t40\t40\t1\t1\tundetermined"]
    )
    assert "have no spot in common" in refusal(lambda: read(raw, "B4", 32))


def aligned(x: list[float], clusters: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"label": list(clusters), "warped_x": x, "warped_y": 0.0},
        index=[f"{i}x0" for i in range(len(x))],
    )


def test_the_nearest_spot_without_a_class_is_passed_over():
    there = aligned([0, 10, 30], "aaa")
    assert list(
        transferred(
            np.array(["0x0"]), aligned([9], "a"), there, np.array(["", "", "fat"]), reach=25
        )
    ) == ["fat"]
    assert list(
        transferred(
            np.array(["0x0"]), aligned([9], "a"), there, np.array(["", "", "fat"]), reach=20
        )
    ) == [""]


def test_agreement_and_chance(raw):
    clusters = np.arange(25) % 3
    chance = sum((clusters == k).mean() ** 2 for k in range(3))
    assert agreement(raw, "B4") == {
        "spots": 25,
        "median_px": pytest.approx(0),
        "agreement": 1,
        "chance": pytest.approx(chance),
    }
    write_alignment(raw, "B4", moved=PITCH * 0.53)
    rows = np.arange(25).reshape(5, 5)
    nearest = np.hstack([rows[:, 1:], rows[:, -1:]]).ravel()
    assert agreement(raw, "B4")["agreement"] == (clusters == clusters[nearest]).mean() == 5 / 25
    near = agreement(raw, "B4", reach=PITCH / 2)
    assert (near["spots"], near["agreement"]) == (20, 0)


PUBLISHED_AGREEMENT = {
    "C2": (0.57, 0.15),
    "C3": (0.51, 0.15),
    "C4": (0.47, 0.15),
    "C5": (0.42, 0.15),
    "B4": (0.63, 0.30),
    "B2": (0.59, 0.30),
}


def test_agreement_of_the_published_alignments(her2st):
    found = {name: agreement(her2st, name) for name in PUBLISHED_AGREEMENT}
    for name, (share, chance) in PUBLISHED_AGREEMENT.items():
        assert found[name]["agreement"] == pytest.approx(share, abs=0.01), name
        assert found[name]["chance"] == pytest.approx(chance, abs=0.01), name
        assert 110 <= found[name]["median_px"] <= 163, name
