"""What the reference scores on real sections say to who has a slide and looks for a method: sentences for prose, each computed."""

from collections.abc import Mapping

import pandas as pd

from compendium.evidence.reference import side_by_side
from compendium.evidence.scores import by_panel
from compendium.methods import recipe

CHEAP = ("colour", "ridge")
WELL = 0.3  # a PCC that a map of a gene begins to be readable at; a line to count by, no threshold of any test


def advice(kept: pd.DataFrame, titles: Mapping[str, str]) -> dict[str, str]:
    """Key -> sentence, from the kept scores of a reference run under section-out and patient-out (see compendium.evidence.reference)."""
    rows = side_by_side(kept).dropna(subset="median")
    return {
        "advice_ground": ground(kept, rows), "advice_first": first(rows, titles), "advice_sections": whole_sections(rows, titles), "advice_patient": patient(rows),
        "advice_position": position(rows), "advice_genes": genes(kept, titles),
    }


def ground(kept: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What the numbers rest on: the sections compared, and what was trained on once their patient is left out."""
    compared, whose = rows["sections"].iloc[0], kept.drop_duplicates("section").set_index("section")["patient"]
    others = {name: sorted(whose.index[whose != whose[name]]) for name in compared}
    trained = "; ".join(dict.fromkeys(f"for patient {whose[name]} on {', '.join(names)}" for name, names in others.items()))
    n = whose.nunique()
    of = whose[compared].nunique()
    return (
        f"{len(compared)} sections ({', '.join(compared)}) of {of} patient{'s' if of > 1 else ''} can be compared under both splits; "
        f"with the patient left out training is {trained}. Over {n} patients the smallest p that an exact two-sided sign test can reach is {2 / 2**n:.2g}."
    )


def first(rows: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """The cheap controls beside the best of the rest, with the patient left out, by panel."""
    told = []
    for panel, part in rows[rows["split"] == "patient-out"].groupby("panel", sort=False):
        median = part.set_index("method")["median"]
        rest = median.drop([name for name in median.index if recipe(name).control])
        cheap = ", ".join(f"{titles[name]} {median[name]:.3f}" for name in CHEAP if name in median)
        above = int((rest > median.reindex(CHEAP).max()).sum())
        told.append(f"{panel}: {cheap}, the best of {len(rest)} published methods ({titles[rest.idxmax()]}) {rest.max():.3f}, above both controls {above} of them")
    return f"Median PCC with the patient left out. {'; '.join(told)}."


def whole_sections(rows: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """How often a method that reads whole sections exceeds ridge on the same features, over panels and splits."""
    wide = rows.pivot(index=["panel", "split"], columns="method", values="median")
    counts = {name: int((wide[name] > wide["ridge"]).sum()) for name in wide if recipe(name).unit == "section"}
    return f"Of {len(wide)} comparisons (panel and split) with ridge on the same features the higher is {', '.join(f'{titles[name]} in {n}' for name, n in counts.items())}."


def patient(rows: pd.DataFrame) -> str:
    """What a new patient costs: the change from section-out to patient-out, by panel."""
    told = []
    for panel, part in rows.groupby("panel", sort=False):
        wide = part.pivot(index="method", columns="split", values="median").dropna()
        fall = wide["section-out"] - wide["patient-out"]
        told.append(f"{panel}: lower for {int((fall > 0).sum())} of {len(fall)} rows, by {fall.mean():.3f} on average")
    return f"From section left out to patient left out: {'; '.join(told)}."


def position(rows: pd.DataFrame) -> str:
    """What the position on the array alone reaches under both splits, by panel."""
    part = rows[rows["method"] == "coordinates"].set_index(["split", "panel"])["median"]
    told = [f"{panel} {part['section-out', panel]:.3f} and {part['patient-out', panel]:.3f}" for panel in dict.fromkeys(rows["panel"])]
    return f"Median PCC of the position on the array alone, without any image, with the section and with the patient left out: {'; '.join(told)}."


def genes(kept: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """How many genes a linear model and the best published method predict well, mean over sections with the patient left out, by panel."""
    mean = by_panel(kept[kept["split"] == "patient-out"]).groupby(["panel", "method", "gene"], sort=False)["pcc"].mean().dropna()
    told = []
    for panel, part in mean.groupby("panel", sort=False):
        well = (part > WELL).groupby("method").agg(["sum", "size"])
        published = well.loc[[name for name in well.index if not recipe(name).control], "sum"]
        told.append(f"{panel}: {well.loc['ridge', 'sum']} of {well.loc['ridge', 'size']} genes with {titles['ridge']}, {published.max()} with {titles[published.idxmax()]}")
    return f"Genes whose mean PCC over sections exceeds {WELL}, patient left out. {'; '.join(told)}."
