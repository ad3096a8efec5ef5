"""Which sections there are to prepare, and which lie prepared."""

import numpy as np

from compendium.data.prepare import folder, one_by_one, open_sections, prepare, prepared_names
from conftest import tiny_section
from raw_files import write_raw


def test_without_names_all_sections_with_counts_are_prepared(tmp_path, home):
    raw = write_raw(tmp_path / "raw")
    assert [section.name for section in prepare("her2st", tile_px=16, raw=raw)] == ["B4", "C2"]
    assert prepared_names("her2st") == ["B4", "C2"]


def test_prepared_names_come_in_the_order_of_the_catalogue(home):
    assert prepared_names("her2st") == []
    for name in ("C1", "A2"):
        tiny_section(name).save(folder("her2st", name))
    assert prepared_names("her2st") == ["A2", "C1"]
    opened = one_by_one("her2st", ["C1", "A2"])
    assert [section.name for section in opened] == ["C1", "A2"]
    assert np.array_equal(
        open_sections("her2st", ["A2"])[0].counts.data, tiny_section("A2").counts.data
    )


def test_a_generated_cohort_is_always_there(home):
    assert len(prepared_names("demo")) == 9
