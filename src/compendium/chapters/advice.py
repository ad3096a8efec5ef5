"""What the reference scores on real sections say to who has a slide and looks for a method: sentences for prose, each computed.

Numbers of several panels stand in one sentence, parted by strokes in the order of the panels that it names.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from compendium.chapters.id_loocv.reference import side_by_side
from compendium.evaluation.panel_names import explained, said
from compendium.evaluation.scores import by_panel, summary
from compendium.evaluation.verdict import counted_of, others
from compendium.methods import recipe

CHEAP = ("colour", "ridge")
WELL = 0.3  # a correlation to count genes by, no threshold of any test


def advice(kept: pd.DataFrame, titles: Mapping[str, str]) -> dict[str, str]:
    """Key -> sentence, from the kept scores of a reference run under section-out and patient-out (see compendium.chapters.id_loocv.reference)."""
    rows = side_by_side(kept).dropna(subset="median")
    return {
        "advice_panels": panels(rows),
        "advice_ground": ground(kept, rows),
        "advice_first": first(kept, rows, titles),
        "advice_sections": whole_sections(rows, titles),
        "advice_patient": patient(rows),
        "advice_position": position(rows),
        "advice_genes": genes(kept, titles),
    }


def strokes(values: Iterable[object]) -> str:
    """0.120 / 0.125 / 0.048; what is the same everywhere stands once."""
    told = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in values]
    return told[0] if len(set(told)) == 1 else " / ".join(told)


def panels(rows: pd.DataFrame) -> str:
    """What numbers parted by strokes are of; the words of `panel=` in brackets."""
    *names, last = map(explained, dict.fromkeys(rows["panel"]))
    return (
        f"Numbers parted by strokes are those of {', '.join(names)} and {last}."
        if names
        else f"Numbers are those of {last}."
    )


def ground(kept: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What the numbers rest on: the sections compared, and what was trained on once their patient is left out."""
    compared, whose = (
        rows["sections"].iloc[0],
        kept.drop_duplicates("section").set_index("section")["patient"],
    )
    left = {name: sorted(whose.index[whose != whose[name]]) for name in compared}
    trained = "; ".join(
        dict.fromkeys(
            f"for patient {whose[name]} on {', '.join(names)}" for name, names in left.items()
        )
    )
    of = counted_of(whose[compared].nunique(), "patient")
    stands = f"{len(compared)} sections ({', '.join(compared)}) of {of} can be compared under both splits; with the patient left out training is {trained}."
    return f"{stands} {others(whose.nunique())}".strip()


def first(kept: pd.DataFrame, rows: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """The cheap controls beside the best of the rest, with the patient left out."""
    found = (
        rows[rows["split"] == "patient-out"]
        .pivot(index="panel", columns="method", values="median")
        .reindex(dict.fromkeys(rows["panel"]))
    )
    rest = found[[name for name in found if not recipe(name).control]]
    cheap, best = found[[name for name in CHEAP if name in found]], rest.idxmax(axis=1)
    above = rest.gt(cheap.max(axis=1), axis=0).sum(axis=1)
    medians = summary(
        by_panel(kept[kept["split"] == "patient-out"]), ["panel", "section", "method"]
    ).pivot(index=["panel", "section"], columns="method", values="median")
    ahead = [
        f"{int((part[best[panel]] > part[cheap.columns].max(axis=1)).sum())} of {len(part)}"
        for panel in found.index
        for part in [medians.loc[panel]]
    ]
    return (
        f"On {strokes(map(said, found.index))} with the patient left out the median PCC is {'; '.join(f'{strokes(cheap[name])} for {titles[name]}' for name in cheap)}; and "
        f"{strokes(rest.max(axis=1))} for the best of {rest.shape[1]} published methods ({strokes(titles[name] for name in best)}). "
        f"{strokes(above)} of them exceed both controls, the best one in {strokes(ahead)} sections."
    )


def whole_sections(rows: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """How often a method that reads whole sections exceeds ridge on the same features, over panels and splits."""
    wide = rows.pivot(index=["panel", "split"], columns="method", values="median")
    counts = {
        name: int((wide[name] > wide["ridge"]).sum())
        for name in wide
        if recipe(name).unit == "section"
    }
    return f"Of {len(wide)} comparisons (panel and split) with ridge on the same features the higher is {', '.join(f'{titles[name]} in {n}' for name, n in counts.items())}."


def patient(rows: pd.DataFrame) -> str:
    """What a new patient costs: the change from section-out to patient-out."""
    falls = {}
    for panel, part in rows.groupby("panel", sort=False):
        wide = part.pivot(index="method", columns="split", values="median").dropna()
        falls[panel] = wide["section-out"] - wide["patient-out"]
    lower, mean = (
        [int((fall > 0).sum()) for fall in falls.values()],
        [float(fall.mean()) for fall in falls.values()],
    )
    return (
        f"On {strokes(map(said, falls))} the median PCC is lower with the patient left out than with the section left out for {strokes(lower)} of "
        f"{strokes(map(len, falls.values()))} rows, by {strokes(mean)} on average."
    )


def position(rows: pd.DataFrame) -> str:
    """What the position on the array alone reaches under both splits."""
    part = (
        rows[rows["method"] == "coordinates"]
        .pivot(index="panel", columns="split", values="median")
        .reindex(dict.fromkeys(rows["panel"]))
    )
    return (
        f"On {strokes(map(said, part.index))} the position on the array alone, without any image, has a median PCC of {strokes(part['section-out'])} with the section left out "
        f"and of {strokes(part['patient-out'])} with the patient left out."
    )


def genes(kept: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """How many genes a linear model and the best published method predict well, mean over sections with the patient left out."""
    parts = by_panel(kept[kept["split"] == "patient-out"])
    mean = parts.groupby(["panel", "method", "gene"], sort=False)["pcc"].mean().dropna()
    names = list(dict.fromkeys(parts["panel"]))
    well = (mean > WELL).groupby(["panel", "method"]).sum().unstack().reindex(names)
    rest = well[[name for name in well if not recipe(name).control]]
    sizes = mean.groupby(["panel", "method"]).size().unstack().reindex(names)["ridge"]
    return (
        f"Of {strokes(map(said, names))}, with the patient left out, {strokes(sizes)} have a correlation; ridge exceeds a mean PCC of {WELL} for {strokes(well['ridge'])} of them, "
        f"and for {strokes(rest.max(axis=1))} {strokes(titles[name] for name in rest.idxmax(axis=1))} does, the most of any published method."
    )
