"""Chapter 3: out of distribution."""
