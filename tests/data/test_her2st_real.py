"""The HER2+ reader on the published files: their known numbers."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.data.readers.her2st import read, read_spots
from compendium.data.readers.her2st_labels import read_labels
from compendium.data.readers.tables import measured
from compendium.data.sources import cohort
from raw_files import LABELS, counted_spots, raw_path, real_section

SPOTS = {  # spots of each section in order, counted in the public count tables
    "A": (346, 325, 359, 343, 332, 360),
    "B": (295, 270, 298, 283, 289, 277),
    "C": (176, 187, 180, 184, 181, 178),
    "D": (306, 303, 301, 302, 306, 315),
    "E": (587, 572, 570),
    "F": (691, 695, 712),
    "G": (441, 467, 463),
    "H": (613, 603, 510),
}
CLASSES = (
    "invasive cancer",
    "connective tissue",
    "adipose tissue",
    "immune infiltrate",
    "cancer in situ",
    "breast glands",
    "undetermined",
)
LABELLED = {
    "A1": (282, 24, 12, 2, 21, 0, 5),
    "B1": (63, 95, 70, 0, 0, 41, 26),
    "C1": (127, 37, 3, 0, 0, 0, 9),
    "D1": (139, 109, 0, 7, 0, 0, 51),
    "E1": (340, 17, 0, 177, 0, 0, 53),
    "F1": (577, 56, 0, 26, 0, 0, 32),
    "G2": (140, 110, 98, 17, 20, 17, 65),
    "H1": (90, 169, 112, 23, 97, 39, 83),
}
CARRIED = {"B4": (44, 47, 15, 0, 0, 26, 12), "C2": (81, 16, 3, 0, 0, 0, 7)}
NAMES = [f"{patient}{i}" for patient, spots in SPOTS.items() for i in range(1, len(spots) + 1)]


def test_36_sections_of_13620_spots_each_with_its_place(her2st):
    found = {name: counted_spots(her2st, name) for name in NAMES}
    assert set(found) == set(cohort("her2st").sections)
    assert {
        patient: tuple(len(found[name]) for name in NAMES if name[0] == patient)
        for patient in SPOTS
    } == SPOTS
    assert sum(map(len, found.values())) == 13_620
    for name, spots in found.items():
        table = read_spots(raw_path(her2st, name, "spots"), spots)
        assert list(table.index) == list(spots)
        pitch = 1 / measured(
            1.0, table[["x", "y"]].to_numpy(), table[["pixel_x", "pixel_y"]].to_numpy()
        )
        assert pitch == pytest.approx(218.5 if name[0] == "A" else 291.5, rel=0.01)


def test_labels_are_exactly_the_published_ones(her2st):
    labels = {
        name: read_labels(raw_path(her2st, name, "labels"), counted_spots(her2st, name))
        for name in LABELLED
    }
    found = {
        name: tuple(int((each == label).sum()) for label in CLASSES)
        for name, each in labels.items()
    }
    assert found == LABELLED
    assert all(len(labels[name]) == sum(LABELLED[name]) for name in LABELLED)


def test_only_eight_sections_are_labelled():
    assert set(LABELS) == set(CLASSES)
    assert {
        name
        for name in NAMES
        if any("/ST-pat/" in path for path in cohort("her2st").section(name).files)
    } == set(LABELLED)


def test_real_sections_have_the_known_size_and_resolution(her2st):
    assert_known(her2st, "C2", 187, 15_706)
    assert_known(her2st, "B4", 283, 15_289)


def assert_known(her2st: Path, name: str, spots: int, genes: int) -> None:
    section = real_section(her2st, name)
    assert section.counts.shape == (spots, genes)
    assert list(section.spots) == list(counted_spots(her2st, name))
    assert section.um_per_px == pytest.approx(0.686, rel=0.01)
    assert section.patient == name[0]
    first = cohort("her2st").section(f"{name[0]}1").files
    known = cohort("her2st").section(name).files | {
        path: blob for path, blob in first.items() if "ST-cluster" in path or "ST-pat" in path
    }
    assert (section.labels_from, section.sources) == (f"{name[0]}1", known)
    assert {label: int((section.labels == label).sum()) for label in CLASSES} == dict(
        zip(CLASSES, CARRIED[name], strict=True)
    )
    totals = np.asarray(section.counts.sum(axis=1)).ravel()
    low, high = {"B": (640, 1490), "C": (7700, 12400)}[name[0]]
    assert low <= np.median(totals) <= high


def test_real_tiles_show_the_image_at_the_spots(her2st, monkeypatch):
    section = real_section(her2st, "C2")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(raw_path(her2st, "C2", "image")) as image:
        width, height = image.size
        assert (width, height) == pytest.approx((9270, 9910), rel=0.02)
        whole = np.asarray(image)
    x, y = np.floor(section.pixels).astype(int).T
    assert section.stored_tiles.shape == (187, 224, 224, 3)
    assert np.array_equal(section.stored_tiles[:, 112, 112], whole[y, x])
    assert np.array_equal(
        section.stored_tiles[100], whole[y[100] - 112 : y[100] + 112, x[100] - 112 : x[100] + 112]
    )
    assert section.thumbnail.shape == (
        round(height * section.thumbnail_scale),
        round(width * section.thumbnail_scale),
        3,
    )
    centres = section.thumbnail[
        (y * section.thumbnail_scale).astype(int), (x * section.thumbnail_scale).astype(int)
    ].astype(float)
    mean_colour = section.stored_tiles[:, 96:128, 96:128].mean(axis=(1, 2))
    assert np.corrcoef(centres.ravel(), mean_colour.ravel())[0, 1] > 0.8


def test_real_counts_are_the_numbers_in_the_file(her2st):
    section = real_section(her2st, "C2")
    with gzip.open(raw_path(her2st, "C2", "counts"), "rt") as lines:
        assert next(lines).rstrip("\n").split("\t")[1:] == list(section.genes)
        for row in range(3):
            spot, *values = next(lines).split("\t")
            assert section.spots[row] == spot
            assert np.array_equal(section.counts[row].toarray()[0], np.array(values, dtype=int))


def test_a_real_section_without_image_is_counts_only(her2st):
    assert not raw_path(her2st, "C6", "image").exists()
    section = read(her2st, "C6", 224)
    assert (len(section), section.stored_tiles, section.thumbnail) == (178, None, None)
