"""What a run is shown: filtered spots, stains, corrected counts, Harmony."""

import dataclasses
import sys

import numpy as np
import pandas as pd
import pytest

from compendium.data.section import Section
from compendium.data.splits import MATCHED, Split, folds
from compendium.data.targets.harmony import harmonised
from compendium.evaluation.correlation import pcc
from compendium.evaluation.scores import score
from compendium.images.tissue_filter import not_white
from compendium.runs import execute, plan_run, run_once
from compendium.runs.executors.local import Serial
from compendium.runs.inputs.prepare import stained, training_set
from compendium.runs.study import cost
from conftest import tiny_section
from raw_files import refusal


def pictured(name: str, patient: str, tint: float = 1.0) -> Section:
    """A tiny section with an image of two stains and tiles of which a fifth are white."""
    section, rng = tiny_section(name, patient), np.random.default_rng([7, *map(ord, name)])
    amount = rng.gamma(2, 0.4, (60, 60, 2)) * np.where(
        rng.random((60, 60, 1)) < 0.5, [1, 0.05], [0.05, 1]
    )
    slide = np.round(
        255 * np.exp(-amount @ np.array([[0.65, 0.70, 0.29], [0.20 * tint, 0.95, 0.25]]))
    ).astype(np.uint8)
    slide[:20] = 255
    patches = section.stored_tiles.copy()
    patches[::5] = 255
    return dataclasses.replace(
        section,
        stored_tiles=patches,
        thumbnail=slide,
        thumbnail_scale=0.1,
        digest=f"{section.digest}-pictured-{tint}",
    )


SECTIONS = [
    pictured("S1", "P1"),
    pictured("S2", "P1", 2.0),
    pictured("S3", "P2", 3.0),
    pictured("S4", "P3"),
]
GENES = list(SECTIONS[0].genes)
SPLIT = Split("section-out", ("S2", "S3"), ("S4",), ("S1",), "section S1")


def smoke(method: str = "ridge", split: Split = SPLIT, **words):
    return plan_run(
        "tiny",
        split,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


# ---- spots


def test_only_the_kept_spots_are_trained_on_and_every_spot_is_predicted(home):
    record = run_once(smoke("stnet", spots="deepspace"), SECTIONS, "cpu")
    kept = [not_white(section.tiles(32)) for section in SECTIONS[1:3]]
    assert 0 < sum(map(np.sum, kept)) == record.facts["training_spots"] < 48
    assert record.predictions["S1"].shape == (24, 12)
    assert not np.array_equal(
        record.predictions["S1"], run_once(smoke("stnet"), SECTIONS, "cpu").predictions["S1"]
    )
    parts, _ = training_set(smoke(spots="deepspace"), SECTIONS)
    for part, rows, section in zip(parts, kept, SECTIONS[1:3], strict=True):
        np.testing.assert_array_equal(part.rows, np.flatnonzero(rows))
        assert part.section.spots.tolist() == section.spots[rows].tolist()


def test_training_sets_are_filtered_before_they_are_matched():
    made = [fold for rule in MATCHED for fold in folds(rule, SECTIONS)]
    white = {
        section.name: set(np.flatnonzero(~not_white(section.tiles(32)))) for section in SECTIONS
    }
    smallest = min(sum(24 - len(white[name]) for name in fold.train) for fold in made)
    for fold in made:
        parts, _ = training_set(smoke(split=fold, spots="deepspace"), SECTIONS)
        assert sum(len(part.section) for part in parts) == smallest
        for part in parts:
            assert part.section.spots.tolist() == part.full_section.spots[part.rows].tolist()
            assert not white[part.full_section.name] & set(part.rows)


# ---- stain


def test_all_sections_are_seen_in_the_stains_of_the_first_training_section(home):
    seen = stained(smoke(stain="vahadane"), SECTIONS)
    for name in ("S1", "S2", "S3", "S4"):
        tissue = seen[name].stored_tiles[0].astype(int)
        assert seen[name].digest != next(s.digest for s in SECTIONS if s.name == name)
        assert (tissue == 255).all()  # a white tile stays white
    other = stained(
        smoke(stain="vahadane", split=dataclasses.replace(SPLIT, train=("S3", "S2"))), SECTIONS
    )
    assert not np.array_equal(other["S1"].stored_tiles, seen["S1"].stored_tiles)
    assert stained(smoke(), SECTIONS)["S1"] is SECTIONS[0]


def changed(run) -> set[str]:
    seen = stained(run, SECTIONS)
    return {section.name for section in SECTIONS if seen[section.name].digest != section.digest}


def test_who_is_seen_in_other_stains(home):
    """A normaliser maps every section, or those trained on; stains are drawn for those alone."""
    assert changed(smoke(stain="reinhard")) == {"S1", "S2", "S3", "S4"}
    assert changed(smoke(stain="reinhard", stain_test=False)) == {"S2", "S3"}
    for word in ("hed-light", "randstainna"):
        assert (
            changed(smoke(stain=word))
            == changed(smoke(stain=word, stain_test=False))
            == {"S2", "S3"}
        )


def test_what_is_fitted_is_fitted_on_training_sections(home):
    """A test section of another colour changes no training tile."""
    red = dataclasses.replace(SECTIONS[0], stored_tiles=SECTIONS[0].stored_tiles // 2, digest="red")
    for word in ("randstainna", "macenko"):
        before, after = (
            stained(smoke(stain=word), sections)["S2"].digest
            for sections in (SECTIONS, [red, *SECTIONS[1:]])
        )
        assert before == after


def test_the_published_protocol_leaves_test_sections_as_they_are():
    words = {
        "protocol": "published",
        "encoder": "own",
        "budget": "full",
        "panel": "hvg_769",
        "sections": SECTIONS,
    }
    run = plan_run("tiny", folds("section-out", SECTIONS)[0], "hist2st", stain="reinhard", **words)
    assert (run.stain_test, run.line) == (False, "published, except stain = reinhard")
    assert (
        plan_run(
            "tiny", folds("section-out", SECTIONS)[0], "hist2st", **words, stain_test=True
        ).line
        == "published, except stain_test = True"
    )
    assert (
        smoke().stain_test
        and "stain_test = False" in smoke(stain="reinhard", stain_test=False).line
    )


def test_a_run_in_other_stains_is_another_run_and_knows_no_test_counts(home):
    plain, stained = smoke("stnet"), smoke("stnet", stain="vahadane")
    assert plain.identity(SECTIONS) != stained.identity(SECTIONS)
    first = run_once(stained, SECTIONS, "cpu")
    assert not np.array_equal(
        first.predictions["S1"], run_once(plain, SECTIONS, "cpu").predictions["S1"]
    )
    assert first.facts["data"] == {section.name: section.digest for section in SECTIONS}
    deeper = [
        dataclasses.replace(SECTIONS[0], counts=SECTIONS[0].counts * 7, digest="deeper"),
        *SECTIONS[1:],
    ]
    np.testing.assert_array_equal(
        run_once(stained, deeper, "cpu").predictions["S1"], first.predictions["S1"]
    )


def test_the_features_that_are_left_are_those_of_the_stained_sections(home):
    run = smoke(stain="vahadane")
    assert cost.features_left([run], SECTIONS, "cpu") > 0
    run_once(run, SECTIONS, "cpu")
    assert (
        cost.features_left([run], SECTIONS, "cpu")
        == 0
        < cost.features_left([smoke()], SECTIONS, "cpu")
    )


# ---- words


def test_the_line_says_what_departs_from_the_protocol():
    assert (
        "panel = all, spots = deepspace, stain = vahadane, encoder = colour"
        in smoke(spots="deepspace", stain="vahadane").line
    )
    for method, word, value in (
        ("stimage", "spots", "stimage"),
        ("deepspace", "spots", "deepspace"),
        ("bleep", "scale", "0-255-bgr"),
    ):
        words = {"protocol": "published", "encoder": "own", "budget": "full", "panel": "hvg_769"}
        run = plan_run(
            "tiny", folds("section-out", SECTIONS)[0], method, sections=SECTIONS, **words
        )
        assert (getattr(run, word), run.line) == (value, "published")
        assert plan_run(
            "tiny",
            folds("section-out", SECTIONS)[0],
            method,
            sections=SECTIONS,
            **words,
            spots="all",
            scale="normalised",
        ).line.startswith("published, except ")
        assert (smoke(method).spots, smoke(method).scale) == ("all", "normalised")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            {"spots": "tissue"},
            "spots is 'tissue' but must be 'all', 'stimage' or 'deepspace'",
        ),
        (
            {"stain": "makenko"},
            "(did you mean macenko?)",
        ),
        (
            {"stain": "reinhard", "stain_test": "no"},
            "stain_test is 'no' but must be a valid boolean",
        ),
        (
            {"scale": "bgr"},
            "scale is 'bgr' but must be 'normalised', '0-255' or '0-255-bgr'",
        ),
        (
            {"target": "sct", "split": next(fold for fold in folds("matched-within", SECTIONS))},
            "target=sct cannot be trained on matched-within",
        ),
    ],
)
def test_words_that_mean_nothing_are_refused(words, says):
    assert says in refusal(lambda: smoke(**words))


# ---- counts that Seurat corrected


@pytest.fixture
def corrected(home) -> dict[str, pd.DataFrame]:
    """Files of corrected counts: twice as deep and two more, without the last gene."""
    tables = {}
    for section in SECTIONS:
        tables[section.name] = pd.DataFrame(
            2 * section.counts.toarray().T[:-1] + 2, index=GENES[:-1], columns=section.spots
        )
        path = home / "raw" / "tiny" / "seurat" / f"{section.name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        tables[section.name].to_csv(path)
    return tables


def test_sct_is_the_formula_on_corrected_counts_spanned_by_the_training_spots(corrected):
    parts, target = training_set(smoke(target="sct"), SECTIONS)
    logs = [np.log10(1 + corrected[name].to_numpy().T) for name in ("S2", "S3")]
    low, high = np.concatenate(logs).min(axis=0), np.concatenate(logs).max(axis=0)
    assert target.genes == GENES[:-1]  # what all files have
    for part, values in zip(parts, logs, strict=True):
        np.testing.assert_allclose(
            target(part.section), (values - low) / (high - low), rtol=1e-4, atol=1e-6
        )
        assert (
            part.full_section in SECTIONS
        )  # whose digest, and so whose features, are as they were


def test_sct_is_scored_on_raw_counts_and_natively_on_corrected_ones(corrected):
    run = smoke("stnet", target="sct", spots="deepspace")
    record = run_once(run, SECTIONS, "cpu")
    table = score(run, record, SECTIONS).set_index("gene")
    raw = SECTIONS[0].counts.toarray()
    wide = np.log1p(1e4 * raw / raw.sum(axis=1, keepdims=True))[:, :-1]
    np.testing.assert_allclose(table["pcc"], pcc(record.predictions["S1"], wide), rtol=1e-4)
    np.testing.assert_allclose(
        table["pcc_native"],
        pcc(record.predictions["S1"], np.log10(1 + corrected["S1"].to_numpy().T)),
        rtol=1e-4,
    )


def test_the_identity_of_an_sct_run_follows_its_files(corrected, home):
    before, other = smoke(target="sct").identity(SECTIONS), smoke().identity(SECTIONS)
    (corrected["S3"] + 1).to_csv(home / "raw" / "tiny" / "seurat" / "S3.csv")
    assert smoke(target="sct").identity(SECTIONS) != before
    assert smoke().identity(SECTIONS) == other


def test_a_missing_file_is_one_line_that_says_how_and_where(corrected, home):
    path = home / "raw" / "tiny" / "seurat" / "S2.csv"
    path.unlink()
    message = refusal(
        lambda: execute([smoke(target="sct")], SECTIONS, device="cpu", executor=Serial())
    )
    assert f"no file {path} of corrected counts; write it in R: write.csv" in message
    assert "put it there" in message


# ---- Harmony


def test_harmony_corrects_the_training_sections_alone(home):
    run = smoke("bleep", target="harmony", retrieval="simple", metric="euclidean")
    record = run_once(run, SECTIONS, "cpu")
    parts, target = training_set(run, SECTIONS)
    wide = [target(part.section) for part in parts]
    bank = np.concatenate(harmonised(wide))
    assert all(
        np.isclose(bank, row, atol=1e-5).all(axis=1).any() for row in record.predictions["S1"]
    )  # what is retrieved is corrected expression
    assert not any(
        np.isclose(np.concatenate(wide), row, atol=1e-5).all(axis=1).any()
        for row in record.predictions["S1"]
    )
    table = score(run, record, SECTIONS)
    np.testing.assert_allclose(
        table["pcc_native"], table["pcc"], rtol=1e-5
    )  # against expression as it is
    deeper = [
        dataclasses.replace(SECTIONS[0], counts=SECTIONS[0].counts * 7, digest="deeper"),
        *SECTIONS[1:],
    ]
    np.testing.assert_array_equal(
        run_once(run, deeper, "cpu").predictions["S1"], record.predictions["S1"]
    )


def test_harmony_takes_out_what_differs_between_sections_and_keeps_spots_and_genes():
    rng = np.random.default_rng(0)
    cells = rng.gamma(2, 1, (80, 12)).astype(np.float32) + np.where(
        np.arange(80)[:, None] % 2, np.linspace(0, 6, 12), 0
    ).astype(np.float32)
    one, two = cells[:40], cells[40:] + np.linspace(0, 3, 12, dtype=np.float32)
    found = harmonised([one, two])
    assert [part.shape for part in found] == [(40, 12), (40, 12)]
    assert (
        np.abs(found[0].mean(axis=0) - found[1].mean(axis=0)).mean()
        < np.abs(one.mean(axis=0) - two.mean(axis=0)).mean() / 2
    )
    assert min(np.corrcoef(one[:, gene], found[0][:, gene])[0, 1] for gene in range(12)) > 0.8
    assert all(np.array_equal(a, b) for a, b in zip(found, harmonised([one, two]), strict=True))
    square = harmonised(
        [one[:6], two[:6]]
    )  # as many spots as genes: neither is taken for the other
    assert [part.shape for part in square] == [(6, 12), (6, 12)]
    one[3] = 0
    assert np.isfinite(np.concatenate(harmonised([one, two]))).all()


def test_harmony_with_one_section_or_without_the_extra_is_one_line(home, monkeypatch):
    alone = dataclasses.replace(SPLIT, train=("S2",))
    assert "what differs between training sections, and there is one" in refusal(
        lambda: run_once(smoke("bleep", alone, target="harmony"), SECTIONS, "cpu")
    )
    monkeypatch.setitem(sys.modules, "harmonypy", None)
    assert "pip install 'compendium[harmony]'" in refusal(
        lambda: run_once(smoke("bleep", target="harmony"), SECTIONS, "cpu")
    )
