"""Tables of the data review, and the numbers that its page names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from compendium.chapters.data_review import sections as describe
from compendium.data.panels import gene_sets
from compendium.data.panels import panel as panel_genes
from compendium.data.prepare import one_by_one, prepared_names
from compendium.data.section import Section, digest
from compendium.data.sources import cohort as catalogued
from compendium.evaluation import ceiling, published
from compendium.evaluation.classification import transferred
from compendium.evaluation.comparison import Design, Fitted, Tables
from compendium.evaluation.describe import TILES, channel_shares, image_sides, printed
from compendium.evaluation.results import Results
from compendium.storage import resource


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Count every prepared section of the cohort and describe the images of some.

    Parameters
    ----------
    design
        Design of the chapter; its facts name panel, channel_bins and slides.
    groups
        Empty: nothing is fitted.
    sections
        Sections whose images are described. The others are opened one at a time.
    """
    cohort, asked, prepared = design.cohort, design.facts, prepared_names(design.cohort)
    counted = partial(one_by_one, cohort, prepared)
    numbers, shared = describe.section_numbers(counted()), describe.shared_genes(counted())
    genes, drawn = panel_genes(asked["panel"], sections, shared), select(sections, asked["slides"])
    deepest = next(one_by_one(cohort, [depth_contrast(numbers)["high"]]))
    measured = most_counted(counted(), genes)
    sets, every = spot_sets(numbers), len(catalogued(cohort).sections)
    facts = {
        "data": f"{cohort} {digest(counted())}",
        "protocol": f"{design.protocol}{sets and f', {sets}'}",
        "device": "CPU",
        "panel_genes": len(genes),
        "shown": [section.name for section in sections],
        "spot_um": sections[0].spot_um,
        "sides": {section.name: image_sides(section) for section in drawn},
        "labels": transferred(drawn),
    }
    return {
        "numbers": numbers,
        "table_1": cohort_table(numbers, shared, every, printed(cohort)),
        "constant_pairs": describe.constant_pairs(counted(), genes),
        "depth_in_targets": describe.depth_in_targets(counted(), genes, shared),
        "ceilings": _compact(ceiling.by_gene(counted(), measured, shared)),
        "gene_sets": ceiling.by_set(counted(), gene_sets(), shared),
        "images": describe.image_facts(drawn),
        "colours": channel_shares(drawn, asked["channel_bins"]),
        "darkness": describe.depth_and_darkness(drawn),
        "thinned": describe.thinned(deepest, genes),
    }, facts


MEASURED = 1000
"""Number of genes whose ceiling is measured, at most."""


def most_counted(sections: Iterable[Section], genes: Sequence[str]) -> list[str]:
    """Return the genes with the most counts over all sections, at most MEASURED, in their order."""
    total = sum(section.matrix(list(genes)).sum(axis=0, dtype=np.float64) for section in sections)
    chosen = np.sort(np.argsort(-total, kind="stable")[:MEASURED])
    return [genes[i] for i in chosen]


def _compact(table: pd.DataFrame) -> pd.DataFrame:
    """Store numbers in single precision."""
    return table.astype(dict.fromkeys(table.select_dtypes("float64"), np.float32))


def spot_sets(numbers: pd.DataFrame) -> str:
    """List sections by their published set of spots; empty where no section has two sets."""
    chosen = numbers[numbers["spot_set"] != ""].groupby("spot_set")["section"].agg(", ".join)
    return "; ".join(f"{name} spots: {sections}" for name, sections in chosen.items())


def select(sections: Sequence[Section], most: int) -> list[Section]:
    """Choose at most `most` sections with an image, in the order given.

    One of each patient comes first, laboratories in turn, then their second ones.
    """
    imaged = [section for section in sections if section.thumbnail is not None]
    places = [(section.patient, section.lab) for section in imaged]
    table = pd.DataFrame(places, columns=["patient", "lab"])
    table["turn"] = table.groupby("patient").cumcount()
    table["place"] = table.groupby(["lab", "turn"]).cumcount()
    return [imaged[i] for i in sorted(table.sort_values(["turn", "place"]).index[:most])]


def cohort_table(
    numbers: pd.DataFrame, shared: list[str], catalogued: int, stated: Mapping[str, object]
) -> pd.DataFrame:
    """Recompute the row of a cohort in Table 1 of the benchmark.

    Parameters
    ----------
    numbers
        Table of `section_numbers`.
    shared
        Genes that every section names.
    catalogued
        How many sections the cohort has.
    stated
        The printed row (`printed`), or nothing.

    Returns
    -------
    Rows printed, recomputed and difference, or recomputed alone: row, patients, sections, spots,
    shared genes.
    """
    ours = {
        "patients": numbers["patient"].nunique(),
        "sections": len(numbers),
        "spots": int(numbers["spots"].sum()),
        "shared genes": len(shared),
    }
    part = f" from {len(numbers)} of {catalogued} sections" if len(numbers) < catalogued else ""
    rows = [{"row": f"recomputed{part}"} | ours]
    if stated:
        theirs = {name: int(stated[name.removeprefix("shared ")]) for name in ours}
        gap = {name: ours[name] - theirs[name] for name in ours}
        rows = [{"row": "printed"} | theirs, *rows, {"row": "difference"} | gap]
    return pd.DataFrame(rows)


def table_1_of_files() -> pd.DataFrame:
    """Compare the Visium rows of Table 1 with what their publishers state.

    Returns
    -------
    One row a printed row and number: row, number, printed, files, difference, source
    (data/published/table1_files.csv).
    """
    stated, printed_rows = _table_1("files"), _table_1("printed")
    lines = [
        {
            "row": f"{credited}, {tissue}",
            "number": name,
            "printed": int(printed_rows.loc[(cohort, tissue), name]),
            "files": int(row[name]),
            "source": row["source"],
        }
        for (cohort, tissue), row in stated.iterrows()
        for credited in [printed_rows.loc[(cohort, tissue), "credited_to"]]
        for name in ("patients", "sections", "spots", "genes")
    ]
    table = pd.DataFrame(lines)
    return table.assign(difference=table["files"] - table["printed"])


def _table_1(which: Literal["files", "printed"]) -> pd.DataFrame:
    """Read rows of Table 1, as printed or as the files have them, by cohort and tissue."""
    name = {"files": "table1_files", "printed": "table1"}[which]
    return pd.read_csv(resource(f"published/{name}.csv")).set_index(["cohort", "tissue"])


def missing_in_print(cohort: str, genes: int) -> dict[str, int]:
    """Count the correlations that the authors' own result tables lack, by method.

    Parameters
    ----------
    genes
        Length of the gene list (data/published/scores.csv has several).
    """
    stated, table = printed(cohort), published.read()
    rows = table[(table["cohort"] == stated.get("dataset")) & (table["genes"] == genes)]
    methods = rows.groupby("method")
    full = methods.filter(lambda group: group["section"].nunique() == stated["sections"])
    return {method: int(count) for method, count in full.groupby("method")["nan"].sum().items()}


def scale_by_patient(numbers: pd.DataFrame, tiles: Iterable[int] = TILES) -> pd.DataFrame:
    """Return the physical scale of each patient's images, mean over the sections.

    Returns
    -------
    One row a patient: patient, sections, µm per px, spot in px, and each tile in spot diameters.
    """
    groups = numbers.groupby("patient", sort=False)
    spot_px = groups["spot_px"].mean()
    table = {
        "sections": groups["section"].agg(lambda names: span(names.tolist())),
        "µm per px": groups["um_per_px"].mean(),
        "spot, px": spot_px.round().astype(int),
    }
    return pd.DataFrame(table | {f"{px} px tile": px / spot_px for px in tiles}).reset_index()


def span(names: Sequence[str]) -> str:
    """Shorten A1, A2, A3 to A1–A3; other names are listed."""
    parts = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    if len(names) > 2 and all(parts) and len({part[1] for part in parts}) == 1:
        numbers = [int(part[2]) for part in parts]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{names[0]}–{names[-1]}"
    return ", ".join(names)


def depth_contrast(numbers: pd.DataFrame) -> dict[str, object]:
    """Compare the depth of sections and patients by the median UMI total of a spot.

    Returns
    -------
    low, high (sections of the least and greatest median), low_umi, high_umi, fold (their ratio),
    between (ratio of the greatest to the least mean of a patient), within (greatest ratio of two
    sections of one patient).
    """
    umi = numbers.set_index("section")["umi_median"]
    groups = numbers.groupby("patient")["umi_median"]
    return {
        "low": umi.idxmin(),
        "high": umi.idxmax(),
        "low_umi": float(umi.min()),
        "high_umi": float(umi.max()),
        "fold": _fold(umi),
        "between": _fold(groups.mean()),
        "within": max(_fold(medians) for _, medians in groups),
    }


def _fold(medians: pd.Series) -> float:
    return float(medians.max() / max(medians.min(), 1))


def typical_folds(numbers: pd.DataFrame) -> tuple[float, float]:
    """Return the typical ratio of depth of two sections, within and between patients.

    Geometric mean, over all pairs, of the ratio of their median UMI totals; NaN without a pair.
    """
    fold = pdist(np.log(numbers[["umi_median"]].clip(lower=1)), "cityblock")
    same = pdist(pd.factorize(numbers["patient"])[0][:, None]) == 0
    within, between = pd.Series(fold)[same].mean(), pd.Series(fold)[~same].mean()
    return float(np.exp(within)), float(np.exp(between))


def grouping(shares: pd.DataFrame) -> str:
    """Return what colours are compared by: lab where there are several, else patient."""
    return "lab" if shares["lab"].nunique() > 1 else "patient"


def page_numbers(cohort: str, results: Results) -> dict[str, object]:
    """Return the numbers that the page names, among them those of Table 1 and of the catalogue."""
    numbers, genes = results["numbers"], results.facts["panel_genes"]
    counted = results["table_1"].set_index("row").filter(like="recomputed", axis=0).iloc[0]
    within, between = typical_folds(numbers)
    own = (numbers["labelled_spots"] > 0) & (numbers["labels_from"] == "")
    named = {
        "panel": results.facts["panel"],
        "panel_genes": genes,
        "constant_pairs": len(results["constant_pairs"]),
        "pairs_in_all": genes * len(numbers),
        "typical_within": within,
        "typical_between": between,
        "spots_least": int(numbers["spots"].min()),
        "spots_most": int(numbers["spots"].max()),
        "empty_spots": int(numbers["empty_spots"].sum()),
        "labelled": int(own.sum()),
        "transferred": int((numbers["labels_from"] != "").sum()),
    } | {f"number_of_{name.replace(' ', '_')}": int(value) for name, value in counted.items()}
    stated = _of_the_catalogue() | _stated_in_text(cohort, numbers)
    of_genes = _of_depth(results) | _of_ceilings(results)
    return stated | depth_contrast(numbers) | _of_images(results) | of_genes | named


def _of_depth(results: Results) -> dict[str, object]:
    """Return the mean over sections of the median correlation of a gene with depth."""
    means = results["depth_in_targets"].groupby("transform")["median"].mean()
    return {f"depth_in_{name}": float(value) for name, value in means.items()}


def _of_ceilings(results: Results) -> dict[str, object]:
    """Return the numbers that the page names of ceilings of genes and of gene sets."""
    table, sets = results["ceilings"], results["gene_sets"]
    by_section = table.groupby("section")["attainable"].median()
    own = table["section"].isin(results.facts["shown"])
    gain = sets["attainable"].astype(float) - sets["attainable_gene"].astype(float)
    return {
        "ceiling_genes": table["gene"].nunique(),
        "ceiling_median": float(table["attainable"].median()),
        "ceiling_least": float(by_section.min()),
        "ceiling_most": float(by_section.max()),
        "ceiling_shown": float(table.loc[own, "attainable"].median()),
        "hardly_measured": float((table["attainable"] < HARDLY).mean()),
        "set_gain": float(gain.mean()),
        "n_splits": ceiling.N_SPLITS,
    }


HARDLY = 0.2
"""Attainable correlation below which a gene is called hardly measured."""


def _of_images(results: Results) -> dict[str, object]:
    """Return the numbers that the page names of scale and colour."""
    numbers, shares, dark = (results[name] for name in ("numbers", "colours", "darkness"))
    overlap = describe.channel_overlap(shares).groupby(f"same_{grouping(shares)}")["overlap"].mean()
    tile = scale_by_patient(numbers)["112 px tile"]
    scale = numbers.groupby("patient")["um_per_px"].agg(["min", "max"])
    sides = [max(side) for side in results.facts["sides"].values()]
    return {
        "tile_least": float(tile.min()),
        "tile_most": float(tile.max()),
        "tile_fits": int(((tile - 1).abs() < 0.05).sum()),
        "drift": float((scale["max"] / scale["min"] - 1).max()),
        "largest_side": max(sides, default=0),
        "same_overlap": float(overlap.get(True, np.nan)),
        "other_overlap": float(overlap.get(False, np.nan)),
        "dark_least": float(dark["spearman"].min()),
        "dark_most": float(dark["spearman"].max()),
    }


def _stated_in_text(cohort: str, numbers: pd.DataFrame) -> dict[str, int]:
    """Return what the benchmark's text states of a cohort's sections; 0 without the cohort."""
    stated = printed(cohort)
    names = ("text_spots_from", "text_spots_to", "text_image_px_below")
    low, high, below = (int(stated.get(name, 0)) for name in names)
    return dict(zip(names, (low, high, below), strict=True)) | {
        "sections_of_cohort": len(catalogued(cohort).sections),
        "in_text_range": int(numbers["spots"].between(low, high).sum()),
    }


def _of_the_catalogue() -> dict[str, object]:
    """Return what Table 1 prints of patients, beside what the catalogue lists of them."""
    her2 = catalogued("her2st").sections.values()
    siblings = pd.Series([section.patient for section in her2]).value_counts() - 1
    of_files = _table_1("files")
    donors = {catalogued("tenx").section(name).patient for name in ("block1", "block2")}
    return {
        "printed_patients": int(printed("her2st")["patients"]),
        "catalogued_sections": len(her2),
        "catalogued_patients": len(siblings),
        "siblings_least": int(siblings.min()),
        "siblings_most": int(siblings.max()),
        "printed_donors": int(printed("tenx", "frozen")["patients"]),
        "printed_genes": int(printed("tenx", "FFPE")["genes"]),
        "probe_genes": int(of_files.loc[("tenx", "FFPE"), "genes"]),
        "catalogued_donors": len(donors),
        "credited": printed("her2st")["credited_to"],
    }
