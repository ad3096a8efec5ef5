"""Cohorts of the user's own: how their folders are read, and where their facts are known."""

import gzip

import numpy as np
import pandas as pd
import pytest
import yaml

from compendium.__main__ import main
from compendium.data.prepare import folder, open_sections, prepare, prepared_names
from compendium.data.readers import custom as own
from compendium.data.sources import catalogue, cohort
from compendium.runs import plan_runs
from own_slides import gone, restated, stating
from raw_files import files_below, real_section, refusal, write_raw
from space_ranger import section


def test_an_exported_section_comes_back_as_it_was(page_slides):
    one, other = (
        section(page_slides.parent / "other"),
        own.read(page_slides, own.facts("mine", page_slides), "S2", 32),
    )
    assert other.counts.toarray().tolist() == one.counts.toarray().tolist()
    assert np.array_equal(other.grid, one.grid) and np.array_equal(other.pixels, one.pixels)
    assert np.array_equal(other.stored_tiles, one.stored_tiles)
    assert list(other.genes) == list(one.genes)
    assert other.um_per_px == 1.67 and other.technology == "10x Visium, 55 µm spots, fresh frozen"


@pytest.mark.parametrize("form", own.COUNTS)
def test_counts_of_every_form(page_slides, mine, form):
    table = pd.read_csv(mine / "S1/counts.csv", index_col=0)
    (mine / "S1/counts.csv").unlink()
    path = mine / "S1" / form
    if form == "counts.h5ad":
        from anndata import AnnData

        AnnData(table.astype(np.float32)).write_h5ad(path)
    else:
        text = table.to_csv(sep="," if ".csv" in form else "\t").encode()
        path.write_bytes(gzip.compress(text) if form.endswith(".gz") else text)
    found, first = (
        own.read(root, own.facts("mine", root), "S1", 32) for root in (mine, page_slides)
    )
    assert (
        np.array_equal(found.counts.toarray(), table.to_numpy()) and found.counts.dtype == np.int32
    )
    assert list(found.genes) == list(first.genes) and list(found.spots) == list(first.spots)
    assert form in found.sources


def test_quoted_tables_and_tabbed_spots_in_another_order(page_slides, mine):
    counts, spots = mine / "S1/counts.csv", mine / "S1/spots.csv"
    counts.write_text(
        "\n".join(
            ",".join(cell if cell.isdigit() else f'"{cell}"' for cell in line.split(","))
            for line in counts.read_text().splitlines()
        )
    )
    header, *rows = spots.read_text().splitlines()
    (mine / "S1/spots.tsv").write_text(
        "\n".join(line.replace(",", "\t") for line in [header, *reversed(rows), "99x99,99,99,1,1,"])
    )
    spots.unlink()
    found, first = (
        own.read(root, own.facts("mine", root), "S1", 32) for root in (mine, page_slides)
    )
    assert list(found.genes) == list(first.genes) and list(found.spots) == list(first.spots)
    assert np.array_equal(found.pixels, first.pixels) and np.array_equal(found.labels, first.labels)
    assert np.array_equal(found.stored_tiles, first.stored_tiles)


def test_without_an_image_it_is_counts_only(mine):
    (mine / "S1/image.tif").unlink()
    found = own.read(mine, own.facts("mine", mine), "S1", 32)
    assert found.stored_tiles is None and found.um_per_px == pytest.approx(1)


def test_a_real_section_in_a_folder_of_ones_own_is_the_one_that_is_published(her2st, tmp_path):
    source = "data/{}/C2"
    (tmp_path / "S").mkdir()
    (tmp_path / "cohort.yaml").write_text(
        "title: One\ntechnology: 'ST, 100 µm spots'\npitch_um: 200\nsections: {S: {patient: C}}\n"
    )
    (tmp_path / "S/counts.tsv.gz").symlink_to(her2st / f"{source.format('ST-cnts')}.tsv.gz")
    (image,) = (her2st / "data/ST-imgs/C/C2").iterdir()
    (tmp_path / "S/image.jpg").symlink_to(image)
    table = pd.read_csv(her2st / f"{source.format('ST-spotfiles')}_selection.tsv", sep="\t")
    table["spot"] = table["x"].astype(str) + "x" + table["y"].astype(str)
    table[list(own.COLUMNS)].to_csv(tmp_path / "S/spots.csv", index=False)
    ours, theirs = (
        own.read(tmp_path, own.facts("mine", tmp_path), "S", 224),
        real_section(her2st, "C2"),
    )
    for what in ("spots", "genes", "grid", "pixels", "stored_tiles", "thumbnail"):
        assert np.array_equal(getattr(ours, what), getattr(theirs, what)), what
    assert (ours.counts != theirs.counts).nnz == 0 and ours.counts.sum() > 1_000_000
    assert ours.um_per_px == theirs.um_per_px
    assert ours.labels is None


def test_what_is_left_out_has_a_default(tmp_path):
    stating(
        "title: Slides\ntechnology: Visium\nsections:\n"
        "  S1: {patient: 010}\n  2: {patient: ' NO ', lab: 'L  2 '}\n"
    )(tmp_path)
    facts = own.facts("mine", tmp_path)
    assert (facts.licence, facts.attribution) == ("not stated", "H&E image: Slides, not published")
    assert [(s.name, s.patient, s.lab, s.technology) for s in facts.sections.values()] == [
        ("S1", "010", "not stated", "Visium"),
        ("2", "NO", "L 2", "Visium"),
    ]


def test_a_section_has_its_own_scale_or_the_cohorts(page_slides):
    sections = own.facts("mine", page_slides).sections
    assert {name: (s.um_per_px, s.pitch_um) for name, s in sections.items()} == {
        "S1": (0, 200),
        "S2": (1.67, 0),
        "S3": (0, 200),
    }


def test_the_catalogue_knows_what_was_prepared_here_and_only_that(page_slides, home):
    assert "my-slides" not in catalogue()
    prepare("my-slides", ["S2"], 32, raw=page_slides)
    assert cohort("my-slides") == own.facts("my-slides", page_slides) == catalogue()["my-slides"]
    assert prepared_names("my-slides") == ["S2"]
    assert files_below(home / "sections") == {
        "my-slides/cohort.yaml",
        *(f"my-slides/S2/{name}" for name in ("arrays.npz", "patches.npy", "section.json")),
    }
    assert "my-slides is a cohort of your own; give --from FOLDER" in refusal(
        lambda: prepare("my-slides")
    )
    assert "did you mean my-slides?" in refusal(lambda: cohort("my-slide"))
    assert "run compendium prepare my-slides --sections S1" in refusal(
        lambda: open_sections("my-slides")
    )


def test_nobody_can_take_a_published_name(home, page_slides):
    own.save_facts(own.facts("her2st", page_slides))
    assert len(cohort("her2st").sections) == len(catalogue()["her2st"].sections) == 36


def test_a_refused_section_leaves_what_was_prepared(mine, home):
    prepare("my-slides", ["S1"], 32, raw=mine)
    before = {path: (home / path).read_bytes() for path in files_below(home)}
    gone("S2/counts.h5ad")(mine)
    refusal(lambda: prepare("my-slides", ["S2", "S1"], 32, raw=mine))
    assert {path: (home / path).read_bytes() for path in files_below(home)} == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("S1: {patient: A}", "S1: {patient: C}", "patient A, and is now stated to be of C"),
        (
            "S1: {patient: A}",
            "S1: {patient: A, lab: L2}",
            "lab Lab 1, and is now stated to be of L2",
        ),
        (
            "S1: {patient: A}",
            "S1: {patient: A, technology: T}",
            "technology Spatial Transcriptomics, 100 µm spots, fresh frozen, "
            "and is now stated to be of T",
        ),
        (
            "S1: {patient: A}",
            "S1: {patient: A, pitch_um: 100}",
            "um_per_px 1, and is now stated to be of 0.5",
        ),
        (
            "S1: {patient: A}",
            "S1: {patient: A, um_per_px: 9}",
            "um_per_px 1, and is now stated to be of 9",
        ),
    ],
)
def test_a_fact_that_changed_is_noticed_when_a_section_is_opened(mine, home, old, new, words):
    prepare("my-slides", ["S1", "S2", "S3"], 32, raw=mine)
    restated(old, new)(mine)
    prepare("my-slides", ["S2"], 32, raw=mine)
    message = refusal(lambda: open_sections("my-slides", ["S1"]))
    assert f"S1 was prepared as of {words}; prepare it again" in message
    assert [section.name for section in open_sections("my-slides", ["S2", "S3"])] == ["S2", "S3"]
    prepare("my-slides", ["S1"], 32, raw=mine)
    assert open_sections("my-slides", ["S1"])[0].name == "S1"


def test_a_scale_that_is_stated_for_all_leaves_a_space_ranger_output_as_it_is(mine, home):
    restated("pitch_um: 200", "um_per_px: 9")(mine)
    prepare("my-slides", ["S3"], 32, raw=mine)
    assert open_sections("my-slides", ["S3"])[0].um_per_px == pytest.approx(1.67, abs=0.01)


def test_labels_and_spots_are_the_text_that_stands_there(mine):
    counts, spots = mine / "S1/counts.csv", mine / "S1/spots.csv"
    counts.write_text(counts.read_text().replace("\n10x13,", "\nNA,"))
    head, first, *rest = spots.read_text().splitlines()
    words = ["None", " ", "null", "1", "2", "nan"]
    lines = [
        head,
        first.replace("10x13", "NA", 1).replace("invasive cancer", "NA"),
        *(f"{line.rsplit(',', 1)[0]},{word}" for line, word in zip(rest, words, strict=False)),
    ]
    spots.write_bytes(b"\xef\xbb\xbf" + "\n".join([*lines, *rest[len(words) :]]).encode())
    found = own.read(mine, own.facts("mine", mine), "S1", 32)
    assert found.labels[:7].tolist() == ["NA", "None", "", "null", "1", "2", "nan"]
    assert found.spots[0] == "NA"


def test_a_row_that_ends_before_the_label_has_none_and_the_others_keep_theirs(mine):
    spots = mine / "S1/spots.csv"
    head, first, *rest = spots.read_text().splitlines()
    spots.write_text("\n".join([head, first.rpartition(",")[0], *rest]))
    labels = own.read(mine, own.facts("mine", mine), "S1", 32).labels.tolist()
    assert labels == ["", *(line.rpartition(",")[2] for line in rest)]


def test_spots_in_one_line_need_a_stated_scale(mine):
    restated("S1: {patient: A}", "S1: {patient: A, um_per_px: 2}")(mine)
    counts = mine / "S1/counts.csv"
    counts.write_text("\n".join(counts.read_text().splitlines()[:4]))
    found = own.read(mine, own.facts("mine", mine), "S1", 32)
    assert len(found) == 3 and found.um_per_px == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "title: [",
        "- a",
        "title: T\n",
        yaml.safe_dump({"title": "T", "technology": "T", "sections": ["S1"]}),
    ],
)
def test_damaged_facts_name_their_file_and_no_published_cohort_suffers(page_slides, home, text):
    prepare("my-slides", ["S2"], 32, raw=page_slides)
    (home / "sections/my-slides/cohort.yaml").write_text(text)
    message = refusal(lambda: open_sections("my-slides"))
    assert (
        str(home / "sections/my-slides/cohort.yaml") in message
        and "prepare my-slides --from FOLDER again" in message
    )
    assert len(cohort("her2st").sections) == 36
    assert prepare("my-slides", ["S2"], 32, raw=page_slides)[0].name == "S2"
    assert open_sections("my-slides", ["S2"])[0].patient == "A"


def test_one_patient_alone_cannot_be_left_out(page_slides, home):
    sections = prepare("my-slides", ["S1", "S2"], 32, raw=page_slides)
    assert "leaving out patient A leaves no section to train on" in refusal(
        lambda: plan_runs(
            "my-slides", sections, ["section-out", "patient-out"], ["mean"], panel="all"
        )
    )


def test_raw_files_of_a_published_cohort_may_lie_anywhere(tmp_path, home, capsys):
    raw = write_raw(tmp_path / "clone", ("B4", "C2"))
    assert main(["prepare", "her2st", "--from", str(raw), "--tile-px", "32"]) == 0
    assert "<Section her2st/C2" in capsys.readouterr().out
    assert {path.name for path in (home / "sections" / "her2st").iterdir()} == {"B4", "C2"}
    assert (folder("her2st", "B4") / "section.json").exists()
