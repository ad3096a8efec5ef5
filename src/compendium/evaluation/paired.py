"""Does a pre-trained encoder help? Paired differences of rows that differ in one thing, and what they decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, Claim, decided, too_few
from compendium.evaluation.verdict import UNDECIDED as OPEN
from compendium.images.encoders import short

BETTER, WORSE, UNDECIDED, SMOKE = "better", "worse", "undecided", "smoke"


@dataclass(frozen=True)
class Comparison:
    """Two rows, by their keys, the first minus the second; on the claim where it bears on whether pre-training harms."""

    title: str
    first: str
    second: str
    claim: bool = True


COMPARISONS = (
    Comparison(
        "frozen pre-trained − ConvMixer, both 0–255 as published", "frozen-raw", "convmixer-raw"
    ),
    Comparison("frozen pre-trained − ConvMixer, both normalised", "frozen", "convmixer"),
    Comparison("frozen: pre-trained − random start", "frozen", "frozen-random"),
    Comparison("tuned: pre-trained − random start", "tuned", "tuned-random"),
    Comparison("ridge: pre-trained − random start", "ridge", "ridge-random"),
    Comparison("frozen pre-trained: normalised − 0–255", "frozen", "frozen-raw", claim=False),
    Comparison("ridge on pre-trained: normalised − 0–255", "ridge", "ridge-raw", claim=False),
)


def comparisons(others: Sequence[str]) -> list[Comparison]:
    """Those of EfficientNet-Lite0, and each further encoder against the ConvMixer."""
    return [
        *COMPARISONS,
        *(
            Comparison(f"{short(name)} frozen − ConvMixer, both normalised", name, "convmixer")
            for name in others
        ),
    ]


def differences(table: pd.DataFrame, compared: Sequence[Comparison]) -> pd.DataFrame:
    """One line a comparison and section: mean over the genes that both rows scored there of first minus second; a section of several folds counts once, with their mean.

    table: scores with a column `row`, the key of the row, and `fold`.
    """
    found = []
    for comparison in compared:
        first, second = (
            table[table["row"] == key].set_index(["patient", "section", "fold", "gene"])["pcc"]
            for key in (comparison.first, comparison.second)
        )
        by_fold = (
            (first - second).dropna().groupby(["patient", "section", "fold"]).agg(["mean", "size"])
        )
        by_section = (
            by_fold.groupby(["patient", "section"])
            .mean()
            .reset_index()
            .rename(columns={"mean": "difference", "size": "genes"})
        )
        found.append(by_section.assign(comparison=comparison.title))
    return pd.concat(found, ignore_index=True)


def verdict(found: pd.DataFrame) -> str:
    """Better or worse where every section [section, patient, difference] says so and there are enough of enough patients, else undecided."""
    signs = set(np.sign(found["difference"]))
    if too_few(found) or len(signs) > 1 or 0 in signs:
        return UNDECIDED
    return BETTER if signs == {1.0} else WORSE


def verdicts(found: pd.DataFrame, compared: Sequence[Comparison], smoke: set[str]) -> pd.DataFrame:
    """One line a comparison: sections, patients, mean difference, in how many sections the first is above, and the verdict; `smoke` where a row is below the floor."""
    lines = []
    for comparison in compared:
        values = found[found["comparison"] == comparison.title]
        said = SMOKE if {comparison.first, comparison.second} & smoke else verdict(values)
        lines.append(
            {
                "comparison": comparison.title,
                "sections": len(values),
                "patients": values["patient"].nunique(),
                "mean difference": values["difference"].mean(),
                "first is above in": int((values["difference"] > 0).sum()),
                "verdict": said,
                "claim": comparison.claim,
            }
        )
    return pd.DataFrame(lines)


def claims(found: Results) -> dict[str, Claim]:
    """The claim of chapter 7, from the tables `scores` and `floor` of encoder_rows.study."""
    pairs = comparisons(found.facts["others"])
    apart = differences(found["scores"], pairs)
    return {
        "claim": claim(
            verdicts(apart, pairs, below(found)),
            apart[apart["comparison"].isin([pair.title for pair in pairs if pair.claim])],
        )
    }


def below(found: Results) -> set[str]:
    """Keys of the rows below the floor of a result."""
    return set(found["floor"].loc[~found["floor"]["result"], "row"])


def claim(lines: pd.DataFrame, apart: pd.DataFrame) -> Claim:
    """What the comparisons together say of the claim that pre-trained encoders transfer negatively: it holds where each above the floor is worse. apart: their `differences`."""
    said = lines[lines["claim"] & (lines["verdict"] != SMOKE)]
    worse, better, undecided = (
        int((said["verdict"] == word).sum()) for word in (WORSE, BETTER, UNDECIDED)
    )
    word = (
        HOLDS
        if len(said) and worse == len(said)
        else FAILS
        if len(said) and better == len(said)
        else OPEN
    )
    left = int((lines["claim"] & (lines["verdict"] == SMOKE)).sum())
    why = (
        f"Of {len(said)} comparisons above the floor {worse} {'is' if worse == 1 else 'are'} decided against the pre-trained encoder and {better} for it; "
        f"in {undecided} the sections disagree or are too few."
        + (f" Smoke, deciding nothing: {left}." if left else "")
    )
    return decided("Pre-trained encoders transfer negatively", word, why, apart)


def on_scale(lines: pd.DataFrame) -> str:
    """What the comparisons of input scales say."""
    return (
        "Input scale: "
        + "; ".join(_line(line) for line in lines[~lines["claim"]].itertuples(index=False))
        + "."
    )


def told(lines: pd.DataFrame) -> str:
    """The comparisons that are decided, in words for a caption."""
    decided = [
        _line(line) for line in lines.itertuples(index=False) if line.verdict in (BETTER, WORSE)
    ]
    return f"Decided: {'; '.join(decided)}." if decided else "None is decided."


def _line(line) -> str:
    ending = {
        BETTER: "above 0 in all",
        WORSE: "below 0 in all",
        UNDECIDED: "undecided over",
        SMOKE: "smoke, over",
    }[line.verdict]
    return f"{line.comparison}, {ending} {line.sections} sections"
