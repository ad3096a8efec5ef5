"""Readers: raw files of a cohort to sections."""
