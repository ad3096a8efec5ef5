"""Chapter 7, encoders: pre-trained or random, frozen or tuned."""

VERSION = 3
"""Raised when the tables or figures of this chapter change."""
