"""Chapter 5, expression transforms as training targets."""

VERSION = 3
"""Raised when the tables or figures of this chapter change."""
