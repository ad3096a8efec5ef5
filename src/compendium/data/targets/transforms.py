"""Expression targets: what a method is trained towards, fitted on training sections only."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float32

from compendium.data.section import Section
from compendium.data.targets.seurat import corrected
from compendium.errors import BadInput

Transform = Literal[
    "harmony", "log1p", "logcpm", "minmax", "pearson", "raw", "scprep", "sct", "wide"
]
TRANSFORMS = get_args(Transform)
SCORING: Transform = "wide"  # every method is scored on this one target
FITTED = ("minmax", "pearson", "sct")  # the transforms that have parameters
SIGNED = (
    "harmony",
    "minmax",
    "pearson",
    "sct",
)  # those that can go below 0, if only in a section that is not trained on
THETA = 100.0  # overdispersion of the analytic Pearson residuals (Lause et al. 2021)


@dataclass(frozen=True)
class Target:
    """A fitted transform of counts over a panel.

    harmony  wide, which Harmony corrects over the training sections   BLEEP's original; a section that is not trained on keeps wide
    log1p    ln(1 + count)                                             ST-Net and STimage as benchmarked
    logcpm   ln(1 + 1e6 count / total of the shared genes)
    minmax   (count - low) / (high - low) per gene, low and high of the training spots; a constant gene is 0
    pearson  analytic Pearson residuals, theta 100, clipped at sqrt(training spots); gene shares of the training spots
    raw      counts
    scprep   log10(1 + 1e4 count / total of the panel)                 HisToGene and Hist2ST as published
    sct      log10(1 + count that Seurat corrected), then as minmax    DeepSpaCE as published, but for the scale of the test sections
    wide     ln(1 + 1e4 count / total of the shared genes)             the scoring target

    A spot whose total is 0 has 0 expression in logcpm, scprep and wide.
    """

    transform: Transform
    genes: list[str]
    shared: list[str]
    low: Float32[np.ndarray, "gene"]
    high: Float32[np.ndarray, "gene"]
    share: Float32[np.ndarray, "gene"]
    spots: int

    def __call__(self, section: Section) -> Float32[np.ndarray, "spot gene"]:
        """Transformed expression of a section's spots."""
        counts = section.matrix(self.genes)
        total = section.totals(self.shared)
        match self.transform:
            case "raw":
                return counts
            case "log1p":
                return np.log1p(counts)
            case "logcpm":
                return np.log1p(_per(counts, total, 1e6))
            case "minmax":
                return _spanned(counts, self.low, self.high)
            case "sct":
                return _spanned(*(np.log10(1 + values) for values in (counts, self.low, self.high)))
            case "pearson":
                return pearson_residuals(counts, total, self.share, self.spots)
            case "scprep":
                return np.log10(1 + _per(counts, counts.sum(axis=1), 1e4))
            case _:
                return np.log1p(_per(counts, total, 1e4))


def fit_target(transform: str, genes: list[str], train: list[Section], shared: list[str]) -> Target:
    """Fit a target on training sections; low, high and share stay empty where the transform has no parameters."""
    if transform not in TRANSFORMS:
        raise BadInput(f"unknown target {transform!r}; known: {', '.join(TRANSFORMS)}")
    spots, nothing = sum(len(section) for section in train), np.zeros(0, dtype=np.float32)
    if transform not in FITTED:
        return Target(transform, genes, shared, nothing, nothing, nothing, spots)
    counts = np.concatenate([section.matrix(genes) for section in train])
    total = sum(float(section.totals(shared).sum()) for section in train)
    share = (counts.sum(axis=0) / max(total, 1.0)).astype(np.float32)
    return Target(transform, genes, shared, counts.min(axis=0), counts.max(axis=0), share, spots)


def counted(section: Section, transform: str) -> Section:
    """The section with the counts that a target is made of: its own, or for sct those that Seurat corrected. What Target and fit_target are given."""
    return corrected(section) if transform == "sct" else section


def _per(counts: np.ndarray, total: np.ndarray, scale: float) -> Float32[np.ndarray, "spot gene"]:
    """scale * count / total; 0 where the total is 0."""
    factor = np.divide(scale, total, out=np.zeros(len(total), dtype=np.float32), where=total > 0)
    return (counts * factor[:, None]).astype(np.float32)


def _spanned(
    values: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Float32[np.ndarray, "spot gene"]:
    """(value - low) / (high - low) per gene; 0 where these are one."""
    span = high - low
    return np.where(span > 0, (values - low) / np.where(span > 0, span, 1), 0).astype(np.float32)


def pearson_residuals(
    counts: Float[np.ndarray, "spot gene"],
    total: Float[np.ndarray, "spot"],
    share: Float[np.ndarray, "gene"],
    spots: int,
) -> Float32[np.ndarray, "spot gene"]:
    """(count - mu) / sqrt(mu + mu^2 / theta) with mu = total x share, clipped at +-sqrt(spots) (Lause et al. 2021, eq. 3-5); 0 where mu is 0."""
    mu = np.outer(total, share)
    spread = np.sqrt(mu + mu**2 / THETA)
    residual = np.divide(counts - mu, spread, out=np.zeros_like(mu), where=spread > 0)
    return np.clip(residual, -np.sqrt(spots), np.sqrt(spots)).astype(np.float32)
