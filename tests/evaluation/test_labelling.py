"""The source of labels: rows follow from the sections and the alignment files."""

from dataclasses import replace

import numpy as np

from compendium.data.readers.her2st import read
from compendium.evaluation.classification import labelling, transfer, transferred
from conftest import tiny_section
from raw_files import raw_path, write_alignment, write_raw


def test_labels_are_described_by_their_source_and_classes():
    labels = np.array(["invasive cancer"] * 3 + ["adipose tissue", "undetermined", ""])
    own = replace(tiny_section(spots=6), labels=labels)
    rows = labelling([own, replace(own, labels_from="C1"), tiny_section("S2", spots=6)])
    assert rows["labels"].tolist() == [
        "its own",
        "transferred from the adjacent section C1",
        "none",
    ]
    assert rows[["with a class", "undetermined"]].to_numpy().tolist() == [[4, 1], [4, 1], [0, 0]]
    assert rows["commonest class"].tolist() == ["invasive cancer", "invasive cancer", ""]
    assert rows["cancer"].tolist()[:2] == [0.75, 0.75] and np.isnan(rows["cancer"][2])


def test_sections_that_share_an_annotated_one_are_named_together():
    sections = [
        replace(tiny_section(name), labels_from=other)
        for name, other in (("C2", "C1"), ("B4", "B1"), ("C3", "C1"), ("C1", ""))
    ]
    assert (
        transferred(sections) == "C2, C3 transferred from the adjacent section C1; "
        "B4 transferred from the adjacent section B1"
    )
    assert transferred(sections[3:]) == ""


def test_agreement_is_measured_for_transferred_labels_only(tmp_path):
    write_raw(tmp_path, ("B1", "B4"))
    for name in ("B1", "B4"):
        write_alignment(tmp_path, name)
    sections = [read(tmp_path, name, 32) for name in ("B1", "B4")]
    (row,) = transfer(sections, tmp_path).to_dict("records")
    assert (
        row["section"],
        row["from"],
        row["agreement"],
        row["aligned spots"],
        row["spots within reach"],
        row["labelled spots"],
    ) == ("B4", "B1", 1, 25, 25, 24)
    raw_path(tmp_path, "B1", "alignment").unlink()
    rows = transfer(sections, tmp_path)
    assert np.isnan(rows["agreement"][0]) and rows["labelled spots"][0] == 24
    assert list(transfer(sections[:1], tmp_path).columns) == list(rows.columns)
