"""Findings of the counts alone: what a method adds to the tissue next door, by patient.

Families are named from the paper and from the question, before any p was seen.
"""

from functools import partial
from pathlib import Path

from compendium.chapters.without_images.design import FAMILIES as COPIED
from compendium.evaluation import published
from compendium.evaluation.evidence import Evidence
from compendium.evaluation.findings import read_findings
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict

CLAIMED = {
    "claims of methods with 36 sections": (
        ("BLEEP", "ST-Net"),
        ("BLEEP", "HisToGene"),
        ("BLEEP", "Hist2ST"),
        ("Hist2ST", "ST-Net"),
        ("Hist2ST", "HisToGene"),
        ("HisToGene", "ST-Net"),
    ),
    "claims of STimage": (
        ("STimage", "ST-Net"),
        ("STimage", "HisToGene"),
        ("STimage", "Hist2ST"),
    ),
}
"""Family -> pairs of which the paper says that the first is better on HER2+ (Results, Fig. 1b):
BLEEP and STimage than the others, Hist2ST than HisToGene and ST-Net, HisToGene than ST-Net."""
TOP = ("BLEEP", "Hist2ST", "STimage")
"""Methods of which the paper says that most genes lie between `LOW` and `HIGH` (Discussion)."""
LOW, HIGH = 0.1, 0.3


def copy_against(results: Results, method: str) -> Evidence:
    """Subtract the authors' score of a method from that of the copy."""
    rows = results["sections"].query("method == @method")
    rows = rows.assign(difference=rows["copy"] - rows["authors"])
    return Evidence(rows[["patient", "section", "difference"]], "difference of mean PCC")


def claimed(results: Results, one: str, other: str) -> Evidence:
    """Subtract the authors' score of the method that the paper calls worse from the other's."""
    return Evidence(published.apart(published.her2(), one, other), "difference of mean PCC")


def majority(results: Results, method: str) -> Outcome:
    """Decide whether most genes have a PCC between two bounds, from the authors' quartiles.

    Quartiles can exclude it and never show it: they put at most one half between two numbers.
    """
    rows = published.her2().query("method == @method")
    (line,) = published.share_between(rows, LOW, HIGH).to_dict("records")
    least, most = line["least"], line["most"]
    excluded = most < 0.5
    return Outcome(
        Verdict.FAILS if excluded else Verdict.UNDECIDED,
        statistic=(least + most) / 2,
        name="middle of the bounds of the share",
        low=least,
        high=most,
        sections=line["sections"],
        patients=line["patients"],
        limits=() if excluded else ("only quartiles are public",),
        numbers={"least": least, "most": most},
    )


def slug(*methods: str) -> str:
    """Return the names of methods as a finding has them."""
    return "-".join(name.lower().replace("-", "") for name in methods)


RULES = {
    f"copy-{slug(name)}": partial(copy_against, method=name)
    for names in COPIED.values()
    for name in names
}
RULES |= {
    slug(*pair): partial(claimed, one=pair[0], other=pair[1])
    for pairs in CLAIMED.values()
    for pair in pairs
}
RULES |= {f"majority-{slug(name)}": partial(majority, method=name) for name in TOP}
FAMILIES = {name: [f"copy-{slug(each)}" for each in names] for name, names in COPIED.items()}
FAMILIES |= {name: [slug(*pair) for pair in pairs] for name, pairs in CLAIMED.items()}
FINDINGS = read_findings(Path(__file__).with_suffix(".yaml"), RULES, FAMILIES)
