"""Numbers of single sections: spots, depth, genes, scale, colours."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from compendium.data.section import Section
from compendium.evaluation.describe import CHANNELS, image_sides


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
    totals, labels = section.counts.sum(axis=1), section.labels
    depth = np.asarray(totals).ravel()
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
        "image": section.patches is not None,
        "um_per_px": section.um_per_px,
        "spot_px": section.spot_um / section.um_per_px,
    }


def _quartiles(name: str, values: np.ndarray) -> dict[str, float]:
    quartiles = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return dict(zip((f"{name}_q1", f"{name}_median", f"{name}_q3"), quartiles, strict=True))


def shared_genes(sections: Iterable[Section]) -> list[str]:
    """Return the genes that every section's count table names, in the order of the first."""
    common: dict[str, None] = {}
    for number, section in enumerate(sections):
        here = dict.fromkeys(section.genes.tolist())
        common = here if number == 0 else {gene: None for gene in common if gene in here}
    return list(common)


def constant_pairs(sections: Iterable[Section], genes: list[str]) -> pd.DataFrame:
    """Return the pairs of section and gene whose count is the same in every spot.

    Returns
    -------
    One line a pair: section, gene, count. No correlation is defined for them.
    """
    rows = []
    for section in sections:
        counts = section.matrix(genes)
        constant = np.flatnonzero(counts.max(axis=0) == counts.min(axis=0))
        rows += [
            {"section": section.name, "gene": genes[i], "count": int(counts[0, i])}
            for i in constant
        ]
    return pd.DataFrame(rows, columns=["section", "gene", "count"])


def image_facts(sections: Sequence[Section]) -> pd.DataFrame:
    """Return the size of each image: section, patient, lab, image_*_px, um_per_px."""
    rows = []
    for section in sections:
        width, height = image_sides(section)
        rows.append(
            {
                "section": section.name,
                "patient": section.patient,
                "lab": section.lab,
                "image_width_px": width,
                "image_height_px": height,
                "um_per_px": section.um_per_px,
            }
        )
    return pd.DataFrame(rows)


def spot_facts(section: Section) -> pd.DataFrame:
    """Return the spots of a section: section, spot, x, y (px of the full image), umi, class."""
    x, y = section.pixels.T
    return pd.DataFrame(
        {
            "section": section.name,
            "spot": section.spots,
            "x": x,
            "y": y,
            "umi": np.asarray(section.counts.sum(axis=1)).ravel(),
            "class": "" if section.labels is None else section.labels,
            "class_from": section.labels_from,
        }
    )


def depth_and_darkness(sections: Iterable[Section], step: int = 8) -> pd.DataFrame:
    """Correlate the depth of a spot with the darkness of its tile, over the spots of a section.

    Parameters
    ----------
    step
        Every `step`-th row and column of a stored tile is measured.

    Returns
    -------
    One row a section with an image: section, spearman (of the UMI total of a spot and 255 less
    the mean brightness of its tile).
    """
    rows = []
    for section in sections:
        if section.patches is not None:
            pixels = np.asarray(section.patches[:, step // 2 :: step, step // 2 :: step])
            darkness = 255 - pixels.reshape(len(section), -1).mean(axis=1)
            depth = np.asarray(section.counts.sum(axis=1)).ravel()
            correlation = float(spearmanr(depth, darkness).statistic)
            rows.append({"section": section.name, "spearman": correlation})
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
    facts = shares.drop_duplicates("section").set_index("section")[["patient", "lab"]]
    rows = [
        {
            "one": one,
            "other": other,
            "same_patient": facts.loc[one, "patient"] == facts.loc[other, "patient"],
            "same_lab": facts.loc[one, "lab"] == facts.loc[other, "lab"],
            "overlap": float(np.minimum(wide[one], wide[other]).sum() / len(CHANNELS)),
        }
        for i, one in enumerate(facts.index)
        for other in facts.index[i + 1 :]
    ]
    return pd.DataFrame(rows, columns=["one", "other", "same_patient", "same_lab", "overlap"])


def thinned(section: Section, genes: list[str], share: float = 0.1) -> pd.DataFrame:
    """Compare counts as measured with a random share of them.

    Returns
    -------
    Two rows: counts, UMIs, genes without variance, genes seen at all.
    """
    measured = section.matrix(genes).astype(int)
    fewer = np.random.default_rng(0).binomial(measured, share)
    return pd.DataFrame(
        [
            {
                "counts": name,
                "UMIs": int(counts.sum()),
                "genes without variance": int((np.ptp(counts, axis=0) == 0).sum()),
                "genes seen at all": int((counts > 0).any(axis=0).sum()),
            }
            for name, counts in (("as measured", measured), (f"thinned to {share:.0%}", fewer))
        ]
    )
