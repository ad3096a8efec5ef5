"""Two training sets made equal in number of spots and in depth, so that a comparison is of patients alone."""

import dataclasses

import numpy as np
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.runs.seeds import seed_of


def matched(sections: list[Section], others: list[Section], shared: list[str], seed: int) -> list[Section]:
    """`sections` cut to the smaller number of spots and the smaller median UMI total of the two sets.

    Spots are drawn without replacement over all sections; counts are thinned binomially, molecule by molecule, so that
    depth is what fewer reads would have given. A set that is already the smaller is returned as it is.
    """
    rng = np.random.default_rng(seed_of("matched", seed, [s.name for s in sections], [s.name for s in others]))
    (spots, depth), (other_spots, other_depth) = size(sections, shared), size(others, shared)
    kept = _some_spots(sections, other_spots, rng) if other_spots < spots else sections
    if other_depth >= depth:
        return kept
    share = other_depth / size(kept, shared)[1]
    return [thinned(section, share, rng) for section in kept] if share < 1 else kept


def size(sections: list[Section], shared: list[str]) -> tuple[int, float]:
    """Number of spots, and median UMI total of a spot over the shared genes."""
    totals = np.concatenate([section.totals(shared) for section in sections])
    return len(totals), float(np.median(totals))


def _some_spots(sections: list[Section], spots: int, rng: np.random.Generator) -> list[Section]:
    chosen = np.sort(rng.choice(sum(len(section) for section in sections), spots, replace=False))
    parts, start = [], 0
    for section in sections:
        rows = chosen[(chosen >= start) & (chosen < start + len(section))] - start
        start += len(section)
        if len(rows):
            parts.append(subset(section, rows))
    return parts


def subset(section: Section, rows: np.ndarray) -> Section:
    """The section with some of its spots, named in its digest."""
    def part(array):
        return None if array is None else array[rows]

    return dataclasses.replace(
        section, spots=section.spots[rows], grid=section.grid[rows], pixels=section.pixels[rows], counts=part(section.counts),
        patches=part(section.patches), labels=part(section.labels), digest=f"{section.digest}/{seed_of(rows.tolist())}",
    )


def thinned(section: Section, share: float, rng: np.random.Generator) -> Section:
    """Each counted molecule is kept with probability `share`; patches and digest stay, only counts change."""
    counts = csr_matrix((rng.binomial(section.counts.data, share), section.counts.indices, section.counts.indptr), shape=section.counts.shape)
    return dataclasses.replace(section, counts=counts)
