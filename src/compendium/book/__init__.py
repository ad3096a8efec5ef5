"""Statements become pages: figures, chapters, the site."""
