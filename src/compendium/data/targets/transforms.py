"""Expression targets: what a method is trained towards, fitted on training sections only.

A spot whose total is 0 has 0 expression in logcpm, scprep and wide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float32

from compendium.data.section import Section
from compendium.data.targets import seurat
from compendium.errors import BadInput

Transform = Literal[
    "harmony", "log1p", "logcpm", "minmax", "pearson", "raw", "scprep", "sct", "wide"
]
TRANSFORMS = get_args(Transform)
SCORING: Transform = "wide"  # every method is scored on this one target
THETA = 100.0  # overdispersion of the analytic Pearson residuals (Lause et al. 2021)
PEARSON = "(count - mu) / sqrt(mu + mu^2 / 100), clipped at sqrt(training spots)"
Counts = Float32[np.ndarray, "spot gene"]
Totals = Float32[np.ndarray, "spot"]
PerGene = Float32[np.ndarray, "gene"]


Apply = Callable[[Counts, Totals, "Target"], Counts]


@dataclass(frozen=True)
class Kind:
    """A transform of counts.

    Parameters
    ----------
    apply
        Transforms counts of the panel, given the total of the shared genes and the fitted target.
    formula
        As it is printed.
    fitted
        Whether it has parameters.
    """

    apply: Apply
    formula: str
    fitted: bool = False


def _raw(counts: Counts, total: Totals, fit: "Target") -> Counts:
    return counts


def _log1p(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """ST-Net and STimage as benchmarked."""
    return np.log1p(counts)


def _logcpm(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """Logarithm of counts per million."""
    return np.log1p(_per(counts, total, 1e6))


def _wide(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """The scoring target.

    Of BLEEP's original, corrected by Harmony over the training sections, it is what a section that
    is not trained on keeps (see harmony.py).
    """
    return np.log1p(_per(counts, total, 1e4))


def _scprep(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """HisToGene and Hist2ST as published."""
    return np.log10(1 + _per(counts, counts.sum(axis=1), 1e4))


def _minmax(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """Each gene between its extremes in the training spots; a constant gene is 0."""
    return _spanned(counts, fit.low, fit.high)


def _sct(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """DeepSpaCE as published, but for the scale of the test sections."""
    return _spanned(*(np.log10(1 + values) for values in (counts, fit.low, fit.high)))


def _pearson(counts: Counts, total: Totals, fit: "Target") -> Counts:
    """Analytic Pearson residuals, with the gene shares of the training spots."""
    return pearson_residuals(counts, total, fit.share, fit.spots)


REGISTRY: dict[Transform, Kind] = {
    "harmony": Kind(_wide, "wide, corrected by Harmony"),
    "log1p": Kind(_log1p, "ln(1 + count)"),
    "logcpm": Kind(_logcpm, "ln(1 + 1e6 count / total of the shared genes)"),
    "minmax": Kind(_minmax, "(count - low) / (high - low)", fitted=True),
    "pearson": Kind(_pearson, PEARSON, fitted=True),
    "raw": Kind(_raw, "count"),
    "scprep": Kind(_scprep, "log10(1 + 1e4 count / total of the panel)"),
    "sct": Kind(_sct, "log10(1 + count that Seurat corrected), then as minmax", fitted=True),
    "wide": Kind(_wide, "ln(1 + 1e4 count / total of the shared genes)"),
}
FITTED = tuple(name for name in TRANSFORMS if REGISTRY[name].fitted)
SIGNED = ("harmony", *FITTED)  # can go below 0, if only in a section that is not trained on


@dataclass(frozen=True)
class Target:
    """A fitted transform of counts over a panel.

    Parameters
    ----------
    transform
        Name in REGISTRY.
    genes, shared
        The panel, and the genes over which library size is counted.
    low, high, share, spots
        Minimum, maximum and share of each gene in the training spots, and their number; arrays are
        empty where the transform has no parameters.
    """

    transform: Transform
    genes: list[str]
    shared: list[str]
    low: PerGene
    high: PerGene
    share: PerGene
    spots: int

    def __call__(self, section: Section) -> Float32[np.ndarray, "spot gene"]:
        """Return the transformed expression of a section's spots."""
        return self.of(section.matrix(self.genes), section.totals(self.shared))

    def of(self, counts: Counts, total: Totals) -> Float32[np.ndarray, "spot gene"]:
        """Return the transformed counts of the panel, given the totals of the shared genes."""
        return REGISTRY[self.transform].apply(counts, total, self)


def fit_target(transform: str, genes: list[str], train: list[Section], shared: list[str]) -> Target:
    """Fit a target on training sections.

    Parameters
    ----------
    transform
        One of TRANSFORMS.
    genes, shared
        The panel, and the genes over which library size is counted.
    train
        Training sections; for sct as `counted` returns them.

    Raises
    ------
    BadInput
        Where there is no such transform.
    """
    if transform not in REGISTRY:
        raise BadInput(f"unknown target {transform!r}; known: {', '.join(TRANSFORMS)}")
    spots, nothing = sum(len(section) for section in train), np.zeros(0, dtype=np.float32)
    if not REGISTRY[transform].fitted:
        return Target(transform, genes, shared, nothing, nothing, nothing, spots)
    counts = np.concatenate([section.matrix(genes) for section in train])
    total = sum(float(section.totals(shared).sum()) for section in train)
    share = (counts.sum(axis=0) / max(total, 1.0)).astype(np.float32)
    return Target(transform, genes, shared, counts.min(axis=0), counts.max(axis=0), share, spots)


def counted(section: Section, transform: str) -> Section:
    """Return the section with the counts that a target is made of: for sct those of Seurat."""
    if transform != "sct":
        return section
    return seurat.with_corrected_counts(section, seurat.place(section))


def _per(counts: np.ndarray, total: np.ndarray, scale: float) -> Counts:
    """Return scale * count / total; 0 where the total is 0."""
    factor = np.divide(scale, total, out=np.zeros(len(total), dtype=np.float32), where=total > 0)
    return (counts * factor[:, None]).astype(np.float32)


def _spanned(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> Counts:
    """Return (value - low) / (high - low) per gene; 0 where these are one."""
    span = high - low
    return np.where(span > 0, (values - low) / np.where(span > 0, span, 1), 0).astype(np.float32)


def pearson_residuals(
    counts: Float[np.ndarray, "spot gene"],
    total: Float[np.ndarray, "spot"],
    share: Float[np.ndarray, "gene"],
    spots: int,
) -> Float32[np.ndarray, "spot gene"]:
    """Compute (count - mu) / sqrt(mu + mu^2 / theta) with mu = total x share.

    Parameters
    ----------
    spots
        Number of training spots; residuals are clipped at +-sqrt(spots).

    Returns
    -------
    Residuals; 0 where mu is 0.

    References
    ----------
    Lause et al. 2021, eq. 3-5.
    """
    mu = np.outer(total, share)
    spread = np.sqrt(mu + mu**2 / THETA)
    residual = np.divide(counts - mu, spread, out=np.zeros_like(mu), where=spread > 0)
    return np.clip(residual, -np.sqrt(spots), np.sqrt(spots)).astype(np.float32)
