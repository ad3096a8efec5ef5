"""Tables for the page "Which method for my slide", from the kept scores of chapter 2.

Each function takes the table `scores` of a run under section-out and patient-out, and returns one
row a part of the gene panel, or a method.
"""

from collections.abc import Mapping

import pandas as pd

from compendium.chapters.id_loocv.results import side_by_side
from compendium.evaluation.panel_names import panel_title
from compendium.evaluation.scores import by_panel, summary
from compendium.methods import recipe

CHEAP = ("colour", "ridge")
"""Controls that a published method is compared with."""
WELL = 0.3
"""Mean PCC above which a gene is counted as predicted well; not the threshold of a test."""
OUT = "patient-out"


def against_controls(scores: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Compare the best published method with the cheap controls, patient left out.

    Returns
    -------
    One row a panel: panel, the median PCC of each control, best method, its median PCC, methods
    (published ones), above both (how many exceed both controls), best ahead in (sections),
    sections.
    """
    rows = side_by_side(scores)
    medians = _wide(rows[rows["split"] == OUT], ["panel"])
    published = medians[[name for name in medians if not recipe(name).control]]
    control = medians[[name for name in CHEAP if name in medians]]
    best = published.idxmax(axis=1)
    by_section = summary(
        by_panel(scores[scores["split"] == OUT]), ["panel", "section", "method"]
    ).pivot(index=["panel", "section"], columns="method", values="median")
    ahead = {
        panel: part[best[panel]] > part[control.columns].max(axis=1)
        for panel, part in by_section.groupby(level="panel")
    }
    return pd.DataFrame(
        {
            "panel": [panel_title(name) for name in medians.index],
            **{titles[name]: control[name].to_numpy() for name in control},
            "best method": best.map(titles).to_numpy(),
            "its median PCC": published.max(axis=1).to_numpy(),
            "methods": published.shape[1],
            "above both": published.gt(control.max(axis=1), axis=0).sum(axis=1).to_numpy(),
            "best ahead in": [int(ahead[name].sum()) for name in medians.index],
            "sections": [len(ahead[name]) for name in medians.index],
        }
    )


def patient_left_out(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare leaving out the patient with leaving out the section, over all methods.

    Returns
    -------
    One row a panel: panel, methods, lower (how many score lower with the patient left out), mean
    fall (of the median PCC).
    """
    wide = _wide(side_by_side(scores), ["panel", "method"], "split").dropna()
    fall = (wide["section-out"] - wide[OUT]).groupby(level="panel", sort=False)
    table = pd.DataFrame(
        {
            "methods": fall.size(),
            "lower": fall.agg(lambda values: int((values > 0).sum())),
            "mean fall": fall.mean(),
        }
    )
    table = table.reindex(dict.fromkeys(wide.index.get_level_values("panel")))
    return table.rename(index=panel_title).rename_axis("panel").reset_index()


def whole_sections(scores: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Compare methods that read whole sections with ridge on the same features.

    Returns
    -------
    One row a method: method, comparisons (panels and splits), above ridge.
    """
    wide = _wide(side_by_side(scores), ["panel", "split"])
    names = [name for name in wide if recipe(name).unit == "section"]
    return pd.DataFrame(
        {
            "method": [titles[name] for name in names],
            "comparisons": len(wide),
            "above ridge": [int((wide[name] > wide["ridge"]).sum()) for name in names],
        }
    )


def well_predicted(scores: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Count the genes with a mean PCC above WELL, patient left out.

    Returns
    -------
    One row a panel: panel, genes (with a correlation), ridge, best method (that with most such
    genes among the published ones), its genes.
    """
    parts = by_panel(scores[scores["split"] == OUT])
    mean = parts.groupby(["panel", "method", "gene"], sort=False)["pcc"].mean().dropna()
    counts = (mean > WELL).groupby(["panel", "method"]).agg(["sum", "size"])
    counts = counts.unstack().reindex(dict.fromkeys(parts["panel"]))
    well = counts["sum"]
    published = well[[name for name in well if not recipe(name).control]]
    return pd.DataFrame(
        {
            "panel": [panel_title(name) for name in well.index],
            "genes": counts["size"]["ridge"].to_numpy(),
            "ridge": well["ridge"].to_numpy(),
            "best method": published.idxmax(axis=1).map(titles).to_numpy(),
            "its genes": published.max(axis=1).to_numpy(),
        }
    )


def training_of(scores: pd.DataFrame) -> pd.DataFrame:
    """List the sections that both splits test, and what is trained on with their patient left out.

    Returns
    -------
    One row a section: section, patient, trained on.
    """
    patients = scores.drop_duplicates("section").set_index("section")["patient"]
    names = side_by_side(scores)["sections"].iloc[0]
    return pd.DataFrame(
        {
            "section": names,
            "patient": [patients[name] for name in names],
            "trained on": [
                ", ".join(sorted(patients.index[patients != patients[name]])) for name in names
            ],
        }
    )


def _wide(rows: pd.DataFrame, index: list[str], columns: str = "method") -> pd.DataFrame:
    """Return medians with one column a method or split, panels in their order."""
    rows = rows.dropna(subset="median")
    wide = rows.pivot(index=index, columns=columns, values="median")
    return wide.reindex(dict.fromkeys(rows["panel"]), level="panel" if len(index) > 1 else None)
