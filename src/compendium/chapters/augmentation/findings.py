"""Findings of the augmentation chapter: does a change of images make a discernible difference?"""

from functools import partial
from pathlib import Path

from compendium.chapters.augmentation.design import AGAIN, MAIN, OFF, STAIN, STAIN_RIDGE, VIEWS
from compendium.chapters.augmentation.results import beyond_seed, seed_band
from compendium.data.partition import INSIDE, OUTSIDE
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import below
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.evaluation.verdict import Outcome, Verdict, judge, limits_of


def discernible(results: Results, group: str) -> Outcome:
    """Decide whether the rows of a group make no discernible difference.

    Only roles of enough sections and patients decide. The statement fails where a row lies
    outside the band of `seed_band`, on one side, in every section of such a role; it holds where
    no row lies outside it in any section.
    """
    table, band = results["differences"], seed_band(results["differences"], group)
    rows = table[(table["group"] == group) & ~table["name"].isin([AGAIN, OFF])]
    limits_by_role = {role: limits_of(rows[rows["role"] == role]) for role in (INSIDE, OUTSIDE)}
    enough = [role for role, limits in limits_by_role.items() if not limits]
    judged = rows[rows["role"].isin(enough)] if enough else rows
    moved = beyond_seed(table).query("group == @group and role in @enough and beyond != ''")
    largest = float(judged["difference"].abs().max())
    inside = Verdict.HOLDS if largest <= band else Verdict.UNDECIDED
    preliminary = any(key.startswith(f"{group}:") for key in below(results))
    limits = ["rows below the minimum training criterion"] if preliminary else []
    own = [key for key in results["criterion"]["row"] if key.startswith(f"{group}:")]
    limits += training_limits(results, own)
    if not enough and not limits_of(rows):
        limits += [f"{role}: {each}" for role, found in limits_by_role.items() for each in found]
    return judge(
        Verdict.FAILS if len(moved) else inside,
        judged,
        limits,
        statistic=largest,
        name="largest difference of PCC",
        numbers={"rows": rows["name"].nunique(), "moved": moved["name"].nunique()},
    )


GROUP_OF = {"views": VIEWS, "head": MAIN, "stain-hist2st": STAIN, "stain-ridge": STAIN_RIDGE}
"""Finding -> group of rows that it is about."""
FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {name: partial(discernible, group=group) for name, group in GROUP_OF.items()},
)
