"""The scores that the benchmark's authors published, section by section, regrouped by patient.

Only quartiles and means over genes are held, one row a method and section
(data/published/README.md says what to know before one is quoted).
"""

from itertools import combinations

import numpy as np
import pandas as pd

from compendium.data.sources import published as catalogue
from compendium.data.targets.transforms import SCORING
from compendium.evaluation.patients import sign_flip, t_interval
from compendium.storage import resource

SOURCE = "authors' tables · data/published/scores.csv"
"""Provenance line under figures and tables of these scores."""
SIX = ("ST-Net", "HisToGene", "Hist2ST", "STimage", "DeepSpaCE", "BLEEP")
SECTION_OUT = "leave-one-section-out"
HER2 = {
    "BLEEP": ("hvg_769", "raw"),
    "Hist2ST": ("hvg_769", "scprep"),
    "HisToGene": ("hvg_769", "scprep"),
    "ST-Net": ("hvg_769", "log1p"),
    "STimage": ("hvg_785", "log1p"),
}
"""Method -> panel and transform of the counts that it was scored on in the HER2+ tables."""
HER2_NOTES = {
    "ST-Net": "trained towards one gene only, encoder frozen: not the published method",
    "STimage": "other genes and fewer sections than the rest",
}
"""Method -> what sets its HER2+ rows apart."""


def read() -> pd.DataFrame:
    """Read data/published/scores.csv, with the patient and the laboratory of each section."""
    table = pd.read_csv(resource("published/scores.csv"))
    sections = {}
    for cohort in ("her2st", "wu", "tenx"):
        sections |= catalogue()[cohort].sections
    places = [sections[name] for name in table["section"]]
    return table.assign(patient=[p.patient for p in places], lab=[p.lab for p in places])


def her2() -> pd.DataFrame:
    """Return the rows behind Figure 1b: HER2+, one section left out."""
    return _section_out("HER2+")


def visium() -> pd.DataFrame:
    """Return the rows behind Figure 1c: Visium, one section left out, two panels."""
    return _section_out("Visium")


def regclass() -> pd.DataFrame:
    """Return the rows behind Figure S3b, with `model`: Hist2ST, then Regclass by its gamma."""
    table = read()
    table = table[table["source"].str.endswith("Regclass_OOD.csv")].copy()
    table["gamma"] = table["method"].str.extract(r"gamma=([\d.]+)", expand=False).astype(float)
    table["model"] = ["Hist2ST" if pd.isna(gamma) else f"γ = {gamma:g}" for gamma in table["gamma"]]
    return table.sort_values(["gamma", "section"], na_position="first", ignore_index=True)


def _section_out(cohort: str) -> pd.DataFrame:
    table = read()
    table = table[(table["cohort"] == cohort) & (table["protocol"] == SECTION_OUT)]
    order = table["method"].map(SIX.index).argsort(kind="stable")
    return table.iloc[order].reset_index(drop=True)


def apart(rows: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return the difference of two methods' mean PCC over genes, by section.

    Parameters
    ----------
    rows
        Columns method, patient, section, mean; sections that both methods have are compared.

    Returns
    -------
    One row a section: patient, section, difference (`one` minus `other`).
    """
    means = rows.pivot_table(index=["patient", "section"], columns="method", values="mean")
    difference = (means[one] - means[other]).dropna()
    return difference.rename("difference").reset_index()


def describe(differences: pd.DataFrame) -> dict[str, float]:
    """Describe the differences of patients, each the mean over its sections.

    Parameters
    ----------
    differences
        Columns patient, difference.

    Returns
    -------
    patients, above (patients with a difference above 0), difference (mean), low, high (95 %
    t-interval), p (exact two-sided sign flips, of this comparison alone).
    """
    values = differences.groupby("patient")["difference"].mean().to_numpy()
    low, high = t_interval(values)
    return {
        "patients": len(values),
        "above": int((values > 0).sum()),
        "difference": float(values.mean()),
        "low": low,
        "high": high,
        "p": sign_flip(values),
    }


def comparisons(rows: pd.DataFrame) -> pd.DataFrame:
    """Describe every pair of methods over patients, separately for each panel of genes.

    Parameters
    ----------
    rows
        Those of `her2` or `visium`.

    Returns
    -------
    One row a pair: panel, method, other, and what `describe` returns.
    """
    lines = [
        {"panel": panel, "method": one, "other": other} | describe(apart(part, one, other))
        for panel, part in rows.groupby("panel", sort=False)
        for one, other in combinations(dict.fromkeys(part["method"]), 2)
    ]
    return pd.DataFrame(lines)


def share_between(rows: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    """Bound the share of genes whose PCC lies from `low` to `high`; quartiles tell no more.

    Parameters
    ----------
    rows
        Those of `her2` or `visium`.

    Returns
    -------
    One row a method: method, sections, patients, scores (pairs of section and gene), least, most
    (bounds of the share of these).
    """
    quartiles = rows[["q25", "median", "q75"]].to_numpy()
    (low_least, low_most), (high_least, high_most) = (
        _share_below(quartiles, value) for value in (low, high)
    )
    bounds = {"least": np.maximum(high_least - low_most, 0), "most": high_most - low_least}
    table = rows.assign(scores=rows["genes"] - rows["nan"], **bounds)
    return pd.DataFrame([_pooled(part) for _, part in table.groupby("method", sort=False)])


def _share_below(quartiles: np.ndarray, value: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most that can lie below a value, by row of quartiles."""
    passed = (quartiles <= value).sum(axis=1)
    return passed / 4, (passed + 1) / 4


def _pooled(part: pd.DataFrame) -> dict[str, object]:
    """Return the bounds of `share_between` over all sections of a method."""
    bounds = {name: np.average(part[name], weights=part["scores"]) for name in ("least", "most")}
    return {
        "method": part["method"].iloc[0],
        "sections": len(part),
        "patients": part["patient"].nunique(),
        "scores": int(part["scores"].sum()),
        **bounds,
    }


def gamma_changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Compare each model of Figure S3b with gamma = 0, section by section.

    Hist2ST and gamma = 0 have the same loss, so their difference is that of two fits.

    Parameters
    ----------
    rows
        Those of `regclass`.

    Returns
    -------
    One row a model: model, change (mean difference of the median PCC), absolute (mean of its
    absolute value), higher (sections in which it is higher), sections, patients.
    """
    wide = rows.pivot(index="section", columns="model", values="median")
    change = wide.drop(columns="γ = 0").sub(wide["γ = 0"], axis=0)
    order = [model for model in dict.fromkeys(rows["model"]) if model in change]
    table = pd.DataFrame(
        {"change": change.mean(), "absolute": change.abs().mean(), "higher": (change > 0).sum()}
    )
    facts = {"sections": len(wide), "patients": rows["patient"].nunique()}
    return table.loc[order].assign(**facts).rename_axis("model").reset_index()


def comparable(rows: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Decide which of our scores are comparable to the authors' HER2+ scores.

    Parameters
    ----------
    rows
        Those of `her2`.
    scores
        Ours, on the scoring target: split, section, panels.

    Returns
    -------
    One row a method: method, genes, sections, target, whether genes, split (the same sections,
    each predicted from all others) and target agree, "comparable": whether all three do, and
    "note": what else sets the authors' rows apart.
    """
    panels = set(scores["panels"].str.split("+").explode())
    ours = set(scores.loc[scores["split"] == "section-out", "section"])
    groups = rows.groupby("method", sort=False)
    table = groups.agg(genes=("genes", "max"), sections=("section", "nunique")).reset_index()
    panel, target = zip(*table["method"].map(HER2), strict=True)
    agree = {
        "genes agree": [name in panels for name in panel],
        "split agrees": [set(part["section"]) == ours for _, part in groups],
        "target agrees": [name == SCORING for name in target],
    }
    table = table.assign(target=target, **agree)
    table["comparable"] = table[list(agree)].all(axis=1)
    return table.assign(note=table["method"].map(HER2_NOTES).fillna(""))
