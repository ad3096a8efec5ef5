"""Tables of chapter 7."""

from collections.abc import Mapping, Sequence

import pandas as pd

from compendium.chapters.encoders.design import comparisons
from compendium.data.section import Section
from compendium.evaluation.comparison import KEPT, Design, Fitted, Tables, criterion
from compendium.evaluation.paired import below, differences, verdicts, without_verdict
from compendium.evaluation.results import Results


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score every row on the sections of all other patients.

    Returns
    -------
    Tables scores, criterion (of a result), curves, cost; no further facts.
    """
    fits = groups["fits"]
    scores = fits.scores(sections)
    return {
        "scores": scores[list(KEPT)],
        "criterion": criterion(scores, groups["permuted"].scores(sections), fits.jobs),
        "curves": fits.curves(),
        "cost": fits.cost(),
    }, {}


def per_gene(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the PCC of each gene over sections: row, gene, pcc, sections (their number)."""
    groups = scores.groupby(["row", "gene"], sort=False)["pcc"]
    return groups.agg(pcc="mean", sections="count").reset_index()


def compared(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the differences of all comparisons by section, and the verdict of each.

    See `compendium.evaluation.paired.differences` and `compendium.evaluation.paired.verdicts`.
    """
    pairs = comparisons(results.facts["others"])
    apart = differences(results["scores"], pairs)
    return apart, verdicts(apart, pairs, below(results), without_verdict(results))
