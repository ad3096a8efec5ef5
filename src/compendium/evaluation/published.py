"""The scores that the benchmark's authors published, section by section, regrouped by patient and laboratory, and what they can and cannot say.

Only quartiles and means over genes are held, one row a method and section (data/published/README.md says what to know before one is quoted).
"""

from collections.abc import Iterable

import pandas as pd
from scipy.stats import binomtest

from compendium.data.sources import published as catalogue
from compendium.data.targets.transforms import SCORING
from compendium.storage import resource

SOURCE = "authors' tables · data/published/scores.csv"  # the line under what draws them
SIX = ("ST-Net", "HisToGene", "Hist2ST", "STimage", "DeepSpaCE", "BLEEP")
SECTION_OUT = "leave-one-section-out"
# What each was scored on in the HER2+ tables: the panel, and the transform of the counts, by our words.
HER2 = {
    "BLEEP": ("hvg_769", "raw"),
    "Hist2ST": ("hvg_769", "scprep"),
    "HisToGene": ("hvg_769", "scprep"),
    "ST-Net": ("hvg_769", "log1p"),
    "STimage": ("hvg_785", "log1p"),
}
HER2_NOTES = {
    "ST-Net": "trained towards one gene only, encoder frozen: not the published method",
    "STimage": "other genes and fewer sections than the rest",
}


def read() -> pd.DataFrame:
    """Every row of data/published/scores.csv, with the patient and the laboratory of its section."""
    places = {
        source.name: (source.patient, source.lab)
        for name in ("her2st", "wu", "tenx")
        for source in catalogue()[name].sections.values()
    }
    table = pd.read_csv(resource("published/scores.csv"))
    return table.assign(
        patient=[places[name][0] for name in table["section"]],
        lab=[places[name][1] for name in table["section"]],
    )


def her2() -> pd.DataFrame:
    """The rows behind Figure 1b: HER2+, one section left out."""
    table = read()
    return _in_order(table[(table["cohort"] == "HER2+") & (table["protocol"] == SECTION_OUT)])


def visium() -> pd.DataFrame:
    """The rows behind Figure 1c: Visium, one section left out, two panels."""
    table = read()
    return _in_order(table[(table["cohort"] == "Visium") & (table["protocol"] == SECTION_OUT)])


def regclass() -> pd.DataFrame:
    """The rows behind Figure S3b, with `model`: Hist2ST, then Regclass by its gamma."""
    table = read()
    table = table[table["source"].str.endswith("Regclass_OOD.csv")].copy()
    table["gamma"] = table["method"].str.extract(r"gamma=([\d.]+)", expand=False).astype(float)
    table["model"] = ["Hist2ST" if pd.isna(gamma) else f"γ = {gamma:g}" for gamma in table["gamma"]]
    return table.sort_values(["gamma", "section"], na_position="first", ignore_index=True)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(
        "method", key=lambda names: names.map(SIX.index), kind="stable", ignore_index=True
    )


def lacking(methods: Iterable[str]) -> list[str]:
    """Those of the six methods that have no rows."""
    held = set(methods)
    return [name for name in SIX if name not in held]


def by_patient(rows: pd.DataFrame, by: str = "method", value: str = "median") -> pd.DataFrame:
    """Mean over a patient's sections of a section's median (or mean) over genes: patients down, methods across; NaN where a method has no section of the patient."""
    table = rows.pivot_table(index="patient", columns=by, values=value, aggfunc="mean", sort=False)
    return table[list(dict.fromkeys(rows[by]))].rename_axis(columns=None)


def highest(table: pd.DataFrame) -> str:
    """How many patients each method is the highest in, most first: "BLEEP in 5 of 8 patients, Hist2ST in 3"."""
    wins = table.idxmax(axis=1).value_counts(sort=True)
    return ", ".join(
        f"{method} in {n}" + (f" of {len(table)} patients" if i == 0 else "")
        for i, (method, n) in enumerate(wins.items())
    )


def against(table: pd.DataFrame, one: str, other: str) -> str:
    """In how many patients one method lies above another, with the exact two-sided sign test over patients."""
    pairs = table[[one, other]].dropna()
    pairs = pairs[pairs[one] != pairs[other]]  # a tie is for neither
    if pairs.empty:
        return f"no patient tells {one} and {other} apart"
    more = int((pairs[one] > pairs[other]).sum())
    return f"{one} lies above {other} in {more} of {len(pairs)} (exact two-sided sign test, p = {binomtest(more, len(pairs)).pvalue:.2f})"


def her2_told(rows: pd.DataFrame) -> str:
    """What the HER2+ rows say when patients are counted, of which the claim is that two methods are significantly better."""
    table = by_patient(rows)
    alike = [name for name in table if HER2[name][0] == "hvg_769"]
    spread = table["BLEEP"]
    return (
        f"{rows['section'].nunique()} sections are {len(table)} patients. Of the methods scored on the same genes, the highest median is that of {highest(table[alike])}; "
        f"{against(table, 'BLEEP', 'Hist2ST')}. {against(table, 'STimage', 'Hist2ST')}, on other genes. "
        f"From patient to patient BLEEP's medians go from {spread.min():.3f} ({spread.idxmin()}) to {spread.max():.3f} ({spread.idxmax()})."
    )


def visium_told(rows: pd.DataFrame) -> str:
    """What the Visium rows say when patients are counted, a sentence a panel."""
    told = [
        f"{panel}: the highest median is that of {highest(by_patient(part))}"
        for panel, part in rows.groupby("panel", sort=False)
    ]
    return f"{rows['section'].nunique()} sections are {rows['patient'].nunique()} patients, since block1 and block2 are one donor. {'; '.join(told)}."


def regclass_told(rows: pd.DataFrame) -> str:
    """What Figure S3b's rows say of each gamma above 0, beside what Hist2ST and gamma = 0 differ by, which have the same loss."""
    wide = rows.pivot(index="section", columns="model", values="median")
    untrained, others = (
        "γ = 0",
        [model for model in dict.fromkeys(rows["model"]) if model not in ("Hist2ST", "γ = 0")],
    )
    moved = {model: wide[model] - wide[untrained] for model in others}
    told = ", ".join(
        f"{model} by {change.mean():+.3f} (higher in {int((change > 0).sum())} of {len(change)} sections)"
        for model, change in moved.items()
    )
    chance = (wide["Hist2ST"] - wide[untrained]).abs().mean()
    return (
        f"Against γ = 0 the median changes for {told}; Hist2ST and γ = 0, whose losses are the same, lie {chance:.3f} apart. "
        f"The {len(wide)} test sections are of {rows['patient'].nunique()} donors."
    )


def beside(rows: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Whether a row of ours may stand beside the authors' HER2+ row: only where genes, split and target agree.

    rows: those of `her2`; kept: our scores [split, section, panels] on the scoring target, of the same cohort. One row a method.
    """
    panels = set(kept["panels"].str.split("+").explode())
    ours = set(kept.loc[kept["split"] == "section-out", "section"])
    table = []
    for method, part in rows.groupby("method", sort=False):
        panel, target = HER2[method]
        agree = {
            "genes agree": panel in panels,
            "split agrees": set(part["section"]) == ours,
            "target agrees": target == SCORING,
        }
        facts = {
            "method": method,
            "genes": part["genes"].max(),
            "sections": part["section"].nunique(),
            "target": target,
        }
        table.append(facts | agree | {"beside ours": all(agree.values())})
    return pd.DataFrame(table)
