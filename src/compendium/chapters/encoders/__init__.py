"""Chapter 7: encoders."""
