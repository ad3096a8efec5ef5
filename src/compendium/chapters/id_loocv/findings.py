"""What becomes of the benchmark's ranking of six methods with one section left out, on the part of the panel with the most genes, section by section."""

from collections.abc import Sequence

import pandas as pd

from compendium.evaluation.panel_names import said
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, summary
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim, decided

AHEAD, BEHIND, LOW = (
    ("stimage", "bleep", "hist2st"),
    ("histogene", "stnet", "deepspace"),
    ("stnet", "deepspace"),
)
BAR = 0.1  # of a median, which ST-Net and DeepSpaCE do not consistently exceed, says the benchmark


def claims(found: Results) -> dict[str, Claim]:
    """The claims of chapter 2, from the tables `scores` and `floor` of ladder.study: by the median PCC over genes of each section."""
    rows = by_panel(found["scores"][found["scores"]["split"] == "section-out"])
    panel = rows.groupby("panel")["gene"].nunique().idxmax()
    medians = summary(rows[rows["panel"] == panel], ["method", "section", "patient"]).pivot(
        index=["patient", "section"], columns="method", values="median"
    )
    result, titles = found["floor"].set_index("row")["result"], found.facts["titles"]

    def judged(
        claim: str, methods: Sequence[str], right: pd.Series, wrong: pd.Series, why: str
    ) -> Claim:
        verdict = HOLDS if right.all() else FAILS if wrong.all() else UNDECIDED
        absent = (
            [f"Not fitted here: {', '.join(missing)}."]
            if (missing := [name for name in methods if name not in result.index])
            else []
        )
        smoke = [titles[name] for name in methods if name in result.index and not result[name]]
        return decided(
            claim,
            verdict,
            f"On {said(panel)}, all methods with one target and one encoder, {why}",
            medians.index.to_frame(index=False),
            smoke,
            absent,
        )

    best, rest, low = (medians.reindex(columns=names) for names in (AHEAD, BEHIND, LOW))
    ahead, above = (
        best.min(axis=1, skipna=False) > rest.max(axis=1, skipna=False),
        (low > BAR).all(axis=1),
    )
    return {
        "ranking_claim": judged(
            "STimage, BLEEP and Hist2ST do better than HisToGene, ST-Net and DeepSpaCE",
            AHEAD + BEHIND,
            ahead,
            ~ahead,
            f"the least of the three exceeds the best of the others in {int(ahead.sum())} of {len(medians)} sections.",
        ),
        "low_claim": judged(
            f"ST-Net and DeepSpaCE reach no median above {BAR}",
            LOW,
            (low <= BAR).all(axis=1),
            above,
            f"both exceed it in {int(above.sum())} of {len(medians)} sections.",
        ),
    }
