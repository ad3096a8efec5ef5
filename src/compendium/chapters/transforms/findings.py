"""Findings of the transform chapter: Hist2ST, as in the paper, scored on the common target."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from compendium.chapters.transforms.design import REFERENCE
from compendium.chapters.transforms.results import COMMON, OWN, PUBLISHED, comparisons, spread_gaps
from compendium.evaluation.evidence import Evidence, limits_of_fits, limits_of_rows
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import describe
from compendium.evaluation.results import Results

METHOD = "hist2st"
CLAIMS = tuple(f"same-{transform}" for transform in PUBLISHED)
CASE = ["method", "scored_on", "lognorm"]
FAMILIES = {"Fig. S1e": (*CLAIMS, "smaller-spread")}


def both_targets(results: Results) -> pd.DataFrame:
    """Describe each comparison with the reference, and its difference on own targets."""
    common, own = (
        describe(part) for part in (_scored_on(results, COMMON), _scored_on(results, OWN))
    )
    return common.assign(**{"difference, own targets": own["difference"]})


def same(results: Results, transform: str) -> Evidence:
    """Compare one transform with `REFERENCE`."""
    key, paired = f"{METHOD}:{transform}", _scored_on(results, COMMON)
    pairs = [each for each in comparisons(results.facts["titles"]) if each.first == key]
    apart = paired[paired["comparison"].isin([each.title for each in pairs])]
    return Evidence(apart, equal=True, limits=_limits(results, [transform, REFERENCE]))


def smaller_spread(results: Results) -> Evidence:
    """Subtract the spread over genes under `REFERENCE` from the mean of the published others."""
    gaps = spread_gaps(results["spread"])
    case = {"method": METHOD, "scored_on": COMMON, "lognorm": REFERENCE}
    apart = gaps[(gaps[list(case)] == pd.Series(case)).all(axis=1)]
    limits = _limits(results, [*PUBLISHED, REFERENCE])
    return Evidence(apart, "difference of the spread of PCC", limits=limits)


def _scored_on(results: Results, target: str) -> pd.DataFrame:
    return results["paired"][results["paired"]["scored_on"] == target]


def _limits(results: Results, transforms: Sequence[str]) -> list[str]:
    rows = [f"{METHOD}:{transform}" for transform in transforms]
    fits = limits_of_fits(len(results.facts["trained"]))
    return limits_of_rows(results, rows, results.facts["titles"]) + fits


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {
        name: partial(same, transform=transform)
        for name, transform in zip(CLAIMS, PUBLISHED, strict=True)
    }
    | {"smaller-spread": smaller_spread},
    FAMILIES,
)
