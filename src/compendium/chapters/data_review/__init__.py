"""Chapter 1: data review."""
