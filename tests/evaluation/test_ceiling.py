"""Ceilings of genes: closed forms, simulations with known truth, pooling."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from compendium.evaluation import ceiling
from conftest import tiny_section

SPOTS, GENES = 400, 60


def wide(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return ln(1 + 1e4 count / total)."""
    return np.log1p(1e4 * counts / np.maximum(totals, 1)[:, None])


def drawn(seed: int, theta: float = np.inf, depth: float = 3000.0):
    """Draw one section: counts, totals, and the correlation of the target with its expectation."""
    rng = np.random.default_rng(seed)
    share = rng.lognormal(-7, 1, GENES)
    change = rng.uniform(0, 1, GENES) * rng.normal(size=(SPOTS, 1))
    expected = depth * share * np.exp(change)
    rest = np.full(SPOTS, depth)
    if np.isfinite(theta):
        measured = rng.poisson(expected * rng.gamma(theta, 1 / theta, expected.shape))
    else:
        measured = rng.poisson(expected)
    totals = measured.sum(axis=1) + rng.poisson(rest)
    truth = wide(expected, expected.sum(axis=1) + rest)
    both = [np.corrcoef(a, b)[0, 1] for a, b in zip(wide(measured, totals).T, truth.T, strict=True)]
    return measured, totals, np.array(both)


def test_pooled_over_sections_the_ceiling_of_poisson_counts_is_the_true_one():
    sections = [drawn(seed) for seed in range(3)]
    halves = np.mean([ceiling.split_half(c, t, wide, 10) for c, t, _ in sections], axis=0)
    error = ceiling.attainable(halves) - np.mean([truth for *_, truth in sections], axis=0)
    assert abs(error.mean()) <= 0.08 and np.abs(error).mean() <= 0.10


def test_overdispersion_is_taken_for_signal():
    counts, totals, truth = drawn(0, theta=2.0)
    error = ceiling.attainable(ceiling.split_half(counts, totals, wide, 5)) - truth
    assert error.mean() > 0.1


def test_counts_without_signal_have_no_ceiling():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (3000, 20))
    halves = ceiling.split_half(counts, counts.sum(axis=1) + 1000, wide, 5)
    assert np.abs(halves).max() < 0.1


def test_totals_are_split_like_the_counts():
    """Were each half divided by the full total, a spot's depth would stand in both halves."""
    seen = []

    def keep(counts, totals):
        seen.append((counts, totals))
        return counts.astype(float)

    counts, totals, _ = drawn(1)
    ceiling.split_half(counts, totals, keep, 1)
    (first, total), (second, other) = seen
    assert np.array_equal(first + second, counts) and np.array_equal(total + other, totals)
    assert (total >= first.sum(axis=1)).all() and abs((total / totals).mean() - 0.5) < 0.01


def test_one_formula_from_halves_to_shares():
    halves = np.array([-0.2, 0.0, 0.04, 0.5, 1.0])
    assert ceiling.reliability(halves) == pytest.approx([0, 0, 0.08 / 1.04, 2 / 3, 1])
    assert ceiling.attainable(halves) ** 2 == pytest.approx(ceiling.reliability(halves))
    share = ceiling.share_of_variance(np.full(5, 0.5), halves)
    assert np.isnan(share[:3]).all()
    assert share[3:] == pytest.approx([0.25 / (2 / 3), 0.25])


def test_a_constant_gene_has_no_ceiling():
    counts, totals, _ = drawn(2)
    counts[:, 0] = 0
    halves = ceiling.split_half(counts, totals, wide, 2)
    assert np.isnan(halves[0]) and np.isfinite(halves[1:]).any()


def test_sections_are_pooled_before_the_root():
    table = pd.DataFrame({"patient": ["A", "A", "B"], "gene": ["g"] * 3, "halves": [0.1, 0.5, 0.2]})
    pooled = ceiling.pooled(table).set_index("patient")["attainable"]
    assert pooled["A"] == pytest.approx(np.sqrt(2 * 0.3 / 1.3))
    assert pooled["B"] == pytest.approx(np.sqrt(0.4 / 1.2))


def test_the_mean_of_a_set_is_measured_better_than_its_genes():
    section = tiny_section(spots=100)
    genes, alike = section.genes.tolist(), ["G6", "G7", "G8"]
    table = ceiling.by_set([section], {"alike": [*alike, "absent"]}, genes, 5)
    assert table["genes"].tolist() == [3]
    assert (table["attainable"] > table["attainable_gene"]).all()
    single = ceiling.by_gene([section], alike, genes, 5)
    assert table["attainable_gene"].item() == pytest.approx(single["attainable"].median())


def test_neighbours_of_a_smooth_gene_agree():
    section = tiny_section(spots=100)
    counts = section.counts.toarray()
    counts[:, 1] = 50 * section.grid[:, 0] + 1
    smoothed = replace(section, counts=csr_matrix(counts))
    table = ceiling.by_gene([smoothed], ["G0", "G1"], section.genes.tolist(), 1)
    assert table["neighbours"][1] > 0.8 > table["neighbours"][0]
