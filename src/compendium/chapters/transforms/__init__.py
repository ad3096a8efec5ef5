"""Chapter 5: expression transforms."""
