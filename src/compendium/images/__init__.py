"""Pixels: features of frozen encoders, augmentation."""
