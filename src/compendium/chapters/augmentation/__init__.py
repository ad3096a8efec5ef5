"""Chapter 4, augmentation and stain."""

VERSION = 3
"""Raised when the tables or figures of this chapter change."""
