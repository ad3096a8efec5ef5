"""Chapters of the book: one folder each, with its design, results, findings and figures."""
