"""How well a section measures each gene: reliability of counts, from splitting them into halves.

It bounds the correlation that any prediction can reach. It is an upper bound of the reliability of
the measurement: overdispersion of counts beyond Poisson is taken for signal.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from compendium.data.section import Section
from compendium.data.targets.transforms import SCORING, fit_target
from compendium.evaluation.correlation import pcc
from compendium.methods.graph import nearest

N_SPLITS = 20
LEAST_CORRELATION = 0.05
"""Mean correlation of halves below which no share of a ceiling is taken."""

SET_COLUMNS = "section patient set genes halves attainable attainable_gene".split()

Values = Float[np.ndarray, "spot gene"]
PerGene = Float[np.ndarray, "gene"]


def split_half(
    counts: Int[np.ndarray, "spot gene"],
    totals: Int[np.ndarray, "spot"],
    transform: Callable[[np.ndarray, np.ndarray], Float[np.ndarray, "spot value"]],
    n_splits: int = N_SPLITS,
    seed: int = 0,
) -> Float[np.ndarray, "value"]:
    """Correlate two random halves of the counts of a section, gene by gene.

    Parameters
    ----------
    counts
        UMI counts.
    totals
        UMI total of each spot over all genes, those of `counts` among them; it is split too.
    transform
        (counts, totals) of a half -> the values that are correlated.
    n_splits
        Number of random splits.
    seed
        Seed of the splits.

    Returns
    -------
    Mean Pearson correlation over the splits; NaN where a half is constant in every split.

    References
    ----------
    Neufeld et al., Biostatistics 2024 (Poisson thinning).
    """
    rng = np.random.default_rng(seed)
    rest, seen = totals - counts.sum(axis=1), counts > 0
    found = []
    for _ in range(n_splits):
        first = np.zeros_like(counts)
        first[seen] = rng.binomial(counts[seen], 0.5)
        total = first.sum(axis=1) + rng.binomial(rest, 0.5)
        found.append(pcc(transform(first, total), transform(counts - first, totals - total)))
    found = np.array(found)
    number = np.isfinite(found).sum(axis=0)
    mean = np.divide(np.nansum(found, axis=0), number, where=number > 0, out=np.zeros(len(number)))
    return np.where(number > 0, mean, np.nan)


def reliability(halves: PerGene) -> PerGene:
    """Return the reliability of full counts from the correlation of their halves.

    2 r / (1 + r), where a negative correlation counts as 0.

    References
    ----------
    Spearman, British Journal of Psychology 1910; Brown, British Journal of Psychology 1910.
    """
    positive = np.clip(halves, 0, None)
    return 2 * positive / (1 + positive)


def attainable(halves: PerGene) -> PerGene:
    """Return the largest correlation that a prediction without noise can reach: √reliability."""
    return np.sqrt(reliability(halves))


def share_of_variance(pcc: PerGene, halves: PerGene) -> PerGene:
    """Return the share of the reliable variance that a prediction explains: r² / reliability.

    NaN where the halves correlate by less than LEAST_CORRELATION.
    """
    measured = halves >= LEAST_CORRELATION
    share = np.full(len(halves), np.nan)
    return np.divide(np.square(pcc), reliability(halves), where=measured, out=share)


def by_gene(
    sections: Iterable[Section], genes: Sequence[str], shared: Sequence[str], n_splits=N_SPLITS
) -> pd.DataFrame:
    """Measure the ceiling of each gene in each section on the scoring target.

    Parameters
    ----------
    sections
        Sections; they are opened one at a time.
    genes, shared
        Genes, and those over which the total is taken.
    n_splits
        Number of random splits.

    Returns
    -------
    Columns: section, patient, gene, halves (mean correlation of halves), attainable, neighbours
    (PCC of the mean of the four nearest spots of the section itself with the spot).
    """
    tables = []
    for section in sections:
        counts, totals, wide = _counted(section, genes, shared)
        halves = split_half(counts, totals, wide, n_splits)
        columns = {
            "section": section.name,
            "patient": section.patient,
            "gene": list(genes),
            "halves": halves,
            "attainable": attainable(halves),
            "neighbours": _neighbours(section, wide(counts, totals)),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def by_set(
    sections: Iterable[Section],
    sets: Mapping[str, Sequence[str]],
    shared: Sequence[str],
    n_splits=N_SPLITS,
) -> pd.DataFrame:
    """Measure the ceiling of the mean of a gene set beside those of its genes.

    Parameters
    ----------
    sections, shared, n_splits
        See `by_gene`.
    sets
        Name -> genes; those that are not shared are left out, and sets of which fewer than two are.

    Returns
    -------
    Columns: section, patient, set, genes (number), halves, attainable (of the mean over the genes),
    attainable_gene (median over the genes).
    """
    known = set(shared)
    measured = {name: [gene for gene in genes if gene in known] for name, genes in sets.items()}
    measured = {name: genes for name, genes in measured.items() if len(genes) > 1}
    if not measured:
        return pd.DataFrame(columns=SET_COLUMNS)
    every = list(dict.fromkeys(gene for genes in measured.values() for gene in genes))
    member = np.array([[gene in genes for gene in every] for genes in measured.values()], float)
    weights = (member / member.sum(axis=1, keepdims=True)).T
    tables = []
    for section in sections:
        single, halves = _of_genes_and_sets(section, every, shared, weights, n_splits)
        columns = {
            "section": section.name,
            "patient": section.patient,
            "set": list(measured),
            "genes": member.sum(axis=1).astype(int),
            "halves": halves,
            "attainable": attainable(halves),
            "attainable_gene": [np.nanmedian(attainable(single)[row > 0]) for row in member],
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _of_genes_and_sets(
    section: Section,
    genes: Sequence[str],
    shared: Sequence[str],
    weights: Float[np.ndarray, "gene set"],
    n_splits: int,
) -> tuple[PerGene, Float[np.ndarray, "set"]]:
    """Correlate halves of genes and of their weighted means, in the same splits."""
    counts, totals, wide = _counted(section, genes, shared)

    def both(*half: np.ndarray) -> Float[np.ndarray, "spot value"]:
        values = wide(*half)
        return np.hstack([values, values @ weights])

    halves = split_half(counts, totals, both, n_splits)
    return halves[: len(genes)], halves[len(genes) :]


def pooled(table: pd.DataFrame, by: str = "gene") -> pd.DataFrame:
    """Pool the correlation of halves over the sections of a patient.

    Returns
    -------
    Columns: patient, gene (or set), halves (mean over the sections), attainable.
    """
    mean = table.groupby(["patient", by], sort=False)["halves"].mean().reset_index()
    return mean.assign(attainable=attainable(mean["halves"].to_numpy()))


def _counted(section: Section, genes: Sequence[str], shared: Sequence[str]):
    """Return counts and totals as integers, and the scoring target as a function of them."""
    target = fit_target(SCORING, list(genes), [section], list(shared))
    totals = np.rint(section.totals(list(shared))).astype(np.int64)
    counts = section.matrix(list(genes)).astype(np.int64)
    return counts, totals, lambda *half: target.of(*(part.astype(np.float32) for part in half))


def _neighbours(section: Section, values: Values) -> PerGene:
    """Correlate each spot with the mean of its four nearest spots."""
    graph = nearest(torch.from_numpy(section.grid), k=4)
    return pcc(graph.mean(torch.from_numpy(values)).numpy(), values)
