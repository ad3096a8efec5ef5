"""Numbers of single sections: spots, depth, genes, scale, colours."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy.stats import spearmanr

from compendium.data.section import Section
from compendium.data.targets.transforms import fit_target
from compendium.evaluation.correlation import pcc
from compendium.evaluation.describe import CHANNELS, image_sides

STEP = 8
"""Every `STEP`-th row and column of a tile is measured."""


def umi_totals(section: Section) -> Int[np.ndarray, "spot"]:
    """Return the UMI total of each spot over all genes."""
    return np.asarray(section.counts.sum(axis=1)).ravel()


def section_numbers(sections: Iterable[Section]) -> pd.DataFrame:
    """Return counts, depth and scale of each section.

    Returns
    -------
    One row a section: section, patient, lab, spots, spot_set, empty_spots (without a count),
    labelled_spots, labels_from, genes (named in the count table), image, um_per_px, spot_px
    (diameter of a spot in px of the full image), and quartiles over the spots (q1, median, q3)
    of umi (total of all genes) and genes (with a count).
    """
    return pd.DataFrame([_numbers(section) for section in sections])


def _numbers(section: Section) -> dict[str, object]:
    depth, labels = umi_totals(section), section.labels
    return {
        "section": section.name,
        "patient": section.patient,
        "lab": section.lab,
        "spots": len(section),
        "spot_set": section.spot_set,
        "empty_spots": int((depth == 0).sum()),
        "labelled_spots": 0 if labels is None else int((labels != "").sum()),
        "labels_from": section.labels_from,
        "genes": len(section.genes),
        **_quartiles("umi", depth),
        **_quartiles("genes", np.asarray((section.counts > 0).sum(axis=1)).ravel()),
        "image": section.stored_tiles is not None,
        "um_per_px": section.um_per_px,
        "spot_px": section.spot_um / section.um_per_px,
    }


def _quartiles(name: str, values: np.ndarray) -> dict[str, float]:
    quartiles = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return dict(zip((f"{name}_q1", f"{name}_median", f"{name}_q3"), quartiles, strict=True))


def shared_genes(sections: Iterable[Section]) -> list[str]:
    """Return the genes that every section's count table names, in the order of the first."""
    first, *others = (dict.fromkeys(section.genes.tolist()) for section in sections)
    return [gene for gene in first if all(gene in other for other in others)]


IN_TARGETS = ("log1p", "wide", "pearson")
"""Transforms of the counts in which depth is looked for."""


def depth_in_targets(
    sections: Iterable[Section], genes: Sequence[str], shared: Sequence[str]
) -> pd.DataFrame:
    """Correlate every gene with the depth of the spot, in three transforms of the counts.

    Depth is ln T, T the total over the shared genes, at least 1. Pearson residuals are fitted on
    the section itself.

    Returns
    -------
    One row a section and transform: section, patient, transform, q1, median, q3 (of the correlation
    over the genes).
    """
    genes, shared, rows = list(genes), list(shared), []
    for section in sections:
        depth = np.log(np.maximum(section.totals(shared), 1))[:, None]
        for transform in IN_TARGETS:
            values = fit_target(transform, genes, [section], shared)(section)
            found = pcc(np.broadcast_to(depth, values.shape), values)
            quartiles = np.nanquantile(found, [0.25, 0.5, 0.75]).tolist()
            rows.append((section.name, section.patient, transform, *quartiles))
    columns = ["section", "patient", "transform", "q1", "median", "q3"]
    return pd.DataFrame(rows, columns=columns)


def constant_pairs(sections: Iterable[Section], genes: list[str]) -> pd.DataFrame:
    """Return the pairs of section and gene whose count is the same in every spot.

    Returns
    -------
    One line a pair: section, gene, count. No correlation is defined for them.
    """
    rows = []
    for section in sections:
        counts = section.matrix(genes)
        constant = np.flatnonzero(np.ptp(counts, axis=0) == 0)
        rows += [(section.name, genes[i], int(counts[0, i])) for i in constant]
    return pd.DataFrame(rows, columns=["section", "gene", "count"])


def image_facts(sections: Sequence[Section]) -> pd.DataFrame:
    """Return the size of each image: section, patient, lab, image_*_px, um_per_px."""
    columns = ["section", "patient", "lab", "image_width_px", "image_height_px", "um_per_px"]
    rows = [
        (section.name, section.patient, section.lab, *image_sides(section), section.um_per_px)
        for section in sections
    ]
    return pd.DataFrame(rows, columns=columns)


def spot_facts(section: Section) -> pd.DataFrame:
    """Return the spots of a section: section, spot, x, y (px of the full image), umi, class."""
    x, y = section.pixels.T
    return pd.DataFrame(
        {
            "section": section.name,
            "spot": section.spots,
            "x": x,
            "y": y,
            "umi": umi_totals(section),
            "class": "" if section.labels is None else section.labels,
            "class_from": section.labels_from,
        }
    )


def depth_and_darkness(sections: Iterable[Section]) -> pd.DataFrame:
    """Correlate the depth of a spot with the darkness of its tile, over the spots of a section.

    Returns
    -------
    One row a section with an image: section, spearman (of the UMI total of a spot and 255 less
    the mean brightness of its tile).
    """
    rows = []
    for section in (section for section in sections if section.stored_tiles is not None):
        pixels = np.asarray(section.stored_tiles[:, STEP // 2 :: STEP, STEP // 2 :: STEP])
        darkness = 255 - pixels.reshape(len(section), -1).mean(axis=1)
        rows.append((section.name, float(spearmanr(umi_totals(section), darkness).statistic)))
    return pd.DataFrame(rows, columns=["section", "spearman"])


def channel_overlap(shares: pd.DataFrame) -> pd.DataFrame:
    """Return the shared area of two sections' colour histograms, mean of the channels.

    Parameters
    ----------
    shares
        Table of `channel_shares`.

    Returns
    -------
    One line a pair: one, other, same_patient, same_lab, overlap (0 to 1, 1 for equal histograms).
    """
    wide = shares.pivot(index=["channel", "level"], columns="section", values="share")
    facts = shares.drop_duplicates("section").set_index("section")
    pairs = pd.DataFrame(list(combinations(facts.index, 2)), columns=["one", "other"])
    for fact in ("patient", "lab"):
        pairs[f"same_{fact}"] = pairs["one"].map(facts[fact]) == pairs["other"].map(facts[fact])
    one, other = (wide[pairs[side]].to_numpy() for side in ("one", "other"))
    return pairs.assign(overlap=np.minimum(one, other).sum(axis=0) / len(CHANNELS))


def thinned(section: Section, genes: list[str], share: float = 0.1) -> pd.DataFrame:
    """Compare counts as measured with a random share of them.

    Returns
    -------
    Two rows: counts, UMIs, genes without variance, genes seen at all.
    """
    measured = section.matrix(genes).astype(int)
    fewer = np.random.default_rng(0).binomial(measured, share)
    columns = ["counts", "UMIs", "genes without variance", "genes seen at all"]
    rows = [
        (name, counts.sum(), (np.ptp(counts, axis=0) == 0).sum(), (counts > 0).any(axis=0).sum())
        for name, counts in (("as measured", measured), (f"thinned to {share:.0%}", fewer))
    ]
    return pd.DataFrame(rows, columns=columns)
