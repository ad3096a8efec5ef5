"""Chapter 3, out of distribution: the same fits on validation and on test sections."""

VERSION = 2
"""Raised when the tables or figures of this chapter change."""
