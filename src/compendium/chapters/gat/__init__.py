"""Chapter 8, graph attention in place of a transformer: accuracy and cost."""

VERSION = 2
"""Raised when the tables or figures of this chapter change."""
