"""Synthetic cohort `demo`: tissue, images and counts drawn from a known model."""

from compendium.data.synthetic.model import COHORT, GENES, SECTIONS, SOURCES
from compendium.data.synthetic.rates import counts
from compendium.data.synthetic.sections import STAINS, make
from compendium.data.synthetic.truth import ORACLES, oracle, truth, truth_by_section

__all__ = [
    "COHORT",
    "GENES",
    "ORACLES",
    "SECTIONS",
    "SOURCES",
    "STAINS",
    "counts",
    "make",
    "oracle",
    "truth",
    "truth_by_section",
]
