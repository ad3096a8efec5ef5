"""Findings of the augmentation chapter: does a change of images make a difference on average?"""

from functools import partial
from pathlib import Path

from compendium.chapters.augmentation.design import AGAIN, MAIN, OFF, STAIN, STAIN_RIDGE, VIEWS
from compendium.evaluation.evidence import Evidence, limits_of_fits
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import below
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits

GROUP_OF = {"views": VIEWS, "head": MAIN, "stain-hist2st": STAIN, "stain-ridge": STAIN_RIDGE}
"""Finding -> group of rows that it is about."""
FAMILIES = {"Fig. S1c and S1d": ("views", "stain-hist2st"), "own": ("head", "stain-ridge")}


def no_difference(results: Results, group: str) -> Evidence:
    """Average the differences of all rows of a group to its reference."""
    table = results["differences"]
    rows = table[(table["group"] == group) & ~table["name"].isin([AGAIN, OFF])]
    own = [key for key in results["criterion"]["row"] if key.startswith(f"{group}:")]
    preliminary = below(results) & set(own)
    limits = ["rows below the minimum training criterion"] if preliminary else []
    limits += training_limits(results, own)
    limits += limits_of_fits(1)  # one training set, whatever is predicted from it
    return Evidence(rows, "mean difference of PCC", equal=True, limits=limits)


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {name: partial(no_difference, group=group) for name, group in GROUP_OF.items()},
    FAMILIES,
)
