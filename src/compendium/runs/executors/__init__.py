"""Executors: where runs are computed."""
