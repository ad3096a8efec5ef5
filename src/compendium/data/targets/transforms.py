"""Expression targets: what a method is trained towards, fitted on training sections only.

A spot whose total is 0 has 0 expression in logcpm, scprep and wide.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

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
THETA = 100.0  # overdispersion of the analytic Pearson residuals (Lause et al. 2021)
Counts = Float32[np.ndarray, "spot gene"]
Totals = Float32[np.ndarray, "spot"]
PerGene = Float32[np.ndarray, "gene"]


class Raw:
    """Counts."""

    formula: ClassVar[str] = "count"
    fitted: ClassVar[bool] = False
    """Whether it has parameters."""
    signed: ClassVar[bool] = False
    """Whether it can go below 0, if only in a section that is not trained on."""

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts of the panel; total is that of the shared genes, fit the target."""
        return counts


class Log1p(Raw):
    """ST-Net and STimage as benchmarked."""

    formula = "ln(1 + count)"

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts."""
        return np.log1p(counts)


class LogCPM(Raw):
    """Logarithm of counts per million."""

    formula = "ln(1 + 1e6 count / total of the shared genes)"
    scale: ClassVar[float] = 1e6

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts."""
        return np.log1p(_per(counts, total, self.scale))


class Wide(LogCPM):
    """The scoring target."""

    formula = "ln(1 + 1e4 count / total of the shared genes)"
    scale = 1e4


class Harmony(Wide):
    """BLEEP's original: wide, corrected by Harmony over the training sections.

    A section that is not trained on keeps wide (see harmony.py).
    """

    formula = "wide, corrected by Harmony"
    signed = True


class Scprep(Raw):
    """HisToGene and Hist2ST as published."""

    formula = "log10(1 + 1e4 count / total of the panel)"

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts."""
        return np.log10(1 + _per(counts, counts.sum(axis=1), 1e4))


class MinMax(Raw):
    """Each gene between its extremes in the training spots; a constant gene is 0."""

    formula = "(count - low) / (high - low)"
    fitted = signed = True

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts."""
        return _spanned(counts, fit.low, fit.high)


class SCT(MinMax):
    """DeepSpaCE as published, but for the scale of the test sections."""

    formula = "log10(1 + count that Seurat corrected), then as minmax"

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts."""
        return _spanned(*(np.log10(1 + values) for values in (counts, fit.low, fit.high)))


class Pearson(MinMax):
    """Analytic Pearson residuals, with the gene shares of the training spots."""

    formula = "(count - mu) / sqrt(mu + mu^2 / 100), clipped at sqrt(training spots)"

    def apply(self, counts: Counts, total: Totals, fit: "Target") -> Counts:
        """Transform counts."""
        return pearson_residuals(counts, total, fit.share, fit.spots)


REGISTRY: dict[Transform, Raw] = {
    "harmony": Harmony(),
    "log1p": Log1p(),
    "logcpm": LogCPM(),
    "minmax": MinMax(),
    "pearson": Pearson(),
    "raw": Raw(),
    "scprep": Scprep(),
    "sct": SCT(),
    "wide": Wide(),
}
FITTED = tuple(name for name, transform in REGISTRY.items() if transform.fitted)
SIGNED = tuple(name for name, transform in REGISTRY.items() if transform.signed)


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
        counts, total = section.matrix(self.genes), section.totals(self.shared)
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
    return corrected(section) if transform == "sct" else section


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
