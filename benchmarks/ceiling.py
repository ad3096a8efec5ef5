"""Ceilings of genes: bias where the truth is known, and time for a cohort as large as HER2+.

    python benchmarks/ceiling.py

Draws sections from a model, estimates the attainable correlation of each gene from random halves
of its counts, pools three sections of a patient, and compares it with the correlation of the target
with its noise-free value. Exit status 1 where Poisson counts miss the limits, or 36 sections of
1,000 genes and 20 splits take more than 60 s.
"""

import sys
import time

import numpy as np

from compendium.evaluation.ceiling import attainable, split_half

SECTIONS, SPOTS, GENES, SPLITS = 36, 378, 1000, 20
LIMITS = {"bias": 0.08, "mean absolute error": 0.10, "seconds": 60.0}


def wide(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return ln(1 + 1e4 count / total)."""
    return np.log1p(1e4 * counts / np.maximum(totals, 1)[:, None])


def drawn(rng: np.random.Generator, theta: float, depth: float, share: np.ndarray) -> tuple:
    """Draw a section: counts, totals, and the correlation of the target with its expectation."""
    spread = rng.uniform(0, 1, len(share))
    expected = depth * share * np.exp(spread * rng.normal(size=(SPOTS, 1)))
    rate = expected if np.isinf(theta) else expected * rng.gamma(theta, 1 / theta, expected.shape)
    counts = rng.poisson(rate)
    totals = counts.sum(axis=1) + rng.poisson(depth, SPOTS)
    measured, noise_free = wide(counts, totals), wide(expected, expected.sum(axis=1) + depth)
    pairs = zip(measured.T, noise_free.T, strict=True)
    return counts, totals, np.array([np.corrcoef(*pair)[0, 1] for pair in pairs])


def error(theta: float, depth: float) -> tuple[float, float]:
    """Return bias and mean absolute error of the pooled ceiling of 200 genes."""
    rng = np.random.default_rng(0)
    share = rng.lognormal(-7, 1, 200)
    sections = [drawn(rng, theta, depth, share) for _ in range(3)]
    halves = np.mean([split_half(*each[:2], wide, SPLITS) for each in sections], axis=0)
    apart = attainable(halves) - np.mean([truth for *_, truth in sections], axis=0)
    return float(np.nanmean(apart)), float(np.nanmean(np.abs(apart)))


def seconds() -> float:
    """Time the ceilings of a cohort, counts in memory."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(3000 * rng.lognormal(-8, 1, GENES), (SPOTS, GENES))
    totals = counts.sum(axis=1) + 3000
    began = time.monotonic()
    for seed in range(SECTIONS):
        split_half(counts, totals, wide, SPLITS, seed)
    return time.monotonic() - began


def main() -> int:
    """Print the table and the time; compare with the limits."""
    print(f"{'counts':<28}{'UMIs of half the genes':>24}{'bias':>8}{'MAE':>8}")
    worst = dict.fromkeys(("bias", "mean absolute error"), 0.0)
    for name, theta in (("Poisson", np.inf), ("negative binomial, theta 10", 10), ("theta 2", 2)):
        for depth in (600, 3000, 10000):
            bias, mean = error(theta, depth)
            print(f"{name:<28}{depth:>24,}{bias:>8.3f}{mean:>8.3f}")
            if np.isinf(theta):
                worst = {
                    "bias": max(worst["bias"], abs(bias)),
                    "mean absolute error": max(worst["mean absolute error"], mean),
                }
    found = worst | {"seconds": seconds()}
    for name, limit in LIMITS.items():
        print(f"{name}: {found[name]:.3g} (limit {limit:g})")
    return int(any(found[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
