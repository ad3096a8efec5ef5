"""Augmentation of training tiles."""
