"""The demo cohort: made-up sections whose expression follows what their images show by a known model, so that the best reachable scores are known.

Counts of gene g in spot i are negative binomial with mean depth_i * rate_gi and log rate_gi = base_g + scale_g * (sqrt(share_g) * visible_gi + sqrt(1 - share_g) * hidden_gi)
+ patient and laboratory shift, normalised. `visible` is a weighted sum of the morphology that the image is drawn from, `hidden` a spatial field that no image shows.
Unlearnable genes (share 0) and the others are normalised apart, so that the composition carries no morphology into an unlearnable gene.
"""

import dataclasses
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int32
from scipy.sparse import csr_matrix
from scipy.stats import nbinom

from compendium.data import tissue
from compendium.data.section import Section
from compendium.data.tissue import CLASSES, EDGE, MORPHOLOGY, PITCH, SHRINK, Layout, Stain
from compendium.errors import BadInput

COHORT = "demo"
VERSION = 1  # of the model; part of every section's sources


@dataclass(frozen=True)
class Place:
    """One section of the cohort: its name, patient and laboratory."""

    name: str
    patient: str
    lab: str


SECTIONS = tuple(Place(name, name[:2], "lab 2" if name[0] == "Q" else "lab 1") for name in ("P1a", "P1b", "P2a", "P2b", "P3a", "P3b", "Q1a", "Q1b", "Q2a"))
PATIENTS = tuple(dict.fromkeys(place.patient for place in SECTIONS))
LABS = tuple(dict.fromkeys(place.lab for place in SECTIONS))


@dataclass(frozen=True)
class Model:
    """The constants of the cohort. Standard deviations are of natural-log rates.

    share: lowest and highest share of variance that morphology explains, over the learnable genes. unlearnable: share of genes with none.
    base, scale: spread of the mean log rate over genes; lowest and highest variation within a section.
    leads: how often each kind of morphology, in the order of tissue.MORPHOLOGY, is a gene's leading one in one turn. blend: weight of the other morphology beside a gene's leading one.
    patient_shift, lab_shift: of a gene's log rate. patient_slope, lab_slope: size of the patient's or laboratory's own direction beside the common weights.
    depth: median UMI total of each patient. depth_section, depth_spot: its spread (log) over sections and over spots.
    dispersions: negative binomial alpha (variance = mean + alpha mean^2), one of them each gene.
    hidden: (variance, range in spots) of the two spatial parts of the hidden field; the rest varies from spot to spot.
    """

    seed: int = 20240
    genes: int = 120
    unlearnable: float = 0.2
    share: tuple[float, float] = (0.2, 0.95)
    base: float = 0.8
    scale: tuple[float, float] = (0.7, 1.1)
    leads: tuple[int, ...] = (3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1)
    blend: float = 0.15
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
LOOKS = {
    "lab 1": Stain(haematoxylin=(1.65, 1.40, 0.78), eosin=(0.24, 0.62, 0.30), glass=(236, 222, 238)),
    "lab 2": Stain(haematoxylin=(1.45, 1.62, 0.78), eosin=(0.12, 0.85, 0.32), glass=(245, 241, 246)),
}
GENES = np.array([f"DEMO{i + 1:03d}" for i in range(MODEL.genes)])
STREAMS = ("genes", "patient tissue", "section tissue", "image", "patient", "lab", "stain", "depth", "hidden", "counts", "truth")


@dataclass(frozen=True)
class GeneTable:
    """What is drawn once per gene: weights [morphology gene] of unit variance within sections, and the constants of Model per gene."""

    share: Float64[np.ndarray, "gene"]
    base: Float64[np.ndarray, "gene"]
    scale: Float64[np.ndarray, "gene"]
    alpha: Int32[np.ndarray, "gene"]
    weights: Float64[np.ndarray, "morphology gene"]

    @property
    def tau(self) -> Float64[np.ndarray, "gene"]:
        """Standard deviation of the log rate that the image cannot explain."""
        return self.scale * np.sqrt(1 - self.share)


def make(name: str, px: int = 224) -> Section:
    """One section of the demo cohort with square tiles of `px` pixels (16 to 376), the same bytes every time."""
    if not 16 <= px <= 2 * EDGE:
        raise BadInput(f"{COHORT} section {name}: tiles of {px} px cannot be cut; give 16 to {2 * EDGE}")
    place, plan = _place(name), _layout(name)
    image = tissue.draw(plan, _stain(place), _rng("image", _number(name)))
    counts = _counts(np.exp(_log_rate(name)), _depth(name), _rng("counts", _number(name)))
    corner = plan.pixels.astype(int) - px // 2
    return Section(
        cohort=COHORT, name=name, patient=place.patient, lab=place.lab, technology="synthetic ST", genes=GENES,
        spots=np.array([f"{x}x{y}" for x, y in plan.grid + 2]), grid=plan.grid + 2, pixels=plan.pixels, um_per_px=200 / PITCH, counts=csr_matrix(counts),
        patches=np.stack([image[y : y + px, x : x + px] for x, y in corner]), thumbnail=tissue.thumbnail(image), thumbnail_scale=1 / SHRINK,
        labels=np.array(CLASSES)[plan.morphology[:, : len(CLASSES)].argmax(axis=1)], sources={"synthetic": f"seed {MODEL.seed}, version {VERSION}"},
    )  # fmt: skip


def oracle(name: str) -> tuple[Float64[np.ndarray, "spot gene"], Float64[np.ndarray, "spot gene"]]:
    """Expected ln(1 + 1e4 count / total) of a section's spots, twice: given its morphology and patient, and given its true rates.

    The first is the best that a method can know from the image; the second the best that the noise of the measurement allows.
    """
    return _expected(name, _visible_rate(name), genes().tau), _expected(name, _log_rate(name))


@cache
def truth() -> pd.DataFrame:
    """Both truths of each gene: [gene, image_share, image_attainable, measurement_limited, new_patient, learnable], PCC averaged over sections.

    image_attainable: of the first oracle. measurement_limited: of the second. new_patient: of an oracle that sees the morphology
    but knows only the weights common to all patients. Means over fresh draws of the hidden field, the depth and the counts (not those of the cohort).
    """
    scores = truth_by_section()
    mean = scores.groupby("gene")[list(ORACLES)].mean().reindex(GENES)
    table = genes()
    return pd.DataFrame({"gene": GENES, "image_share": table.share} | {oracle: mean[oracle].to_numpy() for oracle in ORACLES} | {"learnable": table.share > 0})


ORACLES = ("image_attainable", "measurement_limited", "new_patient")


@cache
def truth_by_section(draws: int = 40) -> pd.DataFrame:
    """The truths section by section: [section, gene, image_attainable, measurement_limited, new_patient]."""
    return pd.concat([_section_truth(place.name, draws) for place in SECTIONS], ignore_index=True)


def _section_truth(name: str, draws: int) -> pd.DataFrame:
    """Mean PCC of the three oracles over `draws` new measurements of the same tissue."""
    rng = _rng("truth", _number(name))
    seen = _expected(name, _visible_rate(name), genes().tau), _expected(name, _visible_rate(name, common=True), genes().tau)
    score = np.zeros((3, len(GENES)))
    for _ in range(draws):
        rate = _normalised(_visible_rate(name) + genes().tau * _hidden(_layout(name).grid, rng))
        counts = _counts(np.exp(rate), _depth(name, rng), rng)
        target = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
        score += [pearson(prediction, target) / draws for prediction in (seen[0], _expected(name, rate), seen[1])]
    return pd.DataFrame({"section": name, "gene": GENES} | dict(zip(ORACLES, score, strict=True)))


def pearson(a: Float64[np.ndarray, "spot gene"], b: Float64[np.ndarray, "spot gene"]) -> Float64[np.ndarray, "gene"]:
    """Correlation of each column; 0 where a column is constant (an oracle that knows that nothing can be known)."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), size, out=np.zeros(a.shape[1]), where=size > 1e-9)


@cache
def genes() -> GeneTable:
    """The gene table of the cohort. Each learnable gene leads with one kind of morphology, all kinds in turn."""
    rng, count = _rng("genes"), MODEL.genes
    order = rng.permutation(count)
    learnable = np.sort(order[int(MODEL.unlearnable * count) :])
    share = np.zeros(count)
    share[learnable] = rng.permutation(np.linspace(*MODEL.share, len(learnable)))
    weights = MODEL.blend * rng.standard_normal((len(MORPHOLOGY), count))
    weights[np.resize(np.repeat(np.arange(len(MORPHOLOGY)), MODEL.leads), len(learnable)), learnable] += rng.choice([-1, 1], len(learnable))
    base, scale = rng.normal(0, MODEL.base, count), rng.uniform(*MODEL.scale, count)
    return GeneTable(share, base, scale, rng.integers(0, len(MODEL.dispersions), count, dtype=np.int32), _unit(weights))


def _place(name: str) -> Place:
    """The named section."""
    if name not in [place.name for place in SECTIONS]:
        raise BadInput(f"unknown section of {COHORT}: {name}; known: {', '.join(place.name for place in SECTIONS)}")
    return next(place for place in SECTIONS if place.name == name)


def _number(name: str) -> int:
    return SECTIONS.index(_place(name))


def _rng(stream: str, number: int = 0) -> np.random.Generator:
    """An own stream of random numbers for each purpose and each section, patient or laboratory."""
    return np.random.default_rng([MODEL.seed, STREAMS.index(stream), number])


@cache
def _layout(name: str) -> Layout:
    """Where everything is on a section; 90 to 114 spots."""
    patient, section = _rng("patient tissue", PATIENTS.index(_place(name).patient)), _rng("section tissue", _number(name))
    return tissue.layout(patient, section, spots=int(section.integers(90, 115)))


def _stain(place: Place) -> Stain:
    """The laboratory's look, with the amounts of dye of this patient's slides and of this section."""
    slides, section = _rng("stain", 100 + PATIENTS.index(place.patient)), _rng("stain", _number(place.name))
    strength = np.exp(slides.normal(0, 0.12, 2) + section.normal(0, 0.03, 2))
    return dataclasses.replace(LOOKS[place.lab], strength=tuple(np.round(strength, 3)))


@cache
def _scales() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of each morphology over the cohort, its standard deviation within sections, and the correlations within sections."""
    found = [_layout(place.name).morphology for place in SECTIONS]
    centred = np.concatenate([morphology - morphology.mean(axis=0) for morphology in found])
    covariance = centred.T @ centred / len(centred)
    spread = np.sqrt(np.diag(covariance))
    return tuple(np.round(part, 6) for part in (np.concatenate(found).mean(axis=0), spread, covariance / np.outer(spread, spread)))


def _unit(weights: np.ndarray) -> np.ndarray:
    """Weights scaled so that the weighted morphology has variance 1 within sections."""
    return np.round(weights / np.sqrt(np.einsum("kg,kl,lg->g", weights, _scales()[2], weights)), 6)


def _visible_rate(name: str, common: bool = False) -> np.ndarray:
    """Log rate [spot gene] without the hidden part, not normalised; with the patient's slopes or the common ones."""
    place, table = _place(name), genes()
    patient, lab = _rng("patient", PATIENTS.index(place.patient)), _rng("lab", LABS.index(place.lab))
    weights, shift = table.weights, table.base
    for rng, slope, size in ((patient, MODEL.patient_slope, MODEL.patient_shift), (lab, MODEL.lab_slope, MODEL.lab_shift)):
        weights = weights + (0 if common else slope) * _unit(rng.standard_normal(weights.shape))
        shift = shift + size * rng.standard_normal(len(shift))
    mean, spread, _ = _scales()
    standard = (_layout(name).morphology - mean) / spread
    return np.round(shift + table.scale * np.sqrt(table.share) * (standard @ _unit(weights)), 5)


@cache
def _log_rate(name: str) -> np.ndarray:
    """True log rates [spot gene] of a section, normalised."""
    return _normalised(_visible_rate(name) + genes().tau * _hidden(_layout(name).grid, _rng("hidden", _number(name))))


def _normalised(rate: np.ndarray, tau: np.ndarray | float = 0.0) -> np.ndarray:
    """Log rates whose exponentials (on average over log-normal noise tau) sum to their part of 1: unlearnable genes apart from the others."""
    out = np.empty_like(rate)
    unlearnable = genes().share == 0
    for group in (unlearnable, ~unlearnable):
        weight = np.exp(rate + np.broadcast_to(tau, rate.shape) ** 2 / 2)[:, group]
        out[:, group] = rate[:, group] - np.log(weight.sum(axis=1, keepdims=True)) + np.log(group.mean())
    return np.round(out, 5)


def _hidden(grid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Standard normal spatial fields [spot gene] that no image shows."""
    distance = np.hypot(*(grid[:, None] - grid[None]).transpose(2, 0, 1))
    covariance = sum(variance * np.exp(-((distance / reach) ** 2) / 2) for variance, reach in MODEL.hidden)
    covariance += (1 - sum(variance for variance, _ in MODEL.hidden)) * np.eye(len(grid))
    return np.round(np.linalg.cholesky(covariance) @ rng.standard_normal((len(grid), MODEL.genes)), 5)


def _typical_depth(name: str) -> float:
    """Median UMI total of a section's spots."""
    patient = PATIENTS.index(_place(name).patient)
    return MODEL.depth[patient] * float(np.exp(MODEL.depth_section * _rng("depth", 100 + _number(name)).standard_normal()))


def _depth(name: str, rng: np.random.Generator | None = None) -> np.ndarray:
    """Expected UMI total of each spot; the cohort's own, or new ones from `rng`."""
    rng = rng or _rng("depth", _number(name))
    return np.round(_typical_depth(name) * np.exp(MODEL.depth_spot * rng.standard_normal(len(_layout(name).grid))), 3)


def _counts(rate: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Negative binomial counts int32 [spot gene] as Poisson of gamma."""
    alpha = np.array(MODEL.dispersions)[genes().alpha]
    return rng.poisson(np.round(rng.standard_gamma(1 / alpha, rate.shape) * alpha * rate * depth[:, None], 6)).astype(np.int32)


NORMAL, MASS = np.polynomial.hermite_e.hermegauss(9)  # nodes and weights of a standard normal expectation
LOG_MEAN = np.linspace(np.log(1e-3), np.log(2e4), 120)  # of a count
LOG_RATE = np.linspace(-14, 0, 141)


def _expected(name: str, rate: np.ndarray, tau: np.ndarray | None = None) -> np.ndarray:
    """E[ln(1 + 1e4 count / total)] for normalised log rates, or for log rates known up to normal noise of deviation tau."""
    curves, alpha = _curves(_typical_depth(name)), genes().alpha
    if tau is not None:
        rate = _normalised(rate, tau)
    nodes = [(0.0, 1.0)] if tau is None else zip(NORMAL, MASS / MASS.sum(), strict=True)
    out = np.zeros(rate.shape)
    for node, mass in nodes:
        moved = rate if tau is None else rate + node * tau
        for level, curve in enumerate(curves):
            out[:, alpha == level] += mass * np.interp(moved[:, alpha == level], LOG_RATE, curve)
    return out


@cache
def _curves(depth: float) -> list[np.ndarray]:
    """For each dispersion, the expected target over LOG_RATE where spots have log-normal depth around `depth`."""
    curves = []
    for alpha in MODEL.dispersions:
        counts, chance = _count_distribution(alpha)
        curve = np.zeros(len(LOG_RATE))
        for node, mass in zip(NORMAL, MASS / MASS.sum(), strict=True):
            total = depth * np.exp(MODEL.depth_spot * node)
            curve += mass * np.interp(LOG_RATE + np.log(total), LOG_MEAN, (chance * np.log1p(1e4 * counts / total)).sum(axis=1))
        curves.append(curve)
    return curves


@cache
def _count_distribution(alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts [mean value] and their negative binomial chances for each of exp(LOG_MEAN); evenly thinned where there are many counts."""
    mean = np.exp(LOG_MEAN)[:, None]
    step = np.ceil((mean + 10 * np.sqrt(mean + alpha * mean**2) + 20) / 400)
    counts = step * np.arange(400)
    chance = nbinom.pmf(counts, 1 / alpha, 1 / (1 + alpha * mean))
    return counts, chance / chance.sum(axis=1, keepdims=True)
