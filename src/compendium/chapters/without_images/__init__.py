"""Chapter 9: what counts of sibling sections predict without one image."""

VERSION = 2
"""Raised when the tables or figures of this chapter change."""
