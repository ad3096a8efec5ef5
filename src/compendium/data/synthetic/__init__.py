"""The synthetic cohort: tissue, images and counts drawn from a known model."""
