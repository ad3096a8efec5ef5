"""Training subsets: whole sections, or spots of them; matched in size and depth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from compendium.data.section import Section
from compendium.data.splits import MATCHED, folds
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


def smallest_training_set(subsets: Sequence[TrainingSubset]) -> int:
    """Count the spots of the smallest training set of a matched comparison.

    Parameters
    ----------
    subsets
        The spots of every section of the comparison (`Split.match`).
    """
    spots = {each.full_section.name: len(each.section) for each in subsets}
    sections = [each.full_section for each in subsets]
    sets = [fold.train for rule in MATCHED for fold in folds(rule, sections)]
    return min(sum(spots[name] for name in train) for train in sets)


def median_total(section: Section, shared: list[str]) -> float:
    """Return the median UMI total of a spot over the shared genes."""
    return float(np.median(section.totals(shared)))


def shallowest(sections: Sequence[Section], shared: list[str]) -> float:
    """Return the median UMI total of the shallowest section of a matched comparison."""
    return min(median_total(section, shared) for section in sections)


def matched(
    subsets: list[TrainingSubset], n_spots: int, depth: float, shared: list[str], seed: int
) -> list[TrainingSubset]:
    """Cut a training set to a number of spots, each section of it to a median UMI total.

    Spots are drawn without replacement over all sections; a set that has no more is kept whole.

    Parameters
    ----------
    subsets
        The training set.
    n_spots, depth
        See `smallest_training_set` and `shallowest`.
    shared
        Genes over which depth is counted.
    seed
        Number of the draw, the seed of the run.
    """
    if n_spots < sum(len(each.section) for each in subsets):
        names = [each.full_section.name for each in subsets]
        rng = np.random.default_rng(seed_of("matched", seed, *names))
        subsets = _some_spots(subsets, n_spots, rng)
    return [replace(each, section=thinned(each.section, depth, shared, seed)) for each in subsets]


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


def thinned(section: Section, depth: float, shared: list[str], seed: int) -> Section:
    """Thin counts binomially to a median UMI total, as fewer reads would have given.

    Each counted molecule is kept with probability depth / median; a section that is not deeper is
    returned as it is.

    Parameters
    ----------
    section
        The section, or some spots of it.
    depth
        Median UMI total of a spot over the shared genes afterwards, up to sampling.
    shared, seed
        See `matched`; the draw depends on the seed and the name of the section alone.
    """
    share = depth / max(median_total(section, shared), 1.0)
    if share >= 1:
        return section
    counts = section.counts.copy()
    rng = np.random.default_rng(seed_of("thinned", seed, section.name))
    counts.data = rng.binomial(counts.data, share)
    return replace(section, counts=counts)
