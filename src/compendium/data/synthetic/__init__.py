"""Synthetic cohort `demo`: tissue, images and counts drawn from a known model."""

from compendium.data.synthetic.expression import counts
from compendium.data.synthetic.model import SOURCES
from compendium.data.synthetic.sections import STAINS, make
from compendium.data.synthetic.truth import oracle, truth, truth_by_section

__all__ = ["SOURCES", "STAINS", "counts", "make", "oracle", "truth", "truth_by_section"]
