"""The claim of the benchmark that pre-trained encoders transfer negatively."""

from functools import partial
from pathlib import Path

from compendium.chapters.encoders.design import COMPARISONS
from compendium.evaluation.evidence import Evidence, limits_of_fits, limits_of_rows
from compendium.evaluation.findings import read_findings
from compendium.evaluation.paired import Comparison, differences
from compendium.evaluation.results import Results

PAIRS = dict(
    zip(
        ("as-published", "normalised", "start-frozen", "start-tuned", "start-ridge"),
        COMPARISONS,
        strict=False,
    )
)
"""Finding -> what it compares: a pre-trained encoder with another, the other one claimed ahead."""
FAMILIES = {"Fig. S3a": tuple(PAIRS)}


def negative_transfer(results: Results, pair: Comparison) -> Evidence:
    """Subtract the pre-trained encoder from the other one."""
    scores, rows = results["scores"], [pair.first, pair.second]
    apart = differences(scores, [Comparison(pair.title, pair.second, pair.first)])
    fits = scores.loc[scores["row"].isin(rows), "fold"].nunique()
    limits = limits_of_rows(results, rows, results.facts["titles"]) + limits_of_fits(fits)
    return Evidence(apart, limits=limits)


FINDINGS = read_findings(
    Path(__file__).with_suffix(".yaml"),
    {name: partial(negative_transfer, pair=pair) for name, pair in PAIRS.items()},
    FAMILIES,
)
