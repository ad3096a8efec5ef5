"""Chapter 8, graph attention in place of a transformer: accuracy and cost."""

VERSION = 1
"""Raised when the tables or figures of this chapter change."""
