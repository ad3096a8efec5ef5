"""A research compendium: spatial gene expression from H&E images, audited."""

__version__ = "0.1.0"
