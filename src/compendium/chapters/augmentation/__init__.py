"""Chapter 4: augmentation and stain."""
