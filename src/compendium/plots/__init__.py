"""Plots: one file a kind of figure."""
