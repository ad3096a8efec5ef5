"""Chapter 2, in-distribution performance: one section or one patient left out."""

VERSION = 3
"""Raised when the tables or figures of this chapter change."""
