"""Chapter 5: expression transforms as training targets."""

VERSION = 1
