"""What the weight of the classes in Regclass's loss does to expression and to the classes, and whether the benchmark's claim about these holds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compendium.data.section import Section
from compendium.evaluation.classification import answers, over_classes
from compendium.evaluation.results import Results
from compendium.evaluation.scores import scores
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim, decided
from compendium.methods import describe
from compendium.runs.run import Run
from compendium.runs.store import Record

TITLE = describe("regclass").title
BAR = 0.8  # above which F1 and AUC generally lie, says the benchmark


def sweep(
    runs: Sequence[Run], records: Sequence[Record], sections: Sequence[Section]
) -> pd.DataFrame:
    """One row a run and test section: what the run was, its median PCC over genes, and the numbers of classes.over_classes if it classifies.

    gamma is NaN for a method without it, permuted is True for a twin on shuffled patches.
    """
    by_name, rows = {section.name: section for section in sections}, []
    for run, record in zip(runs, records, strict=True):
        for name, pcc in (
            scores([run], [record], sections).groupby("section", sort=False)["pcc"].median().items()
        ):
            facts = {
                "method": run.method,
                "gamma": dict(run.model).get("gamma", np.nan),
                "permuted": run.permute,
                "split": run.split.rule,
                "section": name,
                "patient": by_name[name].patient,
                "labels_from": by_name[name].labels_from,
                "pcc": pcc,
            }
            rows.append(
                facts
                | (over_classes(answers(record, by_name[name])) if record.probabilities else {})
            )
    return pd.DataFrame(rows)


def claims(found: Results) -> dict[str, Claim]:
    """The claims of chapter 6, from the table `sweep` of regclass.study."""
    swept = found["sweep"]
    main = swept[~swept["permuted"]]
    closely = main[main["gamma"] == np.float32(found.facts["parameters"]["gamma"])]
    smoke = found.facts["smoke"]
    own = [title for title in smoke if title.startswith(TITLE)]
    lost = (
        []
        if own or closely["pcc"].median() > swept.loc[swept["permuted"], "pcc"].median()
        else [f"{TITLE}, which is no better than its twin"]
    )
    return {
        "sweep_told": no_better(main, [*smoke, *lost]),
        "verdict_told": told_apart(closely, own),
    }


def no_better(rows: pd.DataFrame, smoke: Sequence[str] = ()) -> Claim:
    """What each gamma above 0 does to the median PCC, test by test, beside what chance does: Hist2ST and gamma = 0 differ in random draws only.

    rows: those of `sweep` without twins. The claim holds where no gamma gains more than chance moves, and fails where one does, and is higher in every test.
    """
    claim = "Learning the classes makes the prediction of expression no better"
    wide = rows.assign(gamma=rows["gamma"].fillna(-1)).pivot(
        index=["section", "split"], columns="gamma", values="pcc"
    )
    if not {-1, 0} <= set(wide.columns):
        return decided(
            claim,
            UNDECIDED,
            "What chance moves cannot be said here: it takes Hist2ST and γ = 0.",
            rows,
            smoke,
        )
    change = wide.drop(columns=[-1, 0]).sub(wide[0], axis=0)
    chance = (wide[-1] - wide[0]).abs().mean()
    told = [
        f"at γ = {gamma:g} by {moved.mean():+.3f} on average (higher in {int((moved > 0).sum())} of {len(moved)} tests)"
        for gamma, moved in change.items()
    ]
    more = [gamma for gamma, moved in change.items() if moved.mean() > chance]
    ending = (
        f"γ = {' and '.join(f'{gamma:g}' for gamma in more)} {'gain' if more[1:] else 'gains'} more than that"
        if more
        else "no γ gains more than that"
    )
    verdict = (
        HOLDS
        if not more
        else FAILS
        if any((change[gamma] > 0).all() for gamma in more)
        else UNDECIDED
    )
    why = f"Against γ = 0 the median PCC changes {', '.join(told)}. Hist2ST and γ = 0, which differ in random draws only, lie {chance:.3f} apart on average: {ending}."
    return decided(claim, verdict, why, rows, smoke)


def told_apart(rows: pd.DataFrame, smoke: Sequence[str] = ()) -> Claim:
    """Whether in most sections F1 and AUC of cancer against all else exceed BAR; rows: those of `sweep` at one gamma. Only sections that a pathologist has labelled can decide."""
    passed = (rows["cancer_f1"] > BAR) & (rows["cancer_auc"] > BAR)
    told = (
        f"In {int(passed.sum())} of {len(rows)} tests both F1 and AUC of cancer exceed {BAR}, in {int((rows['cancer_auc'] > BAR).sum())} AUC does; "
        f"always answering cancer has an F1 above {BAR} in {int((rows['always_f1'] > BAR).sum())}."
    )
    own = rows["labels_from"] == ""
    hindered = (
        []
        if own.any()
        else [
            "None of these sections was labelled by a pathologist itself, and labels that were carried over cannot stand for a pathologist's."
        ]
    )
    verdict = HOLDS if passed[own].mean() > 0.5 else FAILS
    return decided(
        f"Tissue classes are told apart with F1 and AUC above {BAR} in most sections",
        verdict,
        told,
        rows[own] if own.any() else rows,
        smoke,
        hindered,
    )
