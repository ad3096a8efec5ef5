"""Findings of the augmentation chapter: does a change of images make a discernible difference?"""

from functools import partial

from compendium.chapters.augmentation.design import AGAIN, MAIN, OFF, STAIN, STAIN_RIDGE, VIEWS
from compendium.chapters.augmentation.results import beyond_seed, seed_band
from compendium.data.partition import INSIDE, OUTSIDE
from compendium.evaluation.findings import Finding
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import Outcome, Verdict, judge, limits_of

REPORTED = (INSIDE, OUTSIDE)


def discernible(results: Results, group: str) -> Outcome:
    """Decide whether the rows of a group make no discernible difference.

    Only roles of enough sections and patients decide. The statement fails where a row lies
    outside the band of `seed_band`, on one side, in every section of such a role; it holds where
    no row lies outside it in any section.
    """
    table, band = results["differences"], seed_band(results["differences"], group)
    rows = table[(table["group"] == group) & ~table["name"].isin([AGAIN, OFF])]
    of_role = {role: rows[rows["role"] == role] for role in REPORTED}
    enough = [role for role, part in of_role.items() if not limits_of(part)]
    judged = rows[rows["role"].isin(enough)] if enough else rows
    moved = beyond_seed(table)
    moved = moved[(moved["group"] == group) & moved["role"].isin(enough) & (moved["beyond"] != "")]
    largest = float(judged["difference"].abs().max())
    inside = Verdict.HOLDS if largest <= band else Verdict.UNDECIDED
    limits = ["rows below the minimum training criterion"] if _preliminary(results, group) else []
    if not enough and not limits_of(rows):
        limits += [f"{role}: {each}" for role, part in of_role.items() for each in limits_of(part)]
    return judge(
        Verdict.FAILS if len(moved) else inside,
        judged,
        limits,
        statistic=largest,
        name="largest difference of PCC",
        numbers={"rows": rows["name"].nunique(), "moved": moved["name"].nunique()},
    )


def _preliminary(results: Results, group: str) -> bool:
    rows = results["criterion"]
    return not rows.loc[rows["row"].str.startswith(f"{group}:"), "result"].all()


MOVED = "{moved} of {rows} lie beyond what another seed moves in every section."
FINDINGS = (
    Finding(
        "views",
        "Augmentations in the self-distillation of Hist2ST make no discernible difference.",
        f"Augmentations in the self-distillation of Hist2ST make a difference: {MOVED}",
        partial(discernible, group=VIEWS),
        "Results, Fig. S1c",
    ),
    Finding(
        "head",
        "Augmentations of the tiles that ST-Net's head learns from make no discernible difference.",
        f"Augmentations of the tiles that ST-Net's head learns from make a difference: {MOVED}",
        partial(discernible, group=MAIN),
    ),
    Finding(
        "stain-hist2st",
        "Stain augmentation and normalisation make no discernible difference to Hist2ST.",
        f"Stain augmentation and normalisation make a difference to Hist2ST: {MOVED}",
        partial(discernible, group=STAIN),
        "Results, Fig. S1d",
    ),
    Finding(
        "stain-ridge",
        "Stain augmentation and normalisation make no discernible difference to ridge.",
        f"Stain augmentation and normalisation make a difference to ridge: {MOVED}",
        partial(discernible, group=STAIN_RIDGE),
    ),
)
