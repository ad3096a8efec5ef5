"""What the data hold before anything is learned: spots, depth, genes and scale of each section, genes that do not vary, colours."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from compendium.data.section import Section
from compendium.data.sources import cohort
from compendium.errors import BadInput
from compendium.evaluation import published
from compendium.storage import resource

CHANNELS = ("red", "green", "blue")
# Side of the square cut from the image, px: Table S1 of the benchmark, which gives DeepSpaCE the 224 to which its code shrinks what it cuts, 2.5 radii of 75 px each way.
TILES = {
    112: "HisToGene, Hist2ST",
    224: "ST-Net, BLEEP",
    299: "STimage",
    376: "DeepSpaCE (shrunk to 224)",
}
CHANCE = 0.6  # below this share of comparisons won (half is chance) colours are not said to tell anything


def section_numbers(sections: Iterable[Section]) -> pd.DataFrame:
    """One row a section: [section, patient, lab, spots, spot_set, empty_spots, labelled_spots, labels_from, genes, umi_q1 ... genes_q3, image, um_per_px, spot_px].

    genes: names in its count table. umi_* and genes_*: quartiles over its spots of the UMI total and of the number of genes with a count,
    over every gene of the table. empty_spots: spots without a count. spot_px: diameter of a spot in pixels of the full image.
    """
    return pd.DataFrame([_numbers(section) for section in sections])


def _numbers(section: Section) -> dict[str, object]:
    totals = np.asarray(section.counts.sum(axis=1)).ravel()
    found = (
        np.diff(section.counts.indptr)
        if section.counts.data.all()
        else np.asarray((section.counts > 0).sum(axis=1)).ravel()
    )
    quartiles = _quartiles("umi", totals) | _quartiles("genes", found)
    return {
        "section": section.name, "patient": section.patient, "lab": section.lab, "spots": len(section), "spot_set": section.spot_set,
        "empty_spots": int((totals == 0).sum()),
        "labelled_spots": 0 if section.labels is None else int((section.labels != "").sum()), "labels_from": section.labels_from,
        "genes": len(section.genes), **quartiles,
        "image": section.patches is not None, "um_per_px": section.um_per_px, "spot_px": section.spot_um / section.um_per_px,
    }  # fmt: skip


def spot_sets(numbers: pd.DataFrame) -> str:
    """Which of two published sets of spots sections were prepared with, as a page says it; "" where no section has two: unfiltered spots: CID4290, CID4465."""
    chosen = numbers[numbers["spot_set"] != ""].groupby("spot_set")["section"].agg(", ".join)
    return "; ".join(f"{word} spots: {names}" for word, names in chosen.items())


def _quartiles(what: str, values: np.ndarray) -> dict[str, float]:
    return dict(
        zip(
            (f"{what}_q1", f"{what}_median", f"{what}_q3"),
            np.quantile(values, [0.25, 0.5, 0.75]).tolist(),
            strict=True,
        )
    )


def measured_everywhere(sections: Iterable[Section]) -> list[str]:
    """Genes that every section's count table names, in the order of the first; recomputed from the tables, no published list is used."""
    common: dict[str, None] = {}
    for number, section in enumerate(sections):
        here = dict.fromkeys(section.genes.tolist())
        common = here if number == 0 else {gene: None for gene in common if gene in here}
    return list(common)


def constant_pairs(sections: Iterable[Section], genes: list[str]) -> pd.DataFrame:
    """The (section, gene) pairs whose count is the same in every spot: [section, gene, count]. No correlation is defined for them."""
    rows = []
    for section in sections:
        counts = section.matrix(genes)
        still = np.flatnonzero(counts.max(axis=0) == counts.min(axis=0))
        rows += [
            {"section": section.name, "gene": genes[i], "count": int(counts[0, i])} for i in still
        ]
    return pd.DataFrame(rows, columns=["section", "gene", "count"])


def printed(cohort_name: str, tissue: str = "") -> dict[str, object]:
    """What the benchmark prints about a cohort, or several joined by + (data/published/table1.csv), {} where it has not all of them: its first row, with the counts of all.

    tissue: frozen or FFPE, to have the rows of that alone.
    """
    table, names = pd.read_csv(resource("published/table1.csv")), cohort_name.split("+")
    rows = table[
        table["cohort"].isin(names) & table["tissue"].isin([tissue] if tissue else table["tissue"])
    ]
    if set(rows["cohort"]) != set(names):
        return {}
    return rows.iloc[0].to_dict() | rows[["patients", "sections", "spots"]].sum().to_dict()


def missing_in_print(cohort_name: str, genes: int) -> dict[str, int]:
    """Method -> correlations that are missing over all sections in the authors' own result tables of that many genes (data/published/scores.csv)."""
    stated = printed(cohort_name)
    table = published.read()
    rows = table[(table["cohort"] == stated.get("dataset")) & (table["genes"] == genes)]
    whole = rows.groupby("method").filter(
        lambda group: group["section"].nunique() == stated["sections"]
    )
    return {method: int(count) for method, count in whole.groupby("method")["nan"].sum().items()}


def cohort_table(
    numbers: pd.DataFrame, shared: list[str], catalogued: int, stated: dict[str, object]
) -> pd.DataFrame:
    """Table 1's row recomputed: [row, patients, sections, spots, shared genes]; with a `stated` row its numbers before it and the differences after.

    catalogued: how many sections the cohort has; where fewer are in `numbers`, the row says of how many it was computed.
    """
    ours = {
        "patients": numbers["patient"].nunique(),
        "sections": len(numbers),
        "spots": int(numbers["spots"].sum()),
        "shared genes": len(shared),
    }
    name = (
        "recomputed"
        if len(numbers) == catalogued
        else f"recomputed from {len(numbers)} of {catalogued} sections"
    )
    if not stated:
        return pd.DataFrame([{"row": name} | ours])
    theirs = {
        "patients": int(stated["patients"]),
        "sections": int(stated["sections"]),
        "spots": int(stated["spots"]),
        "shared genes": int(stated["genes"]),
    }
    gap = {key: ours[key] - theirs[key] for key in ours}
    return pd.DataFrame(
        [{"row": "printed"} | theirs, {"row": name} | ours, {"row": "difference"} | gap]
    )


def patients_of(cohort_name: str, names: list[str]) -> int:
    """How many patients or donors the catalogue gives for the named sections."""
    return len({cohort(cohort_name).section(name).patient for name in names})


def scale_by_patient(numbers: pd.DataFrame, tiles: Iterable[int] = TILES) -> pd.DataFrame:
    """Physical scale of each patient's images, mean over sections: [patient, sections, µm per px, spot in px, N px tile ...], tiles in spot diameters."""
    rows = []
    for patient, group in numbers.groupby("patient", sort=False):
        spot_px = group["spot_px"].mean()
        row = {
            "patient": patient,
            "sections": span(group["section"].tolist()),
            "µm per px": group["um_per_px"].mean(),
            "spot, px": round(spot_px),
        }
        rows.append(row | {f"{px} px tile": px / spot_px for px in tiles})
    return pd.DataFrame(rows)


def span(names: list[str]) -> str:
    """A1, A2, A3 -> A1–A3; names that are no run of numbers are listed."""
    parts = [re.fullmatch(r"(\D*)(\d+)", name) for name in names]
    if len(names) > 2 and all(parts) and len({part[1] for part in parts}) == 1:
        numbers = [int(part[2]) for part in parts]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{names[0]}–{names[-1]}"
    return ", ".join(names)


def depth_contrast(numbers: pd.DataFrame) -> dict[str, object]:
    """The deepest and the shallowest section and patient by median UMIs a spot.

    Keys low, high (sections) and low_umi, high_umi, fold; between: fold between patients' mean medians; within: the largest fold between two sections of a patient.
    """
    ordered = numbers.sort_values("umi_median")
    low, high = ordered.iloc[0], ordered.iloc[-1]
    groups = numbers.groupby("patient")["umi_median"]
    return {
        "low": low["section"], "high": high["section"], "low_umi": low["umi_median"], "high_umi": high["umi_median"], "fold": _fold(high["umi_median"], low["umi_median"]),
        "between": _fold(groups.mean().max(), groups.mean().min()), "within": float((groups.max() / groups.min().clip(lower=1)).max()),
    }  # fmt: skip


def _fold(high: float, low: float) -> float:
    return float(high / max(low, 1))


def typical_folds(numbers: pd.DataFrame) -> tuple[float, float]:
    """Geometric mean of the fold between the median UMIs of two sections, of one patient and of different ones; NaN where there is no such pair."""
    log, patient = (
        np.log(numbers["umi_median"].clip(lower=1)).to_numpy(),
        numbers["patient"].to_numpy(),
    )
    one, other = np.triu_indices(len(numbers), k=1)
    fold, same = np.abs(log[one] - log[other]), patient[one] == patient[other]
    within, between = (
        float(np.exp(fold[pairs].mean())) if pairs.any() else np.nan for pairs in (same, ~same)
    )
    return within, between


def depth_words(numbers: pd.DataFrame) -> str:
    """What the sections say about depth within and between patients, as a sentence or two."""
    within, between = typical_folds(numbers)
    if np.isnan([within, between]).any():
        return "Whether sections of one patient are more alike in depth than patients are cannot be seen here: it takes two sections of one patient and one of another."
    told = f"Two sections of one patient differ {within:.1f}-fold in depth on average, two of different patients {between:.1f}-fold."
    if round(between, 1) > round(within, 1):
        return f"{told} Training on sections of the same patient tells a method what to expect, before it has looked at any tissue."
    return f"{told} Here another section of the same patient says no more about depth than one of another patient."


def colour_words(overlaps: pd.DataFrame, kind: str, word: str) -> str:
    """Whether colour tells where a section comes from. overlaps: channel_overlap; kind: patient or lab, called `word` in the sentence."""
    alike = overlaps[f"same_{kind}"].astype(bool)
    same, other = (
        overlaps.loc[alike, "overlap"].to_numpy(),
        overlaps.loc[~alike, "overlap"].to_numpy(),
    )
    if not (len(same) and len(other)):
        return f"Whether colour tells one {word} from another cannot be seen on these sections."
    won = float((np.sign(same[:, None] - other).mean() + 1) / 2)
    told = f"In {won:.0%} of all comparisons a pair of one {word} is more alike than a pair of different ones (half would be chance)."
    if won < CHANCE:
        return f"{told} On these sections colour says little or nothing about where a section comes from."
    return f"{told} Colour alone thus carries a part of the information on where a section comes from, and a method that learns from colour learns some of that."


def image_sides(section: Section) -> tuple[int, int]:
    """Width and height in pixels of the full image that a section's thumbnail was made from, to about one pixel of the thumbnail."""
    height, width = section.thumbnail.shape[:2]
    return round(width / section.thumbnail_scale), round(height / section.thumbnail_scale)


def image_facts(sections: list[Section]) -> pd.DataFrame:
    """One row a section with an image: [section, patient, lab, image_width_px, image_height_px, um_per_px]."""
    columns = ("image_width_px", "image_height_px")
    return pd.DataFrame(
        [
            {
                "section": s.name,
                "patient": s.patient,
                "lab": s.lab,
                **dict(zip(columns, image_sides(s), strict=True)),
                "um_per_px": s.um_per_px,
            }
            for s in sections
        ]
    )


def spot_facts(section: Section) -> pd.DataFrame:
    """One row a spot: [section, spot, x, y, umi, class, class_from], x and y in pixels of the full image; class_from: see Section.labels_from."""
    umi = np.asarray(section.counts.sum(axis=1)).ravel()
    labels = "" if section.labels is None else section.labels
    x, y = section.pixels.T
    return pd.DataFrame(
        {
            "section": section.name,
            "spot": section.spots,
            "x": x,
            "y": y,
            "umi": umi,
            "class": labels,
            "class_from": section.labels_from,
        }
    )


def depth_and_darkness(sections: list[Section], step: int = 8) -> pd.DataFrame:
    """Spearman correlation, over a section's spots, of UMI total and darkness (255 less the mean brightness) of the stored patch: [section, spearman]."""
    rows = []
    for section in sections:
        if section.patches is not None:
            brightness = (
                np.asarray(section.patches[:, step // 2 :: step, step // 2 :: step])
                .reshape(len(section), -1)
                .mean(axis=1)
            )
            totals = np.asarray(section.counts.sum(axis=1)).ravel()
            rows.append(
                {
                    "section": section.name,
                    "spearman": float(spearmanr(totals, 255 - brightness).statistic),
                }
            )
    return pd.DataFrame(rows, columns=["section", "spearman"])


def channel_shares(sections: Iterable[Section], bins: int = 32, step: int = 8) -> pd.DataFrame:
    """How often each brightness occurs around the spots: [section, patient, lab, channel, level, share]; share sums to 1 over the levels.

    Every `step`-th row and column of every stored patch is counted; level is the middle of its bin, 0 (dark) to 255. Sections without image are left out.
    """
    if not 2 <= bins <= 256:
        raise BadInput(
            f"channel_bins {bins} is out of range: colours have 256 levels; give 2 to 256"
        )
    rows = []
    for section in sections:
        if section.patches is None:
            continue
        pixels = np.asarray(section.patches[:, step // 2 :: step, step // 2 :: step]).reshape(-1, 3)
        for channel, values in zip(CHANNELS, pixels.T, strict=True):
            counts, edges = np.histogram(values, bins=bins, range=(0, 256))
            facts = {
                "section": section.name,
                "patient": section.patient,
                "lab": section.lab,
                "channel": channel,
            }
            rows += [
                facts | {"level": level, "share": share}
                for level, share in zip(
                    (edges[:-1] + edges[1:] - 1) / 2, counts / counts.sum(), strict=True
                )
            ]
    return pd.DataFrame(rows, columns=["section", "patient", "lab", "channel", "level", "share"])


def channel_overlap(shares: pd.DataFrame) -> pd.DataFrame:
    """Shared area of two sections' colour histograms, mean of the channels, 0 to 1: [one, other, same_patient, same_lab, overlap]."""
    wide = shares.pivot(index=["channel", "level"], columns="section", values="share")
    facts = shares.drop_duplicates("section").set_index("section")
    rows = []
    for i, one in enumerate(facts.index):
        for other in facts.index[i + 1 :]:
            overlap = float(np.minimum(wide[one], wide[other]).sum() / len(CHANNELS))
            same = {
                f"same_{what}": bool(facts[what][one] == facts[what][other])
                for what in ("patient", "lab")
            }
            rows.append({"one": one, "other": other, **same, "overlap": overlap})
    return pd.DataFrame(rows, columns=["one", "other", "same_patient", "same_lab", "overlap"])
