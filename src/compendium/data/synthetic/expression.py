"""The demo cohort: made-up sections whose expression follows what their images show by a known model, so that the best reachable scores are known.

Counts of gene g in spot i are negative binomial with mean depth_i * rate_gi and log rate_gi = base_g + scale_g * (sqrt(share_g) * visible_gi + sqrt(1 - share_g) * hidden_gi)
+ patient and laboratory shift, normalised. `visible` is a weighted sum of the morphology that the image is drawn from, `hidden` a spatial field that no image shows.
Unlearnable genes (share 0) and the others are normalised apart, and depth is independent of the tissue: no morphology leaks into an unlearnable gene.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int32
from scipy.sparse import csr_matrix
from scipy.special import gammaln

from compendium.data.section import Section
from compendium.data.synthetic import tissue
from compendium.data.synthetic.tissue import CLASSES, EDGE, MORPHOLOGY, PITCH, SHRINK, Layout, Stain
from compendium.errors import BadInput

COHORT = "demo"
VERSION = 1  # of the model; part of every section's sources


@dataclass(frozen=True)
class Place:
    """One section of the cohort: its name, patient and laboratory."""

    name: str
    patient: str
    lab: str


SECTIONS = tuple(
    Place(name, name[:2], "lab 2" if name[0] == "Q" else "lab 1")
    for name in ("P1a", "P1b", "P2a", "P2b", "P3a", "P3b", "Q1a", "Q1b", "Q2a")
)
PATIENTS = tuple(dict.fromkeys(place.patient for place in SECTIONS))
LOOKS = {
    "lab 1": Stain(
        haematoxylin=(1.65, 1.40, 0.78), eosin=(0.24, 0.62, 0.30), glass=(236, 222, 238)
    ),
    "lab 2": Stain(
        haematoxylin=(1.45, 1.62, 0.78), eosin=(0.12, 0.85, 0.32), glass=(245, 241, 246)
    ),
}


@dataclass(frozen=True)
class Model:
    """The constants of the cohort. Standard deviations are of natural-log rates.

    unlearnable: share of genes that no image shows. share: lowest and highest share of variance that morphology explains in the others.
    leads: how often each kind of morphology (in the order of tissue.MORPHOLOGY) is a gene's leading one, in one turn. blend: weight of the rest.
    base, scale: spread of the mean log rate over genes; lowest and highest variation of a gene within a section.
    patient_shift, lab_shift: of a gene's log rate. patient_slope, lab_slope: weight of the patient's and laboratory's own direction beside the common one.
    depth: median UMI total of each patient. depth_section, depth_spot: its spread (log) over sections and over spots.
    dispersions: negative binomial alpha (variance = mean + alpha mean^2), one of them each gene.
    hidden: (variance, range in spots) of the two spatial parts of the hidden field; the rest varies from spot to spot.
    """

    seed: int = 20240
    genes: int = 120
    unlearnable: float = 0.2
    share: tuple[float, float] = (0.2, 0.95)
    leads: tuple[int, ...] = (3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1)
    blend: float = 0.15
    base: float = 0.8
    scale: tuple[float, float] = (0.7, 1.1)
    patient_shift: float = 0.3
    lab_shift: float = 0.3
    patient_slope: float = 0.6
    lab_slope: float = 0.35
    depth: tuple[float, ...] = (900, 2500, 5000, 1300, 3500)
    depth_section: float = 0.15
    depth_spot: float = 0.35
    dispersions: tuple[float, ...] = (0.02, 0.06, 0.15)
    hidden: tuple[tuple[float, float], ...] = ((0.5, 1.8), (0.25, 0.7))


MODEL = Model()
SOURCES = {
    "synthetic": f"seed {MODEL.seed}, version {VERSION}"
}  # of every section; sections that state others are made again
GENES = np.array([f"DEMO{i + 1:03d}" for i in range(MODEL.genes)])
ORACLES = ("image_attainable", "measurement_limited", "new_patient")
STREAMS = (
    "genes",
    "patient tissue",
    "section tissue",
    "image",
    "patient",
    "lab",
    "patient stain",
    "section stain",
    "section depth",
    "spot depth",
    "hidden",
    "counts",
    "truth",
)


@dataclass(frozen=True)
class GeneTable:
    """What is drawn once per gene: share, base, scale, alpha of Model, and the weights of its morphology (variance 1 within sections)."""

    share: Float64[np.ndarray, "gene"]
    base: Float64[np.ndarray, "gene"]
    scale: Float64[np.ndarray, "gene"]
    alpha: Float64[np.ndarray, "gene"]
    weights: Float64[np.ndarray, "morphology gene"]

    @property
    def tau(self) -> Float64[np.ndarray, "gene"]:
        """Standard deviation of the log rate that the image cannot explain."""
        return self.scale * np.sqrt(1 - self.share)


def make(name: str, px: int = 224) -> Section:
    """One section of the demo cohort with square tiles of `px` pixels (16 to 376), the same bytes every time."""
    if not 16 <= px <= 2 * EDGE:
        raise BadInput(
            f"{COHORT} section {name}: tiles of {px} px cannot be cut; give 16 to {2 * EDGE}"
        )
    place, plan = _place(name), _layout(name)
    image = tissue.draw(plan, _stain(place), _rng("image", _number(name)))
    corners, grid = plan.pixels.astype(int) - px // 2, plan.grid + 2
    return Section(
        cohort=COHORT,
        name=name,
        patient=place.patient,
        lab=place.lab,
        technology="synthetic ST",
        genes=GENES,
        spots=np.array([f"{x}x{y}" for x, y in grid]),
        grid=grid,
        pixels=plan.pixels,
        um_per_px=200 / PITCH,
        counts=csr_matrix(counts(name)),
        patches=np.stack([image[y : y + px, x : x + px] for x, y in corners]),
        thumbnail=tissue.thumbnail(image),
        thumbnail_scale=1 / SHRINK,
        labels=np.array(CLASSES)[plan.morphology[:, : len(CLASSES)].argmax(axis=1)],
        sources=dict(SOURCES),
    )


def counts(name: str) -> Int32[np.ndarray, "spot gene"]:
    """The UMI counts of a section, without drawing its image."""
    return _counts(
        np.exp(_log_rate(name)),
        _depth(name, _rng("spot depth", _number(name))),
        _rng("counts", _number(name)),
    )


def oracle(name: str) -> tuple[Float64[np.ndarray, "spot gene"], Float64[np.ndarray, "spot gene"]]:
    """Expected ln(1 + 1e4 count / total) of a section's spots, twice: given its morphology and patient, and given its true rates.

    The first is the best that a method can know from the image; the second the best that the noise of the measurement allows.
    An unlearnable gene is constant in the first.
    """
    return _expected(name, _visible(name), genes().tau), _expected(name, _log_rate(name))


def truth() -> pd.DataFrame:
    """The best PCC of each gene, averaged over sections: [gene, image_share, image_attainable, measurement_limited, new_patient, learnable].

    image_attainable: of the first oracle. measurement_limited: of the second. new_patient: of one that sees the morphology but knows
    only the weights common to all patients. image_share: share of the variance of the log rate that morphology explains.
    """
    mean, share = (
        truth_by_section().groupby("gene")[list(ORACLES)].mean().reindex(GENES),
        genes().share,
    )
    return pd.DataFrame(
        {"gene": GENES, "image_share": share}
        | {oracle: mean[oracle].to_numpy() for oracle in ORACLES}
        | {"learnable": share > 0}
    )


def truth_by_section() -> pd.DataFrame:
    """The truths section by section: [section, gene, image_attainable, measurement_limited, new_patient]."""
    return pd.concat(
        [
            pd.DataFrame(
                {"section": s.name, "gene": GENES} | dict(zip(ORACLES, _truth(s.name), strict=True))
            )
            for s in SECTIONS
        ],
        ignore_index=True,
    )


def pearson(
    a: Float64[np.ndarray, "spot gene"], b: Float64[np.ndarray, "spot gene"]
) -> Float64[np.ndarray, "gene"]:
    """Correlation of each column; 0 where a column is constant: an oracle that knows that nothing can be known."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), size, out=np.zeros(a.shape[1]), where=size > 1e-9)


@cache
def genes() -> GeneTable:
    """The gene table of the cohort. Each learnable gene leads with one kind of morphology, all kinds in turn."""
    rng, count = _rng("genes"), MODEL.genes
    learnable = np.sort(rng.permutation(count)[int(MODEL.unlearnable * count) :])
    share = np.zeros(count)
    share[learnable] = rng.permutation(np.linspace(*MODEL.share, len(learnable)))
    weights = MODEL.blend * rng.standard_normal((len(MORPHOLOGY), count))
    weights[
        np.resize(np.repeat(np.arange(len(MORPHOLOGY)), MODEL.leads), len(learnable)), learnable
    ] += rng.choice([-1, 1], len(learnable))
    return GeneTable(
        share,
        rng.normal(0, MODEL.base, count),
        rng.uniform(*MODEL.scale, count),
        rng.choice(MODEL.dispersions, count),
        _unit(weights),
    )


def _place(name: str) -> Place:
    """The named section."""
    known = {place.name: place for place in SECTIONS}
    if name not in known:
        raise BadInput(f"unknown section of {COHORT}: {name}; known: {', '.join(known)}")
    return known[name]


def _number(name: str, patient: bool = False) -> int:
    """Where the section, or its patient, stands in the cohort."""
    return PATIENTS.index(_place(name).patient) if patient else SECTIONS.index(_place(name))


def _rng(stream: str, number: int = 0) -> np.random.Generator:
    """An own stream of random numbers for each purpose and each section, patient or laboratory."""
    return np.random.default_rng([MODEL.seed, STREAMS.index(stream), number])


@cache
def _layout(name: str) -> Layout:
    """Where everything is on a section; 90 to 114 spots."""
    section = _rng("section tissue", _number(name))
    return tissue.layout(
        _rng("patient tissue", _number(name, patient=True)),
        section,
        spots=int(section.integers(90, 115)),
    )


def _stain(place: Place) -> Stain:
    """The laboratory's look, with the amounts of dye of this patient's slides and of this section."""
    strength = _rng("patient stain", _number(place.name, patient=True)).normal(0, 0.12, 2) + _rng(
        "section stain", _number(place.name)
    ).normal(0, 0.03, 2)
    return replace(LOOKS[place.lab], strength=tuple(np.round(np.exp(strength), 3)))


@cache
def _scales() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of each morphology over the cohort, its standard deviation within sections, and the correlations within sections."""
    found = [_layout(place.name).morphology for place in SECTIONS]
    centred = np.concatenate([morphology - morphology.mean(axis=0) for morphology in found])
    covariance = np.einsum("sk,sl->kl", centred, centred) / len(centred)
    spread = np.sqrt(np.diag(covariance))
    return tuple(
        np.round(part, 6)
        for part in (
            np.concatenate(found).mean(axis=0),
            spread,
            covariance / np.outer(spread, spread),
        )
    )


def _unit(weights: np.ndarray) -> np.ndarray:
    """Weights scaled so that the weighted morphology has variance 1 within sections."""
    return np.round(weights / np.sqrt(np.einsum("kg,kl,lg->g", weights, _scales()[2], weights)), 6)


def _visible(name: str, common: bool = False) -> np.ndarray:
    """Log rate [spot gene] without the hidden part, not normalised; with the slopes of the patient and laboratory or the common ones."""
    table, weights, shift = genes(), genes().weights, genes().base
    patient, lab = (
        _rng("patient", _number(name, patient=True)),
        _rng("lab", list(LOOKS).index(_place(name).lab)),
    )
    for rng, slope, size in (
        (patient, MODEL.patient_slope, MODEL.patient_shift),
        (lab, MODEL.lab_slope, MODEL.lab_shift),
    ):
        weights = weights + (0 if common else slope) * _unit(rng.standard_normal(weights.shape))
        shift = shift + size * rng.standard_normal(len(shift))
    mean, spread, _ = _scales()
    return np.round(
        shift
        + table.scale
        * np.sqrt(table.share)
        * np.einsum("sk,kg->sg", (_layout(name).morphology - mean) / spread, _unit(weights)),
        5,
    )


@cache
def _log_rate(name: str) -> np.ndarray:
    """True log rates [spot gene] of a section, normalised."""
    return _normalised(_visible(name) + genes().tau * _hidden(name, _rng("hidden", _number(name))))


def _normalised(rate: np.ndarray, tau: np.ndarray | float = 0.0) -> np.ndarray:
    """Log rates whose exponentials (on average over normal noise tau) sum to their part of 1: unlearnable genes apart from the others."""
    out, weight = np.empty_like(rate), np.exp(rate + np.square(tau) / 2)
    for group in (genes().share == 0, genes().share > 0):
        out[:, group] = rate[:, group] - np.log(
            weight[:, group].sum(axis=1, keepdims=True) / group.mean()
        )
    return np.round(out, 5)


def _hidden(name: str, rng: np.random.Generator) -> np.ndarray:
    """Standard normal spatial fields [spot gene] that no image shows."""
    mixing = _mixing(name)
    return np.round(
        np.einsum("ij,jg->ig", mixing, rng.standard_normal((len(mixing), MODEL.genes))), 5
    )


@cache
def _mixing(name: str) -> np.ndarray:
    """Matrix [spot spot] that turns independent normal numbers into a hidden field."""
    grid = _layout(name).grid
    distance = np.hypot(*(grid[:, None] - grid[None]).transpose(2, 0, 1))
    covariance = sum(
        variance * np.exp(-((distance / reach) ** 2) / 2) for variance, reach in MODEL.hidden
    )
    return np.linalg.cholesky(
        covariance + (1 - sum(variance for variance, _ in MODEL.hidden)) * np.eye(len(grid))
    )


def _typical_depth(name: str) -> float:
    """Median UMI total of a section's spots."""
    return round(
        MODEL.depth[_number(name, patient=True)]
        * np.exp(MODEL.depth_section * _rng("section depth", _number(name)).standard_normal()),
        3,
    )


def _depth(name: str, rng: np.random.Generator) -> np.ndarray:
    """Expected UMI total of each spot."""
    return np.round(
        _typical_depth(name)
        * np.exp(MODEL.depth_spot * rng.standard_normal(len(_layout(name).grid))),
        3,
    )


def _counts(rate: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Negative binomial counts int32 [spot gene], as Poisson of gamma."""
    alpha = genes().alpha
    return rng.poisson(
        np.round(rng.standard_gamma(1 / alpha, rate.shape) * alpha * rate * depth[:, None], 6)
    ).astype(np.int32)


@cache
def _truth(name: str, draws: int = 40) -> np.ndarray:
    """Mean PCC [oracle gene] over new measurements of the same tissue: hidden field, depth and counts are drawn anew, apart from the cohort's own."""
    rng, tau, visible = _rng("truth", _number(name)), genes().tau, _visible(name)
    seen, common = (_expected(name, rate, tau) for rate in (visible, _visible(name, common=True)))
    score = np.zeros((len(ORACLES), MODEL.genes))
    for _ in range(draws):
        rate = _normalised(visible + tau * _hidden(name, rng))
        measured = _counts(np.exp(rate), _depth(name, rng), rng)
        target = np.log1p(1e4 * measured / measured.sum(axis=1, keepdims=True))
        score += [
            pearson(prediction, target) / draws
            for prediction in (seen, _expected(name, rate), common)
        ]
    return score


NODES, MASS = np.polynomial.hermite_e.hermegauss(
    9
)  # of the expectation over a standard normal number
LOG_MEAN, LOG_RATE = np.linspace(np.log(1e-3), np.log(2e4), 120), np.linspace(-14, 0, 141)


def _expected(name: str, rate: np.ndarray, tau: np.ndarray | None = None) -> np.ndarray:
    """E[ln(1 + 1e4 count / total)] for normalised log rates; for log rates known up to normal noise, give its deviation tau and they are normalised."""
    rate, spread, out = (
        (rate, 0.0, np.zeros(rate.shape))
        if tau is None
        else (_normalised(rate, tau), tau, np.zeros(rate.shape))
    )
    for node, mass in [(0.0, 1.0)] if tau is None else zip(NODES, MASS / MASS.sum(), strict=True):
        for alpha in MODEL.dispersions:
            some = genes().alpha == alpha
            out[:, some] += mass * np.interp(
                (rate + node * spread)[:, some], LOG_RATE, _curve(alpha, _typical_depth(name))
            )
    return out


@cache
def _curve(alpha: float, depth: float) -> np.ndarray:
    """Expected target at LOG_RATE where spots have log-normal depth around `depth`; many counts are summed over an even thinning of them."""
    mean = np.exp(LOG_MEAN)[:, None]
    count = np.ceil((mean + 10 * np.sqrt(mean + alpha * mean**2) + 20) / 400) * np.arange(400)
    chance = np.exp(
        gammaln(count + 1 / alpha) - gammaln(count + 1) - count * np.log1p(1 / (alpha * mean))
    )  # negative binomial up to a factor, which the sum gives
    chance, curve = chance / chance.sum(axis=1, keepdims=True), np.zeros(len(LOG_RATE))
    for node, mass in zip(NODES, MASS / MASS.sum(), strict=True):
        total = depth * np.exp(MODEL.depth_spot * node)
        curve += mass * np.interp(
            LOG_RATE + np.log(total), LOG_MEAN, (chance * np.log1p(1e4 * count / total)).sum(axis=1)
        )
    return curve
