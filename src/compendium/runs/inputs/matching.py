"""Training sets, whole or cut: two arms made equal in number of spots and in depth, so that a comparison is of patients alone."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.runs.seeds import seed_of


@dataclass(frozen=True)
class TrainingSubset:
    """What is trained on of one section: some of its spots (None for all), with counts that may be thinned.

    Features are those of the whole section, then cut: a coordinate or a cached feature does not change because others are left out.
    """

    whole: Section
    section: Section
    rows: np.ndarray | None = None

    def only(self, rows: np.ndarray) -> "Part":
        """Some of its spots, by their rows in `section`."""
        return TrainingSubset(
            self.whole, subset(self.section, rows), rows if self.rows is None else self.rows[rows]
        )


def uncut(sections: list[Section]) -> list[TrainingSubset]:
    """Every spot of every section."""
    return [TrainingSubset(section, section) for section in sections]


def matched(
    parts: list[TrainingSubset], others: list[TrainingSubset], shared: list[str], seed: int
) -> list[TrainingSubset]:
    """`parts` cut to the smaller number of spots and the smaller median UMI total of the two sets.

    Spots are drawn without replacement over all sections; counts are thinned binomially, molecule by molecule, so that
    depth is what fewer reads would have given. A set that is already the smaller is returned as it is.
    """
    rng = np.random.default_rng(
        seed_of("matched", seed, *([part.whole.name for part in some] for some in (parts, others)))
    )
    spots, depth = size([part.section for part in others], shared)
    kept = (
        _some_spots(parts, spots, rng)
        if spots < sum(len(part.section) for part in parts)
        else parts
    )
    found = size([part.section for part in kept], shared)[1]
    if depth >= found:
        return kept
    return [
        dataclasses.replace(part, section=thinned(part.section, depth / found, rng))
        for part in kept
    ]


def size(sections: list[Section], shared: list[str]) -> tuple[int, float]:
    """Number of spots, and median UMI total of a spot over the shared genes."""
    totals = np.concatenate([section.totals(shared) for section in sections])
    return len(totals), float(np.median(totals))


def _some_spots(
    parts: list[TrainingSubset], spots: int, rng: np.random.Generator
) -> list[TrainingSubset]:
    chosen = np.sort(rng.choice(sum(len(part.section) for part in parts), spots, replace=False))
    kept, start = [], 0
    for part in parts:
        rows = chosen[(chosen >= start) & (chosen < start + len(part.section))] - start
        start += len(part.section)
        if len(rows):
            kept.append(part.only(rows))
    return kept


def subset(section: Section, rows: np.ndarray) -> Section:
    """The counts and positions of some spots; the patches stay with the whole section."""
    return dataclasses.replace(
        section,
        spots=section.spots[rows],
        grid=section.grid[rows],
        pixels=section.pixels[rows],
        counts=section.counts[rows],
        patches=None,
        labels=None if section.labels is None else section.labels[rows],
    )


def thinned(section: Section, share: float, rng: np.random.Generator) -> Section:
    """Each counted molecule is kept with probability `share`."""
    counts = csr_matrix(
        (rng.binomial(section.counts.data, share), section.counts.indices, section.counts.indptr),
        shape=section.counts.shape,
    )
    return dataclasses.replace(section, counts=counts)
