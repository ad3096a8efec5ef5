"""The Section: what it refuses, what it hides, and that the disk gives back what was saved."""

import copy
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from compendium.data import section as section_file
from compendium.data.readers.slides import cut_tiles
from compendium.data.section import ARRAY_FIELDS, ARRAYS, FACTS, Section, array_facts, load
from compendium.errors import BadInput
from conftest import tiny_section
from raw_files import files_below, refusal

FIELDS = [field.name for field in dataclasses.fields(Section)]


@pytest.fixture
def full() -> Section:
    """A section with every optional part."""
    rng = np.random.default_rng(5)
    labels = np.array(["", "invasive cancer"] * 12)
    thumbnail = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return dataclasses.replace(
        tiny_section(),
        labels=labels,
        thumbnail=thumbnail,
        thumbnail_scale=0.031,
        sources={"raw/S1.tsv": "ab12"},
    )


def bare() -> Section:
    """Counts only."""
    return dataclasses.replace(tiny_section(), stored_tiles=None)


def equal(left, right) -> bool:
    if isinstance(left, csr_matrix):
        return left.dtype == right.dtype and left.shape == right.shape and (left != right).nnz == 0
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return type(left) is type(right) and left == right


def test_what_is_saved_is_what_is_loaded_in_every_field(full, tmp_path):
    for section in (full, bare()):
        section.save(tmp_path / "S1")
        stored = load(tmp_path / "S1")
        assert [
            name
            for name in FIELDS
            if name != "digest" and not equal(getattr(section, name), getattr(stored, name))
        ] == []
        assert len(stored.digest) == 64


def test_save_returns_the_stored_section_with_patches_on_disk(full, tmp_path):
    stored = full.save(tmp_path / "S1")
    assert isinstance(stored.stored_tiles, np.memmap)
    assert not stored.stored_tiles.flags.writeable
    assert files_below(tmp_path) == {"S1/arrays.npz", "S1/patches.npy", "S1/section.json"}


def test_saving_again_replaces_the_section_and_leaves_nothing_beside(full, tmp_path):
    full.save(tmp_path / "S1")
    stored = bare().save(tmp_path / "S1")
    assert stored.stored_tiles is None
    assert files_below(tmp_path) == {"S1/arrays.npz", "S1/section.json"}


def test_equal_content_has_an_equal_digest_wherever_it_lies(full, tmp_path):
    first = full.save(tmp_path / "one" / "S1")
    assert (
        dataclasses.replace(full, digest="another").save(tmp_path / "two" / "S1").digest
        == first.digest
    )
    assert first.save(tmp_path / "three" / "S1").digest == first.digest


def changed(section: Section, name: str) -> Section:
    """The section with the smallest change in one field."""
    if name == "counts":
        counts = section.counts.copy()
        counts.data[3] += 1
        return dataclasses.replace(section, counts=counts)
    value = getattr(section, name)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flat[-1] = "new" if value.dtype.kind == "U" else value.flat[-1] + 1
        return dataclasses.replace(section, **{name: value})
    other = {"sources": {"raw/S1.tsv": "ab13"}, "array": "hexagonal"}.get(
        name, value + "x" if isinstance(value, str) else value
    )
    return dataclasses.replace(
        section, **{name: other + 1e-6 if isinstance(value, float) else other}
    )


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "digest"])
def test_any_change_of_content_changes_the_digest(full, tmp_path, name):
    before = full.save(tmp_path / "before").digest
    assert changed(full, name).save(tmp_path / "after").digest != before


def test_moving_a_count_to_another_gene_changes_the_digest(tmp_path):
    section = bare()
    swapped = dataclasses.replace(section, counts=section.counts[:, [1, 0, *range(2, 12)]])
    assert swapped.save(tmp_path / "b").digest != section.save(tmp_path / "a").digest


def test_every_field_is_a_stored_fact_or_a_stored_array():
    stored = [*FACTS, *ARRAY_FIELDS, "counts", "stored_tiles", "digest"]
    assert sorted(stored) == sorted(FIELDS)


def test_without_counts_the_answer_is_gone(full):
    blind = full.without_counts()
    assert blind.counts is None
    assert blind.labels is None
    kept = [name for name in FIELDS if name not in ("counts", "labels")]
    assert all(getattr(blind, name) is getattr(full, name) for name in kept)
    assert not any(value is full.counts or value is full.labels for value in vars(blind).values())


def test_a_section_cannot_be_changed(full):
    with pytest.raises(dataclasses.FrozenInstanceError):
        full.counts = None


def test_counts_come_in_the_order_of_the_genes_asked_for():
    section = tiny_section()
    dense = section.counts.toarray()
    assert np.array_equal(section.matrix(["G7", "G0"]), dense[:, [7, 0]])
    assert section.matrix(["G7"]).dtype == np.float32
    assert np.array_equal(section.totals(["G7", "G0", "unmeasured"]), dense[:, [0, 7]].sum(axis=1))


def test_repr_is_one_short_line(full):
    assert repr(full) == "<Section tiny/S1: patient P1, 24 spots, 12 genes, 64 px tiles>"
    assert "no image" in repr(bare())


@settings(deadline=None)
@given(stored=st.integers(16, 41), px=st.integers(1, 41))
def test_tiles_are_the_patches_that_would_have_been_cut_at_that_size(stored, px):
    image = np.arange(90 * 80 * 3).reshape(90, 80, 3).astype(np.uint8)
    pixels = np.array([[40.9, 41.2], [37.0, 50.5]], dtype=np.float32)
    section = dataclasses.replace(
        bare(),
        spots=np.array(["1x1", "2x1"]),
        grid=np.ones((2, 2), np.int32),
        pixels=pixels,
        counts=None,
        stored_tiles=cut_tiles(image, pixels, stored),
    )
    if px > stored:
        with pytest.raises(BadInput):
            section.tiles(px)
    else:
        assert np.array_equal(section.tiles(px), cut_tiles(image, pixels, px))
        assert section.tiles(px).base is not None


def test_larger_tiles_than_stored_name_the_cure(full):
    message = refusal(lambda: full.tiles(65))
    assert "65 px asked for, 64 px stored" in message
    assert "compendium prepare tiny --tile-px 65" in message


def test_tiles_without_an_image_say_so():
    assert "tiny section S1 has no image" in refusal(lambda: bare().tiles(32))


def test_a_gene_that_was_not_measured_is_named():
    message = refusal(lambda: tiny_section().matrix(["G1", "KRT99", "KRT98"]))
    assert "2 genes" in message
    assert "KRT99" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"spots": np.array(["1x1"] * 2 + [f"{i}x2" for i in range(22)])},
            ("spot 1x1 stands 2 times",),
        ),
        (
            {"genes": np.array(["FN1"] * 3 + [f"G{i}" for i in range(9)])},
            ("gene FN1 stands 3 times",),
        ),
        ({"grid": np.zeros((23, 2), np.int32)}, ("23 rows of grid for 24 spots",)),
        ({"pixels": np.zeros((25, 2), np.float32)}, ("25 rows of pixels for 24 spots",)),
        ({"labels": np.array(["a"])}, ("1 rows of labels for 24 spots",)),
        (
            {"stored_tiles": np.zeros((2, 8, 8, 3), np.uint8)},
            ("2 rows of stored_tiles for 24 spots",),
        ),
        ({"counts": csr_matrix((24, 11), dtype=np.int32)}, ("(24, 11)", "24 spots", "12 genes")),
        (
            {"counts": csr_matrix(np.where(np.eye(24, 12, 3) > 0, -4, 1))},
            ("-4, which is negative",),
        ),
        (
            {"counts": csr_matrix(np.where(np.eye(24, 12, 3) > 0, 2.5, 1))},
            ("2.5, which is no integer",),
        ),
        (
            {"counts": csr_matrix(np.where(np.eye(24, 12, 3) > 0, np.nan, 1))},
            ("nan, which is no number",),
        ),
        (
            {"counts": csr_matrix(np.where(np.eye(24, 12, 3) > 0, np.inf, 1))},
            ("inf, which is no integer",),
        ),
        (
            {"counts": csr_matrix(np.where(np.eye(24, 12, 3) > 0, 3e9, 1))},
            ("3e+09, which is beyond int32",),
        ),
    ],
)
def test_what_no_later_step_could_repair_is_refused(change, words):
    section = copy.copy(tiny_section())
    for name, value in change.items():
        object.__setattr__(section, name, value)
    message = refusal(
        section.__post_init__
    )  # not through __init__, whose shapes the tests' type checker would refuse first
    assert message.startswith("tiny section S1: ")
    assert all(word in message for word in words)


def test_whole_numbers_stored_as_floats_are_counts():
    counts = csr_matrix(tiny_section().counts, dtype=np.float32)
    assert dataclasses.replace(tiny_section(), counts=counts).counts.dtype == np.float32


def test_a_section_that_was_not_prepared_names_the_command(tmp_path):
    message = refusal(lambda: load(tmp_path / "her2st" / "C2"))
    assert "compendium prepare her2st --sections C2" in message
    assert str(tmp_path) in message


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sections") / "S1"
    tiny_section(spots=6, px=16).save(folder)
    return folder


@pytest.mark.parametrize("name", ["arrays.npz", "patches.npy", "section.json"])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 0.9999))
def test_a_file_cut_anywhere_is_reported_with_its_folder(prepared, name, share):
    whole = (prepared / name).read_bytes()
    (prepared / name).write_bytes(whole[: int(share * len(whole))])
    try:
        message = refusal(lambda: load(prepared))
    finally:
        (prepared / name).write_bytes(whole)
    assert f"the prepared section in {prepared} is damaged" in message
    assert "prepare it again" in message


def replace_arrays(folder, **changes) -> None:
    with np.load(folder / "arrays.npz") as stored:
        arrays = dict(stored) | changes
    np.savez(
        folder / "arrays.npz",
        **{name: array for name, array in arrays.items() if array is not None},
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"counts_data": None},
        {"spots": None},
        {"counts_indptr": np.array([0, 1])},
        {"grid": np.zeros((2, 2), np.int32)},
        {"stray": np.ones(2)},
    ],
)
def test_arrays_that_do_not_belong_together_are_damage(prepared, tmp_path, changes):
    folder = tmp_path / "S1"
    load(prepared).save(folder)
    replace_arrays(folder, **changes)
    assert f"the prepared section in {folder} is damaged" in refusal(lambda: load(folder))


def test_facts_that_are_missing_are_damage(prepared, tmp_path):
    folder = tmp_path / "S1"
    load(prepared).save(folder)
    facts = json.loads((folder / "section.json").read_text())
    del facts["patient"]
    (folder / "section.json").write_text(json.dumps(facts))
    assert f"the prepared section in {folder} is damaged" in refusal(lambda: load(folder))


def test_no_pickle_is_loaded(prepared, tmp_path):
    folder = tmp_path / "S1"
    load(prepared).save(folder)
    replace_arrays(folder, spots=np.array([f"{i}x1" for i in range(6)], dtype=object))
    assert "allow_pickle=False" in refusal(lambda: load(folder))


@pytest.mark.parametrize("at", ["savez", "save"])
def test_an_interrupted_save_leaves_the_old_section(full, tmp_path, monkeypatch, at):
    before = full.save(tmp_path / "S1")
    files = files_below(tmp_path)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(section_file.np, at, interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny_section(seed=1).save(tmp_path / "S1")
    monkeypatch.undo()
    assert load(tmp_path / "S1").digest == before.digest
    assert files_below(tmp_path) == files
    assert [path.name for path in tmp_path.iterdir()] == ["S1"]


@pytest.mark.parametrize(
    "words", [{"array": "round"}, {"spot_um": 0.0}, {"spot_um": np.inf}, {"spot_pitch_um": -1.0}]
)
def test_an_array_that_cannot_be_is_refused(words):
    assert next(iter(words)) in refusal(lambda: dataclasses.replace(tiny_section(), **words))


@pytest.mark.parametrize(
    ("array", "sources"),
    [("square", {"a.csv": "1"}), ("hexagonal", {"spatial/tissue_positions_list.csv": "1"})],
)
def test_the_usual_array_of_the_files_is_not_stored_and_any_other_is(tmp_path, array, sources):
    section = dataclasses.replace(bare(), sources=sources, **array_facts(array))
    stored = section.save(tmp_path / "S1")
    facts = json.loads((tmp_path / "S1" / "section.json").read_text())
    assert not {"array", "spot_um", "spot_pitch_um", "spot_set"} & set(facts)
    assert (stored.array, stored.spot_um, stored.spot_pitch_um) == (array, *ARRAYS[array])
    wide = dataclasses.replace(section, spot_um=10.0).save(tmp_path / "S2")
    assert wide.spot_um == 10 and wide.digest != stored.digest
