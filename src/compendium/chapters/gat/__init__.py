"""Chapter 8: graph attention."""
