"""Gene panels: published lists, highly variable genes of training sections, and their unions."""

import hashlib
import re
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Int32
from scipy.sparse import vstack

from compendium import versions
from compendium.data.section import Section
from compendium.data.sources import catalogue
from compendium.errors import BadInput
from compendium.storage import computed_once, home, resource
from compendium.texts import read_yaml

PUBLISHED = ("markers_12", "hvg_769", "hvg_685", "hvg_785")
CHOSEN = re.compile(r"hvg(_union)?\((\d+)\)")
SEEN = 0.1  # of the training spots have a gene of hvg(N)
DECIMALS = 9  # of a dispersion: genes that differ in the noise of the last digits keep their order


def panel(name: str, train: list[Section], shared: list[str]) -> list[str]:
    """Return the genes of a panel, without repeats, in order.

    Parameters
    ----------
    name
        A published list (`hvg_769`), `hvg(300)` chosen on all spots of the training sections alone
        among the genes that at least a tenth of these spots have, `hvg_union(1000)` the genes that
        are among the 1,000 of any training section (BLEEP's enlarged set, as published), `all`
        shared genes, or a union joined by + (`markers_12+hvg(300)`).
    train
        Training sections.
    shared
        Genes that may be in it; others are left out.

    Raises
    ------
    BadInput
        Where there is no such panel, it has no shared gene, or too few genes are seen to choose.
    """
    measured = set(shared)
    parts = [_part(part, train, shared) for part in name.split("+")]
    genes = dict.fromkeys(gene for part in parts for gene in part if gene in measured)
    if not genes:
        wrong = f"panel {name} shares no gene with the sections of {train[0].cohort}"
        raise BadInput(f"{wrong}; choose another panel, e.g. hvg(100)")
    return list(genes)


def _part(name: str, train: list[Section], shared: list[str]) -> list[str]:
    if name == "all":
        return shared
    if not (chosen := CHOSEN.fullmatch(name)):
        return list(published(name))
    n = int(chosen[2])
    if not chosen[1]:
        return _variable_and_seen(train, n, shared)
    each = [highly_variable([section], n, shared, depth=None) for section in train]
    return [gene for genes in each for gene in genes]


def chosen_among_seen(name: str) -> bool:
    """Return whether a part of the panel is an hvg(N)."""
    parts = map(CHOSEN.fullmatch, name.split("+"))
    return any(part and not part[1] for part in parts)


def _variable_and_seen(train: list[Section], n: int, shared: list[str]) -> list[str]:
    """Return the `n` most variable genes that at least SEEN of the training spots have."""
    spots = [section.counts[:, section.columns(shared)].getnnz(axis=0) for section in train]
    share = np.sum(spots, axis=0) / sum(map(len, train))
    seen = {gene for gene, part in zip(shared, share, strict=True) if part >= SEEN}
    if not 0 < n <= len(seen):
        wrong = f"{len(seen)} genes that {SEEN:.0%} of the training spots have"
        mend = f"give 1 to {len(seen)}, or another panel"
        raise BadInput(f"panel hvg({n}) asks for {n} of {wrong}; {mend}")
    return [gene for gene in highly_variable(train, len(shared), shared) if gene in seen][:n]


@cache
def published(name: str) -> tuple[str, ...]:
    """Return a gene list that travels with the package."""
    if name not in PUBLISHED:
        mend = f"known: {', '.join(PUBLISHED)}, hvg(N), hvg_union(N), all, joined by +"
        raise BadInput(f"unknown panel {name!r}; {mend}")
    return tuple(resource(f"genes/{name}.txt").read_text().split())


@cache
def gene_sets() -> dict[str, list[str]]:
    """Return the gene sets of data/genes/sets.yaml by name."""
    return {name: facts["genes"] for name, facts in read_yaml(resource("genes/sets.yaml")).items()}


def shared_genes(sections: list[Section]) -> list[str]:
    """Return the genes over which library size is counted.

    The cohort's published shared list, else what the given sections share; BadInput where that is
    none.
    """
    known = catalogue().get(sections[0].cohort)
    common = frozenset.intersection(*(section.gene_set for section in sections))
    if known is not None and known.shared_genes:
        common &= _listed(known.shared_genes)
    if not common:
        named = f"{', '.join(s.name for s in sections)} of {sections[0].cohort}"
        raise BadInput(f"sections {named} share no gene; check that they name genes alike")
    return [gene for gene in sections[0].genes.tolist() if gene in common]


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(resource(f"genes/{name}.txt").read_text().split())


def highly_variable(
    sections: list[Section], n: int, shared: list[str], depth: float | None = 1e4
) -> list[str]:
    """Return the `n` most variable of the shared genes over all spots, most variable first.

    scanpy.pp.highly_variable_genes(flavor="seurat"): dispersion of normalised counts, as a z-score
    among genes of like mean. Genes that were never seen come last.

    Parameters
    ----------
    depth
        Total to which each spot is normalised; None: the median of the spots, as BLEEP does.

    Raises
    ------
    BadInput
        Where `n` is out of range, or a section lacks a gene.

    References
    ----------
    Satija et al., Nature Biotechnology 2015.
    """
    if not 0 < n <= len(shared):
        mend = f"give 1 to {len(shared)}"
        raise BadInput(f"panel hvg({n}) asks for {n} of {len(shared)} shared genes; {mend}")
    order = computed_once(
        _order_path(sections, shared, depth), lambda: _order(sections, shared, depth)
    )
    return [shared[i] for i in order[:n]]


def _order_path(sections: list[Section], shared: list[str], depth: float | None) -> Path:
    """Return the file of the order of genes; a checksum of what decides it names the file."""
    facts = [*(section.counts_digest for section in sections), *shared, depth, versions.INPUTS]
    digest = hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()[:16]
    return home() / "panels" / f"{sections[0].cohort}-{digest}.npy"


def _order(
    sections: list[Section], shared: list[str], depth: float | None
) -> Int32[np.ndarray, "gene"]:
    """Sort the shared genes, the most variable first."""
    import scanpy
    from anndata import AnnData
    from threadpoolctl import threadpool_info, threadpool_limits

    parts = [section.counts[:, section.columns(shared)] for section in sections]
    counts = vstack(parts).astype(np.float64).tocsr()
    adata = AnnData(counts[np.asarray(counts.sum(axis=1)).ravel() > 0])
    # numba's loops in scanpy would leave OpenMP, and so torch, with as many threads as cores.
    with threadpool_limits(threadpool_info()):
        scanpy.pp.normalize_total(adata, target_sum=depth)
        scanpy.pp.log1p(adata)
        found = scanpy.pp.highly_variable_genes(adata, flavor="seurat", inplace=False)
    score = found["dispersions_norm"].fillna(-np.inf).to_numpy()
    return np.argsort(-np.round(score, DECIMALS), kind="stable").astype(np.int32)
