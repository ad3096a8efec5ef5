"""Cohorts of the user's own that cannot be used: one line each, and nothing written."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compendium.__main__ import main
from compendium.data.prepare import prepare
from own_slides import changed, gone, restated, stating
from raw_files import files_below, refusal


def normalised_h5ad(mine: Path) -> None:
    from anndata import AnnData

    AnnData(np.full((6, 5), 0.69, np.float32)).write_h5ad(mine / "S2/counts.h5ad")


def h5ad(dtype: str, spots: list[str]) -> Callable[[Path], None]:
    """Counts of the named spots of S2, stored as numbers of a kind."""

    def write(mine: Path) -> None:
        from anndata import AnnData

        with warnings.catch_warnings(action="ignore"):  # of repeated names
            AnnData(
                np.ones((len(spots), 2), dtype),
                obs=pd.DataFrame(index=spots),
                var=pd.DataFrame(index=["A", "B"]),
            ).write_h5ad(mine / "S2/counts.h5ad")

    return write


def at_one_pixel(mine: Path) -> None:
    table = pd.read_csv(mine / "S2/spots.csv")
    table.assign(pixel_x=100, pixel_y=100).to_csv(mine / "S2/spots.csv", index=False)


def image_folder(mine: Path) -> None:
    (mine / "S1/image.tif").unlink()
    (mine / "S1/image.tif").mkdir()


def hexagonal(mine: Path) -> None:
    restated("    um_per_px: 1.67\n", "")(mine)


FACTS = {
    "no cohort.yaml": (gone("cohort.yaml"), ("unknown cohort: my-slides", "known: demo, her2st")),
    "no YAML": (stating("title: [\n"), ("cohort.yaml is not YAML", "correct it")),
    "no text": (
        lambda mine: (mine / "cohort.yaml").write_bytes(b"title: \xff"),
        ("cohort.yaml is not YAML",),
    ),
    "an empty file": (stating(""), ("must state title, technology",)),
    "a list": (stating("- S1\n- S2\n"), ("must state title, technology",)),
    "no title": (
        restated("title: ", "lab_title: "),
        ("states the unknown key lab_title", "does not state title"),
    ),
    "no technology": (
        restated("technology: Spatial Transcriptomics, 100 µm spots, fresh frozen\n", ""),
        ("does not state technology",),
    ),
    "an empty technology": (
        restated("technology: Spatial Transcriptomics, 100 µm spots, fresh frozen", "technology:"),
        ("states no text as technology",),
    ),
    "no sections": (
        stating("title: T\ntechnology: T\n"),
        ("lists no sections", "{S1: {patient: A}}"),
    ),
    "sections in a list": (
        stating("title: T\ntechnology: T\nsections: [S1]\n"),
        ("lists no sections",),
    ),
    "a section without facts": (
        restated("S1: {patient: A}", "S1:"),
        ("section S1 must state patient",),
    ),
    "no patient": (
        restated("S1: {patient: A}", "S1: {lab: L}"),
        ("section S1 does not state patient",),
    ),
    "an empty patient": (
        restated("S1: {patient: A}", "S1: {patient: }"),
        ("section S1 states no text as patient",),
    ),
    "a misspelt word": (
        restated("S1: {patient: A}", "S1: {patient: A, pitch: 200}"),
        ("section S1 states the unknown key pitch", "pitch_um, label_column, patient"),
    ),
    "classes of one section": (
        restated("S1: {patient: A}", "S1: {patient: A, classes: [tumour]}"),
        ("section S1 states the unknown key classes",),
    ),
    "sections of a section": (
        restated("S1: {patient: A}", "S1: {patient: A, sections: {S9: {patient: B}}}"),
        ("section S1 states the unknown key sections",),
    ),
    "a section that is no folder name": (
        restated("S1: ", "../S1: "),
        ("'../S1' cannot name a section",),
    ),
    "a pitch that is no number": (
        restated("pitch_um: 200", "pitch_um: wide"),
        ("states 'wide' as pitch_um", "number above 0"),
    ),
    "a pitch of nought": (restated("pitch_um: 200", "pitch_um: 0"), ("states '0' as pitch_um",)),
    "an endless scale": (restated("1.67", ".inf"), ("states '.inf' as um_per_px",)),
    "a diameter of nought": (
        restated("pitch_um: 200", "pitch_um: 200\nspot_um: 0"),
        ("states '0' as spot_um", "number above 0"),
    ),
    "an array of another kind": (
        restated("S1: {patient: A}", "S1: {patient: A, array: round}"),
        ("section S1 states 'round' as array, which must be square or hexagonal",),
    ),
    "several mistakes": (
        stating(
            "title: T\ntechnology:\nclasses: tumour\nsections:\n"
            "  S1: {patient: A, pitch: 2}\n  S2: {lab: L}\n  S3: {patient: A, um_per_px: -1}\n"
        ),
        (
            "states no text as technology; states no list of words as classes",
            "; section S1 states the unknown key pitch",
            "; section S2 does not state patient; section S3 states '-1' as um_per_px",
        ),
    ),
    "a patient twice": (
        restated("S1: {patient: A}", "S1: {patient: A, patient: B}"),
        ("cohort.yaml is not YAML (line ", "patient stands twice"),
    ),
    "a section twice": (
        restated("  S1: {patient: A}", "  S1: {patient: A}\n  S1: {patient: B}"),
        ("cohort.yaml is not YAML (line ", "S1 stands twice"),
    ),
    "classes that are no list": (
        restated("pitch_um: 200", "pitch_um: 200\nclasses: tumour"),
        ("states no list of words as classes",),
    ),
    "two scales": (
        restated("    um_per_px: 1.67\n", "    um_per_px: 1.67\n    pitch_um: 100\n"),
        ("states both um_per_px and pitch_um",),
    ),
}
TABLES = {
    "no folder": ("S1", gone("S1"), ("there is no folder", "take the section out of cohort.yaml")),
    "no counts": (
        "S1",
        gone("S1/counts.csv"),
        ("must hold one of counts.h5ad, counts.csv", "has none of them", "spatial/"),
    ),
    "counts twice": (
        "S1",
        lambda mine: (mine / "S1/counts.tsv").write_text(""),
        ("must hold one of", "has counts.csv and counts.tsv"),
    ),
    "no spots": ("S1", gone("S1/spots.csv"), ("must hold one of spots.csv, spots.tsv",)),
    "no scale": (
        "S1",
        restated("pitch_um: 200\n", ""),
        ("scale of its image is not stated", "in cohort.yaml um_per_px or pitch_um"),
    ),
    "the pitch of a hexagonal array": (
        "S2",
        hexagonal,
        ("do not lie on the array", "steps would be 30.0 and 52.0 px"),
    ),
    "x and y of another array": (
        "S1",
        lambda mine: (mine / "S1/spots.csv").write_text(
            re.sub(r"\n(\w+),(\d+),(\d+)", r"\n\1,\g<2>0,\3", (mine / "S1/spots.csv").read_text())
        ),
        ("do not lie on the array",),
    ),
    "places swapped": (
        "S1",
        changed("S1/spots.csv", "spot,x,y,", "spot,y,x,"),
        ("spots lie mirrored in the image", "are swapped"),
    ),
    "pixels swapped": (
        "S1",
        changed("S1/spots.csv", "pixel_x,pixel_y", "pixel_y,pixel_x"),
        ("spots lie mirrored in the image",),
    ),
    "pixels swapped at a stated scale": (
        "S2",
        changed("S2/spots.csv", "pixel_x,pixel_y", "pixel_y,pixel_x"),
        ("spots lie mirrored in the image",),
    ),
    "all spots at one pixel": (
        "S2",
        at_one_pixel,
        ("do not lie on the array", "steps would be 0.0 and 0.0 px"),
    ),
    "two spots on one place": (
        "S1",
        changed("S1/spots.csv", "11x13,11,", "11x13,10,"),
        ("array position 10, 13 (x, y) stands twice",),
    ),
    "a place beyond any array": (
        "S1",
        changed("S1/spots.csv", "10x13,10,", "10x13,99999999999,"),
        ("'99999999999' as x", "numbers within 2,000,000,000"),
    ),
    "a pixel beyond any slide": (
        "S1",
        changed("S1/spots.csv", "120.5,160", "1e300,160"),
        ("'1e+300' as pixel_x",),
    ),
    "spots of a hexagonal array": (
        "S2",
        restated("    array: hexagonal\n", ""),
        ("the spots lie on a hexagonal array", "state array: hexagonal"),
    ),
    "a spot without a row": (
        "S1",
        changed("S1/spots.csv", "\n11x13,", "\n11x99,"),
        ("1 counted spots have no row", "first 11x13"),
    ),
    "a spot twice": (
        "S1",
        changed("S1/spots.csv", "\n11x13,", "\n10x13,"),
        ("spot 10x13 stands 2 times in",),
    ),
    "a spot counted twice": (
        "S1",
        changed("S1/counts.csv", "\n11x13,", "\n10x13,"),
        ("spot 10x13 stands 2 times",),
    ),
    "a gene twice": (
        "S1",
        changed("S1/counts.csv", "TFF3", "COX6C"),
        ("gene COX6C stands 2 times",),
    ),
    "a gene without a name": (
        "S1",
        changed("S1/counts.csv", "TFF3", ""),
        ("'' is no name of a gene",),
    ),
    "a gene with spaces": (
        "S1",
        changed("S1/counts.csv", "TFF3", " TFF3"),
        ("' TFF3' is no name of a gene",),
    ),
    "counts separated by ;": (
        "S1",
        lambda mine: (mine / "S1/counts.csv").write_text(
            (mine / "S1/counts.csv").read_text().replace(",", ";")
        ),
        ("holds no counts (41 spots, 0 genes)", "comma-separated table"),
    ),
    "an underscore in a count": (
        "S1",
        changed("S1/counts.csv", "4,0,2", "4,1_0,2"),
        ("counts.csv line 2 holds '1_0', which is no number (spot 10x13, gene TFF3)",),
    ),
    "h5ad of truths": ("S2", h5ad("bool", ["a", "b"]), ("counts.h5ad holds True and False",)),
    "h5ad of one spot twice": (
        "S2",
        h5ad("float32", ["a", "b", "a"]),
        ("spot a stands 2 times in the counts",),
    ),
    "a label that is no class": (
        "S1",
        restated("pitch_um: 200", "pitch_um: 200\nclasses: [invasive cancer, adipose tissue]"),
        ("label 'connective tissue' is none of invasive cancer, adipose tissue",),
    ),
    "a column missing": (
        "S1",
        changed("S1/spots.csv", "pixel_y", "py"),
        ("lacks the column pixel_y", "comma-separated table with spot, x, y"),
    ),
    "tabs in a csv": (
        "S1",
        lambda mine: (mine / "S1/spots.csv").write_text(
            (mine / "S1/spots.csv").read_text().replace(",", "\t")
        ),
        ("lacks the column spot",),
    ),
    "a pixel that is no number": (
        "S1",
        changed("S1/spots.csv", "120.5", "left"),
        ("'left' as pixel_x",),
    ),
    "a place between two": (
        "S1",
        changed("S1/spots.csv", "10x13,10,", "10x13,10.5,"),
        ("array position 10.5", "x and y count the places"),
    ),
    "a place below 0": (
        "S1",
        changed("S1/spots.csv", "10x13,10,", "10x13,-1,"),
        ("array position -1",),
    ),
    "a spot outside": (
        "S1",
        changed("S1/spots.csv", "120.5,160", "120.5,1500"),
        ("1 spots lie outside the image of 1500 x 1500 px",),
    ),
    "a header without the cell above the spots": (
        "S1",
        changed("S1/counts.csv", ",COX6C", "COX6C"),
        ("has 5 counts for 4 genes", "no cell above the spots"),
    ),
    "counts that are no integers": (
        "S1",
        changed("S1/counts.csv", "4,0,2", "4,0.5,2"),
        ("counts.csv line 2 holds '0.5'", "must be non-negative integers"),
    ),
    "a count beyond int32": (
        "S1",
        changed("S1/counts.csv", "4,0,2", "4,0,3000000000"),
        ("counts.csv line 2 holds '3000000000', which is beyond int32 (spot 10x13, gene FASN)",),
    ),
    "a negative count": (
        "S1",
        changed("S1/counts.csv", "4,0,2", "4,-1,2"),
        ("counts.csv line 2 holds '-1', which is negative",),
    ),
    "counts that are no numbers": (
        "S1",
        changed("S1/counts.csv", "4,0,2", "4,0,2x"),
        ("line 2 holds '2x', which is no number (spot 10x13, gene FASN)",),
    ),
    "counts that are missing": (
        "S1",
        changed("S1/counts.csv", "4,0,2", "4,NA,2"),
        ("line 2 holds 'NA', which is no number (spot 10x13, gene TFF3)",),
    ),
    "no rows": (
        "S1",
        lambda mine: (mine / "S1/counts.csv").write_text(",A,B\n"),
        ("holds no counts",),
    ),
    "bytes that are no text": (
        "S1",
        lambda mine: (mine / "S1/counts.csv").write_bytes(b"\xff,A\nx,1\n"),
        ("truncated or damaged",),
    ),
    "normalised h5ad": (
        "S2",
        normalised_h5ad,
        ("counts.h5ad holds 0.69", "must be non-negative integers; give raw UMI counts"),
    ),
    "a cut h5ad": (
        "S2",
        lambda mine: (mine / "S2/counts.h5ad").write_bytes(
            (mine / "S2/counts.h5ad").read_bytes()[:2000]
        ),
        ("counts.h5ad cannot be read",),
    ),
    "an image that is none": (
        "S2",
        lambda mine: (mine / "S2/image.png").write_bytes(b"no image"),
        ("image.png cannot be read",),
    ),
    "an image that is a folder": (
        "S1",
        image_folder,
        ("S1/image.tif is no file",),
    ),
    "two images": (
        "S2",
        lambda mine: (mine / "S2/image.jpg").write_bytes(b""),
        ("found image.jpg and image.png; keep the one that belongs",),
    ),
    "a Space Ranger output without counts": (
        "S3",
        gone("S3/filtered_feature_bc_matrix.h5"),
        ("no counts under",),
    ),
}
COMMANDS_REFUSED = {
    "a published name": (
        ["her2st", "--from", "{}"],
        ("her2st is a published cohort", "e.g. my-her2st"),
    ),
    "a name that is no folder": (
        ["My Slides", "--from", "{}"],
        ("'My Slides' cannot name a cohort",),
    ),
    "a name above": (["../x", "--from", "{}"], ("'../x' cannot name a cohort",)),
    "another section": (
        ["my-slides", "--from", "{}", "--sections", "S4"],
        ("unknown section of my-slides: S4",),
    ),
    "an unknown cohort": (["my-slides"], ("unknown cohort: my-slides",)),
    "no such folder": (
        ["my-slides", "--from", "{}/nowhere"],
        ("unknown cohort: my-slides", "nowhere/cohort.yaml"),
    ),
    "a generated cohort": (["demo", "--from", "{}/S1"], ("demo is generated",)),
    "a folder without its files": (
        ["her2st", "--from", "{}/S1", "--sections", "B4"],
        ("her2st section B4: no counts file under",),
    ),
}


@pytest.mark.parametrize("what", FACTS)
def test_facts_that_are_refused(mine, home, what):
    damage, words = FACTS[what]
    damage(mine)
    message = refusal(lambda: prepare("my-slides", raw=mine))
    assert [word for word in words if word not in message] == []
    assert str(mine / "cohort.yaml") in message
    assert files_below(home) == set()


@pytest.mark.parametrize("what", TABLES)
def test_sections_that_are_refused(mine, home, what):
    name, damage, words = TABLES[what]
    damage(mine)
    message = refusal(lambda: prepare("my-slides", [name], 32, raw=mine))
    assert [word for word in words if word not in message] == []
    assert message.startswith(f"my-slides section {name}: ")
    assert files_below(home) == set()


@pytest.mark.parametrize(
    "name", ["slide.tif", "image.ome.tif", "image.svs", "S1.JPEG", "scan.ndpi"]
)
@pytest.mark.parametrize("section", ["S1", "S3"])
def test_an_image_under_another_name_is_not_left_out_silently(mine, home, section, name):
    (mine / section / "image.tif").rename(mine / section / name)
    message = refusal(lambda: prepare("my-slides", [section], 32, raw=mine))
    assert f"{mine / section / name} would be left out; give the slide as image.tif" in message
    assert files_below(home) == set()


@pytest.mark.parametrize("what", COMMANDS_REFUSED)
def test_commands_that_are_refused(page_slides, home, capsys, what):
    arguments, words = COMMANDS_REFUSED[what]
    assert main(["prepare", *(word.format(page_slides) for word in arguments)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert [word for word in words if word not in err] == []
    assert files_below(home) == set()
