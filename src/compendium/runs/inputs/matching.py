"""Training subsets: whole sections, or spots of them matched in number and depth to another set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from compendium.data.section import Section
from compendium.runs.seeds import seed_of


@dataclass(frozen=True)
class TrainingSubset:
    """The spots of one section that are trained on.

    Parameters
    ----------
    full_section
        The section with all of its spots, from which tiles and features are taken.
    section
        The chosen spots, with counts that may be thinned.
    rows
        Rows of the chosen spots in the full section; None for all.
    """

    full_section: Section
    section: Section
    rows: Int64[np.ndarray, "spot"] | None = None

    def only(self, rows: Int64[np.ndarray, "some"]) -> "TrainingSubset":
        """Select spots by their rows in `section`."""
        chosen = rows if self.rows is None else self.rows[rows]
        return TrainingSubset(self.full_section, subset(self.section, rows), chosen)


def uncut(sections: Sequence[Section]) -> list[TrainingSubset]:
    """Take every spot of every section."""
    return [TrainingSubset(section, section) for section in sections]


def matched(
    subsets: list[TrainingSubset], others: list[TrainingSubset], shared: list[str], seed: int
) -> list[TrainingSubset]:
    """Reduce a training set to the smaller number of spots and smaller median depth of two sets.

    Spots are drawn without replacement over all sections; counts are thinned binomially, one
    molecule at a time, as fewer reads would have given. A set that is already the smaller one is
    returned unchanged.

    Parameters
    ----------
    subsets
        The training set.
    others
        The set it is compared with.
    shared
        Genes over which depth is counted.
    seed
        Seed of the run.
    """
    names = [[each.full_section.name for each in some] for some in (subsets, others)]
    rng = np.random.default_rng(seed_of("matched", seed, *names))
    n_spots, depth = size([each.section for each in others], shared)
    if n_spots < sum(len(each.section) for each in subsets):
        subsets = _some_spots(subsets, n_spots, rng)
    own_depth = size([each.section for each in subsets], shared)[1]
    if depth >= own_depth:
        return subsets
    share = depth / own_depth
    return [replace(each, section=thinned(each.section, share, rng)) for each in subsets]


def size(sections: list[Section], shared: list[str]) -> tuple[int, float]:
    """Count the spots, and return the median UMI total of a spot over the shared genes."""
    totals = np.concatenate([section.totals(shared) for section in sections])
    return len(totals), float(np.median(totals))


def _some_spots(
    subsets: list[TrainingSubset], n_spots: int, rng: np.random.Generator
) -> list[TrainingSubset]:
    *starts, total = np.cumsum([0, *(len(each.section) for each in subsets)])
    chosen = np.sort(rng.choice(total, n_spots, replace=False))
    rows = np.split(chosen, np.searchsorted(chosen, starts[1:]))
    pieces = zip(subsets, starts, rows, strict=True)
    return [each.only(rows - start) for each, start, rows in pieces if len(rows)]


def subset(section: Section, rows: Int64[np.ndarray, "some"]) -> Section:
    """Select counts, positions and labels of some spots; the tiles stay with the full section."""
    cut = {name: getattr(section, name)[rows] for name in ("spots", "grid", "pixels", "counts")}
    labels = None if section.labels is None else section.labels[rows]
    return replace(section, **cut, stored_tiles=None, labels=labels)


def thinned(section: Section, share: float, rng: np.random.Generator) -> Section:
    """Keep each counted molecule with probability `share`."""
    counts = section.counts.copy()
    counts.data = rng.binomial(counts.data, share)
    return replace(section, counts=counts)
