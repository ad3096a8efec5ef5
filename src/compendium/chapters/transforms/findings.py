"""Findings of the transform chapter."""

from pathlib import Path

import pandas as pd

from compendium.chapters.transforms.results import COMMON, OWN, comparisons
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import (
    BETTER,
    UNDECIDED,
    WORSE,
    below,
    verdicts,
    without_verdict,
)
from compendium.evaluation.results import Results
from compendium.evaluation.settled import training_limits
from compendium.evaluation.verdict import Outcome, Verdict, judge, limits_of

PUBLISHED = ("raw", "log1p", "minmax")
"""Transforms that the benchmark compares with its log-normalised counts."""
CASE = ["method", "scored_on", "lognorm"]
LOGNORM = ("logcpm", "scprep")
"""Log-normalised counts as the text of the benchmark has them, and as its code has them."""


def compared(results: Results, scored_on: str = COMMON) -> pd.DataFrame:
    """Return the verdict of each comparison with the reference (`evaluation.paired.verdicts`)."""
    paired, pairs = results["paired"], comparisons(results.facts["titles"])
    on = paired[paired["scored_on"] == scored_on]
    return verdicts(on, pairs, below(results), without_verdict(results))


def both_targets(results: Results) -> pd.DataFrame:
    """Return `compared` with the mean difference on own targets as the last column."""
    own = compared(results, OWN)["mean difference"].to_numpy()
    table = compared(results).drop(columns="claim")
    return table.assign(**{"mean difference, own targets": own})


def ratios(spread: pd.DataFrame) -> pd.DataFrame:
    """Divide the spread under log-normalisation by the smallest of the published transforms.

    Parameters
    ----------
    spread
        Table `spread`. A form that was not fitted gives no line.

    Returns
    -------
    One line a method, target, form and section: method, scored_on, lognorm, section, patient,
    ratio (of standard deviations; below 1 the spread under log-normalisation is the smallest).
    """
    by = ["method", "scored_on", "section", "patient"]
    published = spread.assign(sd=spread["sd"].where(spread["transform"].isin(PUBLISHED)))
    least = published.groupby(by, sort=False)["sd"].transform("min")
    lines = spread.assign(lognorm=spread["transform"], ratio=spread["sd"] / least)
    return lines.loc[lines["lognorm"].isin(LOGNORM) & least.notna(), [*by, "lognorm", "ratio"]]


def smaller_spread(ratios: pd.DataFrame, preliminary: set[str]) -> pd.DataFrame:
    """Decide, case by case, whether log-normalised counts give the smallest spread over genes.

    It holds where the spread is the smallest in every section and fails where it is in none, of
    enough sections and patients.

    Parameters
    ----------
    ratios
        Table of `ratios`.
    preliminary
        Rows on which nothing is decided.

    Returns
    -------
    One line a method, target and form: method, scored_on, lognorm, sections, smallest in, verdict.
    """
    lines = []
    for case, part in ratios.groupby(CASE, sort=False):
        smallest, rows = int((part["ratio"] < 1).sum()), (case[2], *PUBLISHED)
        unfit = limits_of(part) or preliminary & {f"{case[0]}:{name}" for name in rows}
        decided = {len(part): Verdict.HOLDS, 0: Verdict.FAILS}
        verdict = Verdict.UNDECIDED if unfit else decided.get(smallest, Verdict.UNDECIDED)
        lines.append((*case, len(part), smallest, verdict))
    return pd.DataFrame(lines, columns=[*CASE, "sections", "smallest in", "verdict"])


def no_difference(results: Results) -> Outcome:
    """Decide whether transforms make no difference on the common target.

    It fails where at least half of the comparisons go one way in every section. Nothing makes it
    hold: that sections disagree does not show that there is no difference.
    """
    lines = compared(results)
    judged = lines[lines["verdict"].isin([BETTER, WORSE, UNDECIDED])]
    decided = judged[judged["verdict"] != UNDECIDED]
    half = len(judged) and 2 * len(decided) >= len(judged)
    return judge(
        Verdict.FAILS if half else Verdict.UNDECIDED,
        _on_common(results),
        training_limits(results, results["criterion"]["row"]),
        statistic=float(decided["mean difference"].abs().max()),
        name="largest difference of PCC that is decided",
        numbers={"decided": len(decided), "compared": len(judged)},
    )


def all_smaller(results: Results) -> Outcome:
    """Decide whether log-normalised counts give the smallest spread, in every case."""
    cases = smaller_spread(ratios(results["spread"]), below(results))
    counts = {verdict: int((cases["verdict"] == verdict).sum()) for verdict in Verdict}
    one = (each for each in (Verdict.HOLDS, Verdict.FAILS) if counts[each] == len(cases) > 0)
    return judge(
        next(one, Verdict.UNDECIDED),
        _on_common(results),
        training_limits(results, results["criterion"]["row"]),
        statistic=counts[Verdict.HOLDS] / len(cases) if len(cases) else float("nan"),
        name="share of the cases in which it holds",
        numbers={"cases": len(cases), "holds": counts[Verdict.HOLDS]},
    )


def _on_common(results: Results) -> pd.DataFrame:
    return results["paired"][results["paired"]["scored_on"] == COMMON]


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {"no-difference": no_difference, "smaller-spread": all_smaller},
)
