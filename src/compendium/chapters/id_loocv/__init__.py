"""Chapter 2: in-distribution performance, leave one out."""
