"""Expression targets against reference values, scanpy, and what each of them promises."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.data.targets.transforms import (
    FITTED,
    SCORING,
    TRANSFORMS,
    fit_target,
    pearson_residuals,
)
from raw_files import real_section, refusal

GENES = [f"G{i}" for i in range(6)]
PANEL = ["G4", "G0", "G2"]
COUNTS = arrays(np.int32, (5, 6), elements=st.integers(0, 400))


def section_of(counts: np.ndarray, genes: list[str] | None = None, name: str = "S1") -> Section:
    """A counts-only section."""
    n, width = counts.shape
    grid = np.stack([np.arange(n), np.ones(n)], axis=1).astype(np.int32)
    return Section(
        cohort="tiny",
        name=name,
        patient="P",
        lab="L",
        technology="test",
        genes=np.array(genes or [f"G{i}" for i in range(width)]),
        spots=np.array([f"{i}x1" for i in range(n)]),
        grid=grid,
        pixels=grid.astype(np.float32),
        um_per_px=1.0,
        counts=csr_matrix(counts.astype(np.int32)),
    )


def counts_of(seed: int, spots: int = 30, genes: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.negative_binomial(3, 1 / (1 + rng.lognormal(1, 1, (spots, genes))))


# ---- reference values


@pytest.fixture(scope="module")
def reference(golden) -> dict[str, np.ndarray]:
    with np.load(golden / "pieces.npz", allow_pickle=False) as stored:
        return {
            name.removeprefix("expression."): stored[name]
            for name in stored.files
            if name.startswith("expression.")
        }


@pytest.mark.parametrize(
    ("transform", "name", "factor"),
    [
        ("raw", "raw", 1),
        ("log1p", "log1p", np.log(10)),
        ("scprep", "lognorm", 1),
        ("minmax", "minmax", 1),
    ],  # the reference log1p is to base 10, ours natural
)
def test_reference_values(reference, transform, name, factor):
    section = section_of(reference["counts"])
    target = fit_target(transform, list(section.genes), [section], list(section.genes))
    assert target(section).dtype == np.float32
    assert np.abs(target(section) - factor * reference[name]).max() < 1e-5


def test_scprep_normalises_within_the_panel_and_wide_over_the_shared_genes(reference):
    section = section_of(reference["counts"])
    genes = list(section.genes)
    wide = fit_target("wide", genes, [section], genes)(section)
    assert np.abs(wide - np.log1p(reference["norm"])).max() < 1e-5
    few = genes[:4]
    alone = section_of(reference["counts"][:, :4])
    scprep = fit_target("scprep", few, [section], genes)(section)
    assert np.array_equal(scprep, fit_target("scprep", few, [alone], few)(alone))
    assert np.array_equal(fit_target("wide", few, [section], genes)(section), wide[:, :4])


def test_logcpm_counts_a_million_over_the_shared_genes():
    counts = counts_of(1)
    section = section_of(counts)
    expected = np.log1p(1e6 * counts[:, [4, 0, 2]] / counts[:, :5].sum(axis=1, keepdims=True))
    assert np.allclose(
        fit_target("logcpm", PANEL, [section], GENES[:5])(section), expected, rtol=1e-5
    )


def test_pearson_residuals_are_scanpys():
    import anndata
    import scanpy

    counts = counts_of(2, 120, 80)
    section = section_of(counts)
    data = anndata.AnnData(counts.astype(np.float64))
    scanpy.experimental.pp.normalize_pearson_residuals(
        data
    )  # theta 100, clipped at the root of the number of spots
    target = fit_target("pearson", list(section.genes), [section], list(section.genes))
    assert np.abs(target(section) - data.X).max() < 1e-3
    assert target(section).std() > 0.5


def test_pearson_residuals_of_real_counts_are_scanpys(her2st):
    import anndata
    import scanpy

    whole = real_section(her2st, "C2")
    genes = list(whole.genes[np.argsort(-np.asarray(whole.counts.sum(axis=0)).ravel())[:800]])
    section = dataclasses.replace(
        whole,
        genes=np.array(genes),
        counts=csr_matrix(whole.matrix(genes).astype(np.int32)),
        stored_tiles=None,
    )
    counts = section.counts.toarray()
    seen = counts.sum(axis=1) > 0  # one spot has none of these genes
    data = anndata.AnnData(counts[seen].astype(np.float64))
    scanpy.experimental.pp.normalize_pearson_residuals(data, clip=np.sqrt(187))
    found = fit_target("pearson", genes, [section], genes)(section)
    assert seen.sum() == 186
    assert np.abs(found[seen] - np.asarray(data.X)).max() < 1e-3
    assert not found[~seen].any()
    assert found.max() == np.float32(np.sqrt(187))  # some are clipped


def test_pearson_residuals_are_clipped_on_both_sides():
    counts, total = np.array([[1e6, 0.0]]), np.array([1e6])
    found = pearson_residuals(counts, total, np.array([1e-6, 0.9]), 25)
    assert found.tolist() == [[5.0, -5.0]]


# ---- promises of every target


@pytest.mark.parametrize("transform", TRANSFORMS)
@settings(deadline=None, max_examples=30)
@given(counts=COUNTS)
def test_every_target_is_finite_whatever_the_counts(transform, counts):
    counts[0] = 0
    counts[1, [4, 0, 2]] = 0
    section = section_of(counts)
    found = fit_target(transform, PANEL, [section], GENES)(section)
    assert found.shape == (5, 3)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    if transform in ("logcpm", "scprep", "wide"):
        assert np.array_equal(found[:2], np.zeros((2, 3)))


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_columns_follow_the_panel_and_rows_the_spots(transform):
    section = section_of(counts_of(3))
    whole = fit_target(transform, GENES, [section], GENES)(section)
    part = fit_target(transform, PANEL, [section], GENES)(section)
    if transform != "scprep":  # its library is the panel
        assert np.allclose(part, whole[:, [4, 0, 2]], rtol=1e-6)
    assert np.allclose(
        fit_target(transform, PANEL[::-1], [section], GENES)(section), part[:, ::-1], rtol=1e-6
    )
    assert len(np.unique(part, axis=0)) > 10


@pytest.mark.parametrize("transform", ["wide", "logcpm", "scprep"])
@settings(deadline=None, max_examples=40)
@given(counts=COUNTS, factors=st.lists(st.integers(1, 50), min_size=5, max_size=5))
def test_scaling_a_spots_counts_changes_nothing(transform, counts, factors):
    section, scaled = section_of(counts), section_of(counts * np.array(factors)[:, None])
    target = fit_target(transform, PANEL, [section], GENES)
    assert np.allclose(target(scaled), target(section), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(counts=COUNTS, others=COUNTS)
def test_the_wide_target_of_a_panel_does_not_depend_on_the_panel(counts, others):
    section = section_of(counts)
    few, all_genes = (
        fit_target("wide", PANEL, [section], GENES),
        fit_target("wide", GENES, [section_of(others)], GENES),
    )
    assert np.array_equal(few(section), all_genes(section)[:, [4, 0, 2]])


def test_the_scoring_target_is_wide_and_matches_its_formula():
    assert SCORING == "wide"
    counts = counts_of(4)
    section = section_of(counts)
    expected = np.log1p(1e4 * counts[:, [4, 0, 2]] / counts.sum(axis=1, keepdims=True))
    assert np.allclose(fit_target("wide", PANEL, [section], GENES)(section), expected, rtol=1e-5)
    assert np.allclose(
        fit_target("log1p", PANEL, [section], GENES)(section),
        np.log1p(counts[:, [4, 0, 2]]),
        rtol=1e-6,
    )


def test_minmax_spans_the_training_spots_and_a_constant_gene_is_zero():
    one, two = counts_of(5), counts_of(6)
    one[:, 2] = two[:, 2] = 7
    train = [section_of(one, name="one"), section_of(two, name="two")]
    target = fit_target("minmax", PANEL, train, GENES)
    found = np.concatenate([target(section) for section in train])
    assert found.min(axis=0).tolist() == [0, 0, 0]
    assert found.max(axis=0).tolist() == [1, 1, 0]
    outside = section_of(np.full((1, 6), 10_000))
    assert (target(outside)[0, :2] > 1).all()
    assert target(outside)[0, 2] == 0


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_target_is_fitted_on_the_training_sections_alone(transform):
    train, test = (
        [section_of(counts_of(7), name="a"), section_of(counts_of(8), name="b")],
        section_of(counts_of(9), name="test"),
    )
    target = fit_target(transform, PANEL, train, GENES)
    before = [np.array(getattr(target, word)) for word in ("low", "high", "share", "spots")]
    values = target(test)
    target(section_of(counts_of(9) * 1000, name="test"))
    assert all(
        np.array_equal(a, getattr(target, word))
        for a, word in zip(before, ("low", "high", "share", "spots"), strict=True)
    )
    assert np.array_equal(target(test), values)
    if transform not in FITTED:
        assert not len(target.low)
        return
    counts = np.concatenate([section.matrix(PANEL) for section in train])
    assert np.array_equal(target.low, counts.min(axis=0))
    assert np.array_equal(target.high, counts.max(axis=0))
    assert np.allclose(
        target.share, counts.sum(axis=0) / sum(section.counts.sum() for section in train), rtol=1e-6
    )
    assert target.spots == 60


def test_one_spot_does_not_change_the_others():
    counts = counts_of(10)
    changed = counts.copy()
    changed[3] *= 40
    train = [section_of(counts_of(11))]
    for transform in TRANSFORMS:
        target = fit_target(transform, PANEL, train, GENES)
        assert np.array_equal(
            np.delete(target(section_of(changed)), 3, axis=0),
            np.delete(target(section_of(counts)), 3, axis=0),
        )


def test_a_section_that_lists_its_genes_otherwise_has_the_same_target():
    counts = counts_of(12)
    order = [3, 5, 0, 1, 4, 2]
    section, other = section_of(counts), section_of(counts[:, order], [GENES[i] for i in order])
    for transform in TRANSFORMS:
        target = fit_target(transform, PANEL, [section], GENES)
        assert np.allclose(target(other), target(section), rtol=1e-6)


def test_an_unknown_target_lists_the_known():
    section = section_of(counts_of(13))
    message = refusal(lambda: fit_target("log2p", PANEL, [section], GENES))
    assert "unknown target 'log2p'" in message
    assert all(name in message for name in TRANSFORMS)


def test_a_section_without_a_gene_of_the_panel_is_refused():
    section = section_of(counts_of(14))
    target = fit_target("wide", PANEL, [section], GENES)
    message = refusal(lambda: target(section_of(counts_of(14, genes=3), name="narrow")))
    assert "section narrow" in message
    assert "G4" in message
