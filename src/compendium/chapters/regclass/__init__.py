"""Chapter 6: Regclass."""
