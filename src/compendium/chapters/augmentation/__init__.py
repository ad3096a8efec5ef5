"""Chapter 4: augmentation and stain."""

VERSION = 1
