"""Stain normalisation and stain augmentation."""
