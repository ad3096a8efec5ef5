"""Predictions and counts -> statements."""
