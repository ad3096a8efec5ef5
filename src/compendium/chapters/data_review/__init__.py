"""Chapter 1, data review: what the data hold before anything is learned."""

VERSION = 2
"""Raised when the tables or figures of this chapter change."""
