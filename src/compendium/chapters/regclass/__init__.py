"""Chapter 6, Regclass: classes of spots learned beside expression."""

VERSION = 2
"""Raised when the tables or figures of this chapter change."""
