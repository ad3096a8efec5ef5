"""Gene panels: the published lists, highly variable genes chosen on training sections, and unions of both."""

import re
from functools import cache, reduce

import numpy as np
from scipy.sparse import vstack

from compendium.data.section import Section
from compendium.data.sources import catalogue
from compendium.errors import BadInput
from compendium.storage import resource

PUBLISHED = ("markers_12", "hvg_769", "hvg_685", "hvg_785")
CHOSEN = re.compile(r"hvg(_union)?\((\d+)\)")
BINS = 20


def panel(word: str, train: list[Section], shared: list[str]) -> list[str]:
    """Genes of a panel word, without repeats, in order.

    Words: a published list (`hvg_769`), `hvg(300)` chosen on all spots of the training sections alone, `hvg_union(1000)` the genes that are
    among the 1,000 of any training section (BLEEP's enlarged set), `all` shared genes, or a union joined by + (`markers_12+hvg(300)`).
    Genes that are not in `shared` are left out.
    """
    measured = set(shared)
    genes = dict.fromkeys(
        gene for part in word.split("+") for gene in _part(part, train, shared) if gene in measured
    )
    if not genes:
        raise BadInput(
            f"panel {word} shares no gene with the sections of {train[0].cohort}; choose another panel, e.g. hvg(100)"
        )
    return list(genes)


def _part(word: str, train: list[Section], shared: list[str]) -> list[str]:
    if chosen := CHOSEN.fullmatch(word):
        n = int(chosen[2])
        return (
            [
                gene
                for section in train
                for gene in highly_variable([section], n, shared, depth=None)
            ]
            if chosen[1]
            else highly_variable(train, n, shared)
        )
    if word == "all":
        return shared
    return list(published(word))


@cache
def published(name: str) -> tuple[str, ...]:
    """A gene list that travels with the package."""
    if name not in PUBLISHED:
        raise BadInput(
            f"unknown panel {name!r}; known: {', '.join(PUBLISHED)}, hvg(N), hvg_union(N), all, joined by +"
        )
    return tuple(resource(f"genes/{name}.txt").read_text().split())


def shared_genes(sections: list[Section]) -> list[str]:
    """Genes over which library size is counted: the cohort's published shared list, else what the given sections share."""
    known = catalogue().get(sections[0].cohort)
    common = reduce(lambda left, right: left & right, (set(section.genes) for section in sections))
    if known is not None and known.shared_genes:
        common &= set(resource(f"genes/{known.shared_genes}.txt").read_text().split())
    if not common:
        raise BadInput(
            f"sections {', '.join(s.name for s in sections)} of {sections[0].cohort} share no gene; check that they name genes alike"
        )
    return [gene for gene in sections[0].genes if gene in common]


def highly_variable(
    sections: list[Section], n: int, shared: list[str], depth: float | None = 1e4
) -> list[str]:
    """The `n` most variable of the shared genes over all spots of the sections, most variable first.

    Seurat's dispersion on counts normalised to `depth` a spot (None: to the median of the spots, as BLEEP does), z-scored within 20 bins of
    mean expression, as scanpy.pp.highly_variable_genes(flavor="seurat").
    """
    if not 0 < n <= len(shared):
        raise BadInput(
            f"panel hvg({n}) asks for {n} of {len(shared)} shared genes; give 1 to {len(shared)}"
        )
    stacked = vstack([section.counts[:, _columns(section, shared)] for section in sections]).astype(
        np.float64
    )
    totals = np.asarray(stacked.sum(axis=1)).ravel()
    stacked, totals = stacked[totals > 0], totals[totals > 0]
    stacked = stacked.multiply(((depth or np.median(totals)) / totals)[:, None]).tocsr()
    mean = np.asarray(stacked.mean(axis=0)).ravel()
    square = np.asarray(stacked.multiply(stacked).mean(axis=0)).ravel()
    variance = (square - mean**2) * stacked.shape[0] / max(stacked.shape[0] - 1, 1)
    order = np.argsort(-normalised_dispersion(mean, variance), kind="stable")
    return [shared[i] for i in order[:n]]


def normalised_dispersion(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """log(variance / mean) of each gene as a z-score among genes of like mean; genes never seen come last."""
    import pandas as pd

    with np.errstate(divide="ignore", invalid="ignore"):
        dispersion = np.log(np.where(mean > 0, variance / mean, np.nan))
    dispersion[~np.isfinite(dispersion)] = np.nan
    frame = pd.DataFrame({"dispersion": dispersion, "bin": pd.cut(np.log1p(mean), bins=BINS)})
    groups = frame.groupby("bin", observed=True)["dispersion"]
    centre, spread = groups.transform("mean"), groups.transform("std")
    alone = spread.isna()
    score = (frame["dispersion"] - centre.mask(alone, 0)) / spread.mask(alone, centre)
    return score.fillna(-np.inf).to_numpy()


def _columns(section: Section, genes: list[str]) -> list[int]:
    where = {gene: i for i, gene in enumerate(section.genes)}
    return [where[gene] for gene in genes]
